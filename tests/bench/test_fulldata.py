"""Are the sets the literature's, does the budget hold, and does the page say what was measured?"""

import time
from typing import Any

import numpy as np
import pytest

from timeloom.bench import fulldata
from timeloom.bench.few_judges import Judges
from timeloom.bench.full_page import (
    ARMS,
    COPY,
    HALVES,
    HONEST,
    OURS,
    PLAIN,
    PUBLISHED,
    STOCK,
    Planned,
    write_full_page,
)
from timeloom.bench.fulldata import (
    SETS,
    Budget,
    Cell,
    budgeted,
    cells,
    held_auc,
    judge,
    measure,
    parts,
    run,
    sines,
    step_spreads,
    steps_for,
    validity,
    whole,
    without_rules,
)
from timeloom.data.windows import Windows
from timeloom.methods.imagenfew import ImagenFew
from timeloom.metrics.record import Record, read_records, write_records

TINY = Budget(0.5, 13, Judges(2, 10, 20, 3, 60))
SMALL: dict[str, Any] = dict(width=8, multipliers="1", known=0.0, batch=16)


@pytest.fixture(autouse=True)
def small(monkeypatch):
    """A network that trains in a moment, and few sines."""
    monkeypatch.setattr(fulldata, "SETTINGS", SMALL)
    monkeypatch.setattr(fulldata, "QUICK", TINY)
    monkeypatch.setattr(fulldata, "SINES", 300)
    monkeypatch.setattr(fulldata, "MOST", 120)
    for cached in (whole, parts, fulldata._rules):
        cached.cache_clear()
    yield
    for cached in (whole, parts, fulldata._rules):
        cached.cache_clear()


def prices(rng, count=200):
    """Windows of five prices that keep the orders and the identity of real ones."""
    close = 100 + rng.normal(size=(count, 24)).cumsum(axis=1)
    other = close + rng.normal(size=close.shape)
    high = np.maximum(close, other) + rng.exponential(size=close.shape)
    low = np.minimum(close, other) - rng.exponential(size=close.shape)
    x = np.stack([other, high, low, close, close], axis=2).astype(np.float32)
    return Windows(x, channels=("Open", "High", "Low", "Close", "Adj_Close"))


def test_every_cell_is_planned_once_and_a_seed_of_everything_comes_first():
    plan = cells()
    assert len(set(plan)) == len(plan) == 4 * 3 * 3
    assert {cell.seed for cell in plan[:12]} == {0} and {cell.name for cell in plan} == set(SETS)
    assert [arm for arms in fulldata.TASKS.values() for arm in arms] == list(ARMS)


def test_sines_are_those_of_the_papers():
    one = sines(50, 0)
    assert one.x.shape == (50, 24, 5) and 0 <= one.x.min() and one.x.max() <= 1
    angle = np.arcsin(np.clip(one.x.astype(float) * 2 - 1, -1, 1))[:, :8]  # below the turn at 90°
    rate = np.diff(angle, axis=1)
    assert np.ptp(rate, axis=1).max() < 1e-3 and 0 <= rate.min() and rate.max() <= 0.101
    assert angle[:, 0].max() <= 0.101
    assert not np.array_equal(one.x, sines(50, 1).x)


@pytest.mark.parametrize(
    ("name", "shape"),
    [("stock_goog", (3661, 24, 6)), ("etth1", (17397, 24, 7))],
)
def test_sets_have_the_windows_of_the_literature(data_folder, monkeypatch, name, shape):
    monkeypatch.setattr(fulldata, "MOST", 3661)
    assert whole(name).x.shape == shape
    train, held = parts(name)
    apart = np.abs(train.start[:, None] - held.start[None, ::5])
    assert apart.min() >= 24  # no time point in common
    assert abs(len(train) - len(held)) < 0.2 * len(train) and len(np.unique(held.series)) >= 5


def test_the_number_of_steps_ends_the_budget():
    marks = [(step, 3.0 + 0.5 * (step - 1)) for step in range(1, 61)]
    assert steps_for(103.0, marks) == 201
    # The first steps are slow, and do not count.
    slow = [(step, at + (2.0 if step > 5 else 0.0)) for step, at in marks]
    assert steps_for(103.0, slow) == 201
    assert steps_for(1.0, marks) == 1
    with pytest.raises(ValueError, match="12 or more"):
        steps_for(10.0, marks[:11])


def test_a_training_spends_about_its_budget():
    budgeted(sines(300, 0), 0, Budget(0.1, 13))  # what a process does once is no part of it
    began = time.process_time()
    model, cost, about = budgeted(sines(300, 0), 0, Budget(1.0, 30))
    spent = time.process_time() - began
    assert 0.5 < cost["learn_seconds"] < min(2.0, spent)
    assert about["train_steps"] == cost["steps"] > 30 and model.width == about["width"] == 8
    assert cost["parameters"] == sum(one.numel() for one in model.model_.parameters())


def test_the_arm_without_rules_is_what_training_without_them_gives(rng):
    real = prices(rng)
    how: dict[str, Any] = dict(**SMALL, train_steps=4, seed=3, device="cpu")
    model = ImagenFew(**how).fit(real)
    ruled, free = model.sample(40, seed=1).x, without_rules(model).sample(40, seed=1).x
    never = ImagenFew(**how, rules=False).fit(real).sample(40, seed=1).x
    assert np.array_equal(free, never) and not np.array_equal(free, ruled)
    assert np.array_equal(model.sample(40, seed=1).x, ruled)  # the first one stays as it was


def test_rules_broken_are_counted_at_time_points(rng, monkeypatch):
    real = prices(rng)
    monkeypatch.setattr(fulldata, "whole", lambda name: real)
    kept = validity(real.x, "prices")
    assert kept["broken"] == kept["cents_orders"] == kept["cents_identity"] == 0
    assert sum(metric.startswith("broken: ") for metric in kept) >= 5
    wrong = real.x.copy()
    wrong[:, :6, 1] = wrong[:, :6, 2] - 5  # High below Low in a quarter of the time points
    wrong[:, 12:18, 4] += 0.02  # a little more than a cent, within the tolerance of a spread
    found = validity(wrong, "prices")
    assert found["cents_orders"] == found["broken"] == 0.25
    assert found["cents_identity"] == 0.25 and found["broken: Adj_Close = Close"] == 0


def test_step_spreads_are_ratios_by_channel(rng):
    real = rng.normal(size=(50, 24, 3))
    real[:, :, 2] = 7
    assert np.allclose(step_spreads(real * [0.5, 2, 1], real), [0.5, 2, np.nan], equal_nan=True)


def test_judges_know_noise_from_real_windows():
    real = sines(300, 0).x
    noise = real + np.random.default_rng(0).normal(scale=0.3, size=real.shape).astype(np.float32)
    how: dict[str, Any] = dict(train=real, seed=0, judges=Judges(2, 60, 60, 10, 150))
    one, other = judge(sines(300, 5).x, real, **how), judge(noise, real, **how)
    assert one["judged"] == 150
    assert other["two_sample_auc"] > 0.95 > one["two_sample_auc"]
    assert other["summary_auc"] > 0.9 and other["context_fid"] > 5 * one["context_fid"]
    assert other["step_spread_least"] > 2 and 0.8 < one["step_spread_least"] < 1.2
    held = sines(120, 1)
    assert held_auc(noise, held, 0, TINY) > 0.9 > held_auc(sines(300, 5).x, held, 0, TINY)


def test_a_cell_of_every_task_notes_its_arms_and_is_not_run_again(tmp_path):
    said = list(run(True, tmp_path))
    assert [line.split(",")[1].strip() for line in said[:3]] == ["all", "blocks", "floors"]
    path = tmp_path / "fulldata-quick.jsonl"
    records = read_records(path)
    of = {arm: {r.metric: r.value for r in records if r.method == arm} for arm in ARMS}
    assert set(of[HONEST]) == {"held_auc", "learn_seconds", "steps", "parameters"}
    assert of[OURS].keys() == of[PLAIN].keys() >= {"sample_seconds", "discriminative_sd"}
    assert "held_auc" in of[HALVES] and "held_auc" not in of[COPY]
    assert of[OURS]["learn_seconds"] == of[PLAIN]["learn_seconds"]
    one = next(r for r in records if r.method == OURS)
    assert one.settings["width"] == 8 and one.settings["judges"]["repeats"] == 2
    assert one.sizes == {"real": 300, "made": 60, "judged": 60}
    whole_file = path.read_text()
    assert len(list(run(True, tmp_path))) == 1 and path.read_text() == whole_file
    page = (tmp_path / "fulldata-quick.md").read_text()
    assert "bench fulldata --quick" in page and "| sines | ours, blocks | 1 | 1 |" in page


def test_a_part_and_a_choice_of_cells_are_obeyed(tmp_path):
    said = list(run(True, tmp_path, "3/3"))
    assert len(said) == 2 and "floors" in said[0]
    with pytest.raises(ValueError, match="no cell was measured"):
        list(run(True, tmp_path / "new", only="energy"))
    with pytest.raises(ValueError, match="I/N"):
        list(run(True, tmp_path, "4/3"))


def test_a_set_that_is_not_at_hand_is_said(monkeypatch, tmp_path):
    monkeypatch.setenv("TIMELOOM_DATA", str(tmp_path))
    with pytest.raises(ValueError, match="energy_appliances"):
        measure(Cell("energy", 0, "floors"), TINY)


def test_the_page_has_means_over_seeds_beside_published_figures(tmp_path):
    values = {"discriminative": (0.01, 0.02, 0.03), "two_sample_auc": (0.7, 0.72, 0.74)}
    values |= {"step_spread_least": (0.91, 0.92, 0.93), "broken": (0.0, 0.0, 0.03)}
    records = [
        Record(metric=metric, value=value, method=OURS, data="stock_goog, 24", seeds=(seed,))
        for metric, own in values.items()
        for seed, value in enumerate(own)
    ]
    path = write_records(tmp_path / "fulldata.jsonl", records)
    plan = [Planned("stock_goog", seed, (OURS, PLAIN)) for seed in range(3)]
    page = write_full_page(path, plan).read_text()
    assert "| stock_goog | 0.020 ± 0.010 |" in page and "| no | 0.015 | 0.019 | 0.037 |" in page
    assert "| stock_goog | ours | 3 | 3 |" in page
    assert "| stock_goog | ours, no projection | 3 | 0 |" in page
    row = next(line for line in page.splitlines() if line.startswith("| random-kernel AUC"))
    assert "| <= .75 | 0.720 ± 0.020 |" in row and "| yes | .807-.814 | .999 |" in row
    assert "**any identity or order**" in page


def test_published_figures_are_those_of_the_papers():
    best = {name: min(own[name] for own in PUBLISHED.values() if name in own) for name in SETS}
    assert best == {"stock_goog": 0.015, "energy": 0.009, "etth1": 0.005, "sines": 0.004}
    assert "sines" not in PUBLISHED["ImagenTime"]
    assert {one.metric for one in STOCK} >= {"two_sample_auc", "cents_orders", "broken"}
