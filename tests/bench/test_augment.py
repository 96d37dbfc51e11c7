"""Are draws honest, arms on equal terms, is the choice blind to the test, do intervals hold?"""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch.optim.optimizer import register_optimizer_step_post_hook

from timeloom.advice import advise
from timeloom.bench import augment, paired_page, rare_sets
from timeloom.bench.augment import ARMS, QUICK, RIVALS, Arm, Cell, judged, measure
from timeloom.bench.augmenters import oversampled
from timeloom.bench.paired_page import chosen_by_guidance, difference, grid_of, write_paired_page
from timeloom.bench.rare_sets import (
    CANDIDATES,
    PROBED,
    SETS,
    SIMULATED,
    RareSet,
    drawn,
    fit_and_guidance,
)
from timeloom.data.windows import Windows
from timeloom.metrics.record import Record, read_records

CANDIDATES_FILE = Path(__file__).parents[2] / "results" / "augment-candidates.jsonl"


def waves(count, seed, of=1):
    """Noise, and in one window of five a bump; ``of`` windows per recording."""
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((count, 16, 2)).astype(np.float32)
    y = (np.arange(count) // of % 5 == 0).astype(np.int64) if of == 1 else np.arange(count) % 2
    x[y == 1, 5:9] += 2
    return Windows(x, y, np.arange(count) // of)


def entry_of(of=1, **changes):
    def read(entry):
        return waves(400, 0, of), waves(300, 1, of)

    how = dict(length=16, minority=12, majority=40, recordings=None if of == 1 else 8)
    return RareSet("waves", "none", "noise", read, **{**how, **changes})


def keys(windows):
    return {one.tobytes() for one in windows.x}


def test_a_draw_has_the_counts_that_are_asked_for_and_shares_no_window_with_the_test():
    entry = entry_of()
    first, test = drawn(entry, 0)
    assert np.bincount(first.y).tolist() == [40, 12]
    assert not keys(first) & keys(test)
    again, other = drawn(entry, 0)[0], drawn(entry, 1)[0]
    assert keys(again) == keys(first) != keys(other)
    assert keys(drawn(entry, 1)[1]) == keys(test)  # the same for all


def test_a_draw_is_of_few_recordings_and_none_is_in_both_parts():
    entry = entry_of(of=20, minority=20, majority=40)
    for seed in range(5):
        train, _ = drawn(entry, seed)
        fit, guidance = fit_and_guidance(entry, train, seed)
        assert len(np.unique(train.series)) <= 8
        assert not set(fit.series.tolist()) & set(guidance.series.tolist())
        assert {0, 1} == set(fit.y.tolist()) == set(guidance.y.tolist())


def test_a_quarter_of_each_class_is_for_guidance():
    entry = entry_of()
    train, _ = drawn(entry, 3)
    fit, guidance = fit_and_guidance(entry, train, 3)
    assert np.bincount(guidance.y).tolist() == [10, 3] and len(fit) == 39
    assert keys(fit) | keys(guidance) == keys(train) and not keys(fit) & keys(guidance)


def test_too_few_windows_of_a_class_are_said_with_their_number():
    with pytest.raises(ValueError, match=r"needs 90 windows of class 1; the draw holds 80"):
        drawn(entry_of(minority=90), 0)


def test_the_probe_sees_the_training_draw_alone_and_what_is_in_it():
    entry = entry_of()
    seen = rare_sets.probe(entry, 0)
    assert seen.figures["auroc"] > 0.85
    assert seen.figures["counts"] == {"0": 40, "1": 12} and seen.figures["test_counts"] is None


def test_two_recordings_of_one_number_share_no_clock_and_test_recordings_have_other_numbers():
    moved = rare_sets._own_clocks(waves(40, 0, of=20))
    starts = [set(moved.start[moved.series == k].tolist()) for k in (0, 1)]
    assert not starts[0] & starts[1]
    train, test = rare_sets.pools(entry_of(of=20))
    assert not set(train.series.tolist()) & set(test.series.tolist())


def test_every_arm_that_makes_windows_makes_the_classes_equally_frequent():
    cell = Cell(entry_of(), 0, QUICK)
    for arm in ARMS[1:5]:
        made = arm.make(cell)
        both = np.concatenate([cell.real.y, made.y])
        assert np.bincount(both).tolist() == [40, 40], arm.name


def test_generated_windows_are_of_the_rare_class_and_come_again_from_the_kept_run(tmp_path):
    tiny = replace(QUICK, generator={**QUICK.generator, "train_steps": 4, "multipliers": "1"})
    first, again = (Cell(entry_of(), 0, tiny, tmp_path) for _ in range(2))
    made = augment._generated(first)
    assert made.y.tolist() == [1] * 28
    weights = next(tmp_path.rglob("weights.safetensors"))
    before = weights.stat().st_mtime_ns
    np.testing.assert_allclose(augment._generated(again).x, made.x, rtol=1e-5, atol=1e-5)
    assert again.seconds["generator"] > 0 and weights.stat().st_mtime_ns == before
    # Another budget is another generator, whatever lies in the folder.
    other = Cell(entry_of(), 0, replace(tiny, generator={**tiny.generator, "lr": 1e-3}), tmp_path)
    assert other.generator.lr == 1e-3 and weights.stat().st_mtime_ns != before


def test_judges_read_all_windows_in_the_scale_of_the_real_training_windows():
    cell = Cell(entry_of(), 0, QUICK)
    mean, spread = cell.real.x.mean(axis=(0, 1)), cell.real.x.std(axis=(0, 1))
    read = cell.seen(cell.test).numpy().transpose(0, 2, 1)
    np.testing.assert_allclose(read, (cell.test.x - mean) / spread, rtol=1e-4, atol=1e-5)


def test_every_judge_takes_the_same_steps_however_many_windows_there_are():
    cell = Cell(entry_of(), 0, QUICK)
    began, taken = torch.random.get_rng_state(), []
    hook = register_optimizer_step_post_hook(lambda *_: taken.append(1))
    try:
        judged(cell, cell.real, None, cell.guidance)
        judged(cell, cell.real, oversampled(cell.real, {1: 300}, 0), cell.guidance)
    finally:
        hook.remove()
    assert len(taken) == 2 * QUICK.steps
    assert torch.equal(began, torch.random.get_rng_state())


def test_a_judge_that_learns_the_bump_finds_it_and_one_fed_wrong_labels_does_not():
    cell = Cell(entry_of(), 0, replace(QUICK, steps=60))
    right = judged(cell, cell.real, None, cell.test)
    wrong = judged(cell, replace(cell.real, y=1 - cell.real.y), None, cell.test)
    assert right["auroc"] > 0.9 > 0.1 > wrong["auroc"]


def test_only_a_candidate_is_measured_on_the_guidance_windows():
    cell = Cell(entry_of(), 0, QUICK)
    plain, candidate = (measure(cell, Arm("copies", ARMS[1].make, c)) for c in (False, True))
    assert {r.metric for r in candidate} - {r.metric for r in plain} == {
        "guidance_auroc",
        "guidance_log_likelihood",
    }
    assert plain[0].sizes == {"real": 52, "rare": 12, "test": 300, "test rare": 60, "synthetic": 28}


def record(arm, seed, value, metric="auroc", data="d, 9"):
    sizes = {"real": 5, "rare": 2, "test": 9, "test rare": 3, "synthetic": 3}
    settings = {"drawing_seconds": 1.0, "shared_seconds": 0.0}
    how = dict(value=value, better="higher", method=arm, data=data, seeds=(seed,))
    return Record(metric, sizes=sizes, settings=settings, **how)


def test_the_choice_looks_at_guidance_windows_only_and_ties_go_to_the_likelier():
    auroc = {"d": {"a": {0: 0.9, 1: 1.0}, "b": {0: 0.8, 1: 1.0}, "c": {0: 0.99, 1: 1.0}}}
    likely = {"d": {"a": {0: -9.0, 1: -0.4}, "b": {0: 0.0, 1: -0.3}, "c": {0: 0.0, 1: 0.0}}}
    grid = {"guidance_auroc": auroc, "guidance_log_likelihood": likely}
    assert chosen_by_guidance(grid, ("a", "b")) == {("d", 0): "a", ("d", 1): "b"}


def test_the_interval_is_that_of_the_mean_difference_and_wider_when_sets_are_drawn_too():
    rng = np.random.default_rng(0)
    shift, noise = rng.normal(0.02, 0.03, 8), rng.normal(0, 0.01, (8, 10))
    rival = {f"s{i}": dict(enumerate(rng.uniform(0.6, 0.9, 10))) for i in range(8)}
    arm = {
        name: {k: v + shift[i] + noise[i, k] for k, v in one.items()}
        for i, (name, one) in enumerate(rival.items())
    }
    found = difference(arm, rival)
    expected = (shift[:, None] + noise).mean()
    assert found.mean == pytest.approx(expected) and found.pairs == 80
    half = 1.96 * np.sqrt(np.mean(noise.var(axis=1)) / 80)  # of the mean over fixed sets
    assert found.seeds[1] - found.seeds[0] == pytest.approx(2 * half, rel=0.1)
    assert found.sets[0] < found.seeds[0] < expected < found.seeds[1] < found.sets[1]
    assert found.word == ("beats" if found.seeds[0] > 0 else "does not beat")


def test_an_arm_neither_beats_itself_nor_is_beaten():
    same = {"a": {k: 0.7 + k / 100 for k in range(5)}}
    assert difference(same, same).word == "does not beat"
    better = {"a": {k: 0.8 + k / 100 for k in range(5)}}
    assert difference(better, same).word == "beats"
    assert difference(same, better).word == "is beaten by"


def test_few_seeds_give_no_word_and_no_pair_is_refused():
    few, better = {"a": {0: 0.7, 1: 0.8}}, {"a": {0: 0.9, 1: 0.9}}
    assert difference(better, few).word == "cannot be told yet from"
    with pytest.raises(ValueError, match="in common"):
        difference(few, {"c": {0: 0.7}})


def test_the_page_says_what_the_figures_say(tmp_path):
    path = tmp_path / "augment.jsonl"
    rows = []
    for seed in range(6):
        for arm, value in (("real only", 0.7), ("guided", 0.8), ("picked", 0.75), ("jitter", 0.9)):
            value += 0.01 * seed
            rows += [record(arm, seed, value, score) for score in paired_page.NAMES]
            if arm in ("guided", "picked"):
                rows.append(record(arm, seed, 0.6 if arm == "picked" else 0.5, "guidance_auroc"))
                rows.append(record(arm, seed, -1.0, "guidance_log_likelihood"))
    augment.note(path, rows)
    text = write_paired_page(path, tmp_path / "none", ("guided", "picked"), RIVALS).read_text()
    # The better one on test is not chosen: only guidance windows choose.
    assert "| picked | 6 |" in text and "| guided | 0 |" in text
    assert "chosen beats real only | +0.0500" in text
    assert "chosen is beaten by jitter | -0.1500" in text


def test_arms_that_are_missing_in_a_cell_are_added_and_others_left(tmp_path, monkeypatch):
    monkeypatch.setattr(augment, "SETS", (entry_of(),))
    monkeypatch.setattr(augment, "ARMS", ARMS[:2])
    first = list(augment.run(quick=True, folder=tmp_path))
    assert "2 arms" in first[0] and first[-1].startswith("page: ")
    monkeypatch.setattr(augment, "ARMS", ARMS[:3])
    assert "1 arms" in next(augment.run(quick=True, folder=tmp_path))
    assert len(list(augment.run(quick=True, folder=tmp_path))) == 1  # the page alone
    found = [r.method for r in read_records(tmp_path / "augment-quick.jsonl")]
    assert sorted(set(found)) == sorted(arm.name for arm in ARMS[:3])
    assert len(found) == 3 * 6


def test_the_suite_is_what_the_rule_leaves_of_the_candidates(data_folder):
    records = read_records(CANDIDATES_FILE)
    found = {}
    for one in records:
        found.setdefault(one.data.rpartition(",")[0], []).append(one.value)
        assert one.seeds[0] in PROBED
    assert set(found) == {entry.name for entry in CANDIDATES}
    assert rare_sets.kept(found) == [entry.name for entry in SETS]
    assert 7 <= len(SETS) and len({entry.domain for entry in SETS}) == len(SETS)


def test_where_advise_says_yes_generation_is_measured_to_help():
    """The simulated set of which `advise` says yes: real + synthetic beats real windows alone."""
    grid = grid_of(read_records(CANDIDATES_FILE.with_name("augment-simulated.jsonl")), ())["auroc"]
    assert {advise(drawn(SIMULATED, seed)[0], seed=seed).verdict for seed in range(2)} == {"yes"}
    gain = difference(
        {name: arms["generation"] for name, arms in grid.items()},
        {name: arms["real only"] for name, arms in grid.items()},
    )
    assert gain.pairs >= 5 and gain.seeds[0] > 0
