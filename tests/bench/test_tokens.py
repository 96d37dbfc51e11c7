"""Do the looks at tokens find what is there, and only that? Is the wide set split honestly?"""

from xml.etree import ElementTree

import numpy as np
import pytest
import torch

from timeloom.bench import tokens
from timeloom.bench.few_sets import LENGTH
from timeloom.bench.token_page import token_map, write_token_page
from timeloom.bench.token_parts import (
    FLOOR,
    GAUSSIAN,
    PERMUTED,
    nearest_share,
    parts_of,
    path_of,
    plane,
    source_of,
    spread_error,
    swapped_losses,
    unseen_windows,
    wide_arm,
    wide_set,
)
from timeloom.bench.tokens import FULL, QUICK, cells_of, run
from timeloom.data.windows import Series, Windows
from timeloom.methods.imagenfew import ImagenFew
from timeloom.metrics.record import Record, read_records, write_records

QUICK_NET = dict(
    width=8, token_width=8, most=4, train_steps=6, batch=8, validations=2, device="cpu",
    sample_steps=3,
)  # fmt: skip


def walks(count=20, length=LENGTH, channels=2, seed=0):
    x = np.random.default_rng(seed).normal(size=(count, length, channels)).cumsum(axis=1)
    return Windows(x.astype(np.float32))


@pytest.fixture(scope="module")
def model():
    """Three sets of two sources; tokens far from 0, so that every one can be told."""
    sets = {"asd-a": walks(seed=1), "asd-b": walks(seed=2), "msl-c": walks(channels=3, seed=3)}
    fitted = ImagenFew(**QUICK_NET).fit(sets)
    rng = torch.Generator().manual_seed(0)
    for parameter in fitted.model_.parameters():
        parameter.data.add_(0.3 * torch.randn(parameter.shape, generator=rng))
    return fitted


def test_sources_are_read_from_the_names_of_the_corpus():
    names = ("smd-machine-1-6", "msl-C-1", "psm_sample", "nab-art_noisy", "emg")
    assert [source_of(name) for name in names] == ["smd", "msl", "psm", "nab", "emg"]


def test_near_sources_are_found_and_far_ones_are_not():
    rng = np.random.default_rng(0)
    sources = ["a"] * 15 + ["b"] * 15
    clouds = rng.normal(size=(30, 4)) + 20 * np.repeat([0, 1], 15)[:, None]
    share, chance = nearest_share(clouds, sources)
    assert share == 1.0 and np.quantile(chance, 0.99) < 1.0 and abs(chance.mean() - 14 / 29) < 0.05
    share, chance = nearest_share(rng.normal(size=(30, 4)), sources)
    assert np.quantile(chance, 0.001) <= share <= np.quantile(chance, 0.999)


def test_what_the_width_alone_explains_is_no_more_than_chance_within_a_width():
    rng = np.random.default_rng(1)
    # Two sources of either width; points know the width and nothing of the source.
    wide = np.repeat([0, 1], 20)
    sources = [f"{w}{i % 2}" for i, w in enumerate(wide)]
    points = rng.normal(size=(40, 3)) + 30 * wide[:, None]
    share, free = nearest_share(points, sources)
    _, within = nearest_share(points, sources, wide.tolist())
    assert free.mean() < 0.3 < 0.4 < within.mean() < 0.6
    assert np.quantile(within, 0.001) <= share <= np.quantile(within, 0.999)


def test_a_set_that_is_alone_in_its_source_is_a_neighbour_only():
    points = np.array([[0.0], [1.0], [1.1], [9.0]])
    share, _ = nearest_share(points, ["a", "a", "b", "c"])
    assert share == 0.5  # of the two of a; the nearest of the second is b
    with pytest.raises(ValueError, match="one source"):
        nearest_share(points, list("abcd"))


def test_a_token_is_the_sum_of_its_two_parts(model):
    whole, learned, described = parts_of(model).values()
    inner = model.model_
    np.testing.assert_allclose(whole, learned + described)
    told = inner.describe(inner.descriptions).detach().numpy()
    np.testing.assert_allclose(described, told, atol=1e-5)
    assert np.abs(learned).max() > 0.1


def test_the_plane_holds_what_varies_most():
    points = np.random.default_rng(0).normal(size=(50, 3)) * [1, 10, 5]
    _, axes, explained = plane(points)
    assert abs(axes[0, 1]) > 0.95 and abs(axes[1, 2]) > 0.95 and axes[0, 1] > 0
    power = np.linalg.eigvalsh(np.cov(points.T))[::-1]
    np.testing.assert_allclose(explained, power[:2] / power.sum())


def test_swapping_asks_for_another_token_and_nothing_else(model):
    windows = walks(seed=9)
    found = swapped_losses(model, windows, "asd-a", {"same": "asd-a", "other": "asd-b"}, 0)
    assert found["same"] == found["own"]
    assert len({found["own"], found["other"], found["none"]}) == 3
    table = model.model_.table
    kept = table.detach().clone()
    try:
        table.data[0] = 0
        again = swapped_losses(model, windows, "asd-a", {"other": "asd-b"}, 0)
    finally:
        table.data.copy_(kept)
    assert again["own"] == again["none"] == found["none"] and again["other"] == found["other"]
    assert swapped_losses(model, windows, "asd-a", {}, 1)["own"] != found["own"]


def test_windows_with_incidents_and_those_in_which_nothing_moves_are_left_out():
    x = np.random.default_rng(0).normal(size=(30 * LENGTH, 2))
    x[LENGTH : 2 * LENGTH] = 1.0
    label = np.zeros(len(x))
    label[3 * LENGTH + 5] = 1
    found = unseen_windows(Series(x[:-5], label[:-5], channels=("u", "v")), ("v",), 12)
    begun = [LENGTH * k for k in range(14) if k not in (1, 3)]
    assert found.shape == (LENGTH, 1) and found.start.tolist() == begun
    np.testing.assert_array_equal(found.x[0, :, 0], x[:LENGTH, 1])
    with pytest.raises(ValueError, match="windows are left"):
        unseen_windows(Series(x[: 5 * LENGTH], channels=("u", "v")), ("u",), 12)


def test_the_path_of_a_token_begins_at_its_description(model):
    kept = model.tokens_["asd-a"].copy()
    few = walks(count=8, seed=4)
    found = path_of(model, few, name="new", steps=3, seed=0)
    new, _ = model.adapting(few, name="new")
    np.testing.assert_allclose(found["ends"][0], new.tokens_["new"], atol=1e-6)
    before, after = found["ends"]
    assert found["moved"] == pytest.approx(np.linalg.norm(after - before)) and found["moved"] > 0
    apart = {name: np.linalg.norm(token - after) for name, token in model.tokens_.items()}
    assert found["after"][0] == min(apart, key=apart.__getitem__)
    assert found["nearest_after"] == pytest.approx(min(apart.values()), rel=1e-4)
    np.testing.assert_array_equal(model.tokens_["asd-a"], kept)


def recordings(channels=4, seed=0):
    x = np.random.default_rng(seed).normal(size=(6000, channels)).cumsum(axis=0)
    x[:, 1] = 7.0
    return [Series(x, name="one"), Series(x[:5990] * 2 + 1, name="two")]


def test_the_wide_set_holds_moving_channels_and_shares_no_time_point():
    real = wide_set(recordings(), 5, 20, 0)
    assert real.few.x.shape == (20, LENGTH, 5)
    assert (real.few.x.std(axis=(0, 1)) > 0).all()
    spans = [
        {int(s) + k for s in part.start for k in range(LENGTH)}
        for part in (real.few, real.floor, real.held_out)
    ]
    assert not spans[0] & spans[1] and not (spans[0] | spans[1]) & spans[2]
    assert len(spans[2]) == len(real.held_out) * LENGTH and len(real.floor) == len(real.held_out)
    whole = np.concatenate([one.values[:5990] for one in recordings()], axis=1)
    at = int(real.held_out.start[3])
    np.testing.assert_allclose(real.held_out.x[3, :, 1], whole[at : at + LENGTH, 2], rtol=1e-5)
    with pytest.raises(ValueError, match="6 do"):
        wide_set(recordings(), 7, 20, 0)


def test_the_gaussian_knows_how_channels_go_together():
    real = wide_set(recordings(), 6, 40, 0)
    made = wide_arm(real, GAUSSIAN, None, 0, 0)
    assert made.shape == real.held_out.x.shape
    # The second recording is the first one, stretched: channel 3 is channel 0 twice and 1.
    np.testing.assert_allclose(made[:, :, 3], 2 * made[:, :, 0] + 1, rtol=1e-3, atol=1e-2)
    assert spread_error(real.few.x, made) < 0.5 < spread_error(real.few.x, 3 * made)
    np.testing.assert_array_equal(wide_arm(real, FLOOR, None, 0, 0), real.floor.x)


def test_the_order_of_channels_is_undone(model):
    real = wide_set(recordings(), 6, 20, 0)
    plain, turned = (wide_arm(real, arm, model, 0, 2) for arm in ("adapted", PERMUTED))
    spreads = [side.std(axis=(0, 1)) for side in (plain, turned, turned[:, :, ::-1])]
    np.testing.assert_allclose(spreads[0], spreads[1], rtol=0.02)
    assert np.abs(spreads[0] - spreads[2]).max() > 0.1 * spreads[0].max()


def test_what_is_noted_is_not_measured_again(model, monkeypatch, tmp_path):
    monkeypatch.setattr(tokens, "_shipped", lambda: model)
    said = list(run(True, tmp_path, only="map"))
    assert len(said) == 4 and "tokens-quick.md" in said[-1]
    whole = (tmp_path / "tokens-quick.jsonl").read_text()
    assert len(list(run(True, tmp_path, only="map"))) == 1
    assert (tmp_path / "tokens-quick.jsonl").read_text() == whole
    shared = list(run(True, tmp_path / "half", "2/3", only="map"))
    assert "map: learned part" in shared[0] and len(shared) == 2
    with pytest.raises(ValueError, match="no cell"):
        list(run(True, tmp_path / "none", only="nothing"))


def test_the_plan_names_every_cell_once(model, monkeypatch, tmp_path):
    monkeypatch.setattr(tokens, "_shipped", lambda: model)
    for plan, runs in ((FULL, None), (FULL, tmp_path), (QUICK, None)):
        names = [cell[:3] for cell in cells_of(plan, runs)]
        assert len(set(names)) == len(names)
    there = {cell[:2] for cell in cells_of(FULL, tmp_path)}
    assert ("wide: 152 channels", "padded") in there
    assert ("wide: 8 channels", "padded") not in there


def test_a_variant_without_a_run_folder_is_said(model, monkeypatch, tmp_path):
    monkeypatch.setattr(tokens, "_shipped", lambda: model)
    monkeypatch.setattr(tokens, "_tests", lambda source: dict(enumerate(recordings(40))))
    monkeypatch.setattr(tokens, "FULL", FULL._replace(seeds=1, channels=(38,)))
    data, arms = "wide: 38 channels", (FLOOR, GAUSSIAN, "adapted")
    known = [Record("two_sample_auc", 0.5, method=arm, data=data, seeds=(0,)) for arm in arms]
    write_records(tmp_path / "tokens.jsonl", known)
    said = list(run(folder=tmp_path, runs=tmp_path, only="wide"))
    assert len(said) == 3 and read_records(tmp_path / "tokens.jsonl") == known
    for line, name in zip(said[:2], ("dynamic", "padded"), strict=True):
        assert f"no finished run folder {name!r}" in line


def swapped(word, value, seed, name="asd-a"):
    return Record("loss", value, method=word, data=f"swap: {name}", seeds=(seed,))


def test_the_page_says_what_the_records_say(tmp_path):
    records = [
        swapped(word, value + 0.01 * seed, seed, name)
        for word, value in (("own", 1.0), ("sibling", 1.1), ("unrelated", 1.5), ("none", 0.9))
        for seed in range(3)
        for name in ("asd-a", "asd-b", "smd-c")
    ]
    write_records(tmp_path / "tokens.jsonl", records)
    planned = [("swap: asd-a", "own", 0), ("swap: asd-a", "own", 3), ("wide: 8", "floor", 0)]
    page = write_token_page(tmp_path / "tokens.jsonl", planned).read_text()
    assert "| swap | 2 | 1 |" in page and "| wide | 1 | 0 |" in page
    said = next(line for line in page.splitlines() if line.startswith("Denoising loss"))
    assert "against sibling helps" in said and "against none harms" in said
    (row,) = [line for line in page.splitlines() if line.startswith("| all | unrelated")]
    ratio = np.exp(np.mean([np.log((1.5 + k) / (1 + k)) for k in (0, 0.01, 0.02)])) - 1
    assert "+0.5000" in row and f"{ratio:+.1%}" in row and "3 of 3" in row
    assert "Many channels" not in page and not (tmp_path / "tokens.svg").exists()


def test_the_map_is_a_picture_with_every_set_in_it():
    places = {"asd-a": [0.0, 0.0], "asd-<b>": [1.0, 2.0], "smd-c": [-1.0, 1.0]}
    tree = ElementTree.fromstring(token_map(places, {"new": [[0, 0], [3, 0]]}, 0.5))
    titles = {node.text for node in tree.iter("{http://www.w3.org/2000/svg}title")}
    assert {"asd-a", "asd-<b>", "smd-c"} <= titles
    (way,) = tree.iter("{http://www.w3.org/2000/svg}path")
    assert way.get("d").startswith("M")
    marks = list(tree.iter("{http://www.w3.org/2000/svg}circle"))
    assert all(0 <= float(m.get("cx")) <= 760 and 0 <= float(m.get("cy")) <= 520 for m in marks)


def test_records_of_a_quick_run_come_back(model, monkeypatch, tmp_path):
    monkeypatch.setattr(tokens, "_shipped", lambda: model)
    list(run(True, tmp_path, only="map: token"))
    share, within, near, area = read_records(tmp_path / "tokens-quick.jsonl")
    assert (share.metric, within.metric) == ("same_source", "same_source_and_width")
    assert 0 < near.value < 1
    assert set(area.settings["places"]) == set(model.sets_) and 0 < area.value <= 1
    assert (tmp_path / "tokens-quick.svg").exists()
