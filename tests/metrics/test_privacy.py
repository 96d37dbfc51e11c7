"""Are copies found, moved and noisy ones too, and is new data left in peace?"""

from dataclasses import replace

import numpy as np
import pytest

from tests import naive_metrics as naive
from tests import naive_privacy as slow
from timeloom.data.sets import load_dataset
from timeloom.data.windows import cut
from timeloom.evaluation import evaluate_rows
from timeloom.metrics import privacy
from timeloom.metrics.privacy import (
    authenticity,
    closest_pairs,
    distances,
    local_membership_auc,
    membership_auc,
    memorised_share,
    near_copy_share,
    nearest_distances,
    nearest_neighbour_ratio,
    novelty,
)

NAMES = [metric.name for metric in privacy.METRICS if metric.default]


@pytest.fixture(autouse=True)
def no_answers_of_other_tests():
    distances._answers.clear()


def sample(count, seed):
    return np.random.default_rng(seed).normal([1, 1000], [0.1, 50], (count, 6, 2))


def walks(count, seed, time=16):
    return np.cumsum(np.random.default_rng(seed).normal(size=(count, time, 2)), axis=1)


def test_the_ratio_equals_its_slow_version():
    sides = sample(15, 0), sample(20, 1), sample(11, 2)
    np.testing.assert_allclose(
        nearest_neighbour_ratio(*sides), naive.nearest_neighbour_ratio(*sides), rtol=1e-4
    )


def test_copies_have_ratio_zero_exactly_and_new_windows_about_one():
    train, held_out = sample(300, 0), sample(200, 1)
    assert nearest_neighbour_ratio(train[::-1][:100], train, held_out) == 0
    assert nearest_neighbour_ratio(sample(200, 2), train, held_out) == pytest.approx(1, abs=0.05)


def test_the_share_of_near_copies_equals_its_slow_version():
    train = sample(20, 1)
    sides = np.concatenate([sample(15, 0), train[:4]]), train, sample(11, 2)
    assert near_copy_share(*sides) == pytest.approx(naive.near_copy_share(*sides))
    assert near_copy_share(*sides) >= 4 / 19


def test_a_fifth_of_copies_moves_the_share_and_hardly_the_ratio():
    train, held_out, new = sample(300, 0), sample(300, 1), sample(300, 2)
    mixed = np.concatenate([train[:60], new[:240]])
    assert near_copy_share(mixed, train, held_out) == pytest.approx(0.2, abs=0.04)
    assert near_copy_share(new, train, held_out) == pytest.approx(0.01, abs=0.02)
    assert near_copy_share(train, train, held_out) == 1
    assert nearest_neighbour_ratio(mixed, train, held_out) > 0.9


def test_the_ratio_grows_with_the_noise_on_copies():
    train, held_out = sample(200, 0), sample(100, 1)
    noise = np.random.default_rng(2).normal(0, train.std((0, 1)), train.shape)
    ratios = [nearest_neighbour_ratio(train + s * noise, train, held_out) for s in (0.01, 0.1, 0.4)]
    assert 0 < ratios[0] < ratios[1] < ratios[2] < 1


@pytest.mark.parametrize("shifts", [0, 1, 3])
@pytest.mark.parametrize("gaps", [False, True])
def test_distances_over_moves_equal_their_slow_version(shifts, gaps):
    one, other = walks(12, 0), walks(17, 1)
    if gaps:
        rng = np.random.default_rng(2)
        one[rng.random(one.shape) < 0.2] = np.nan
        other[rng.random(other.shape) < 0.2] = np.nan
    found = nearest_distances(one, other, shifts)
    np.testing.assert_allclose(found, slow.nearest(one, other, shifts), rtol=1e-4)


def test_both_directions_come_from_one_search():
    one, other = distances.prepare(walks(13, 0), walks(9, 1), by=walks(9, 1))
    there, back = distances.mutual(one, other, 2, both=True)
    again = distances.mutual(other, one, 2)[0]
    np.testing.assert_allclose(back.distance, again.distance, rtol=1e-6)
    np.testing.assert_array_equal(back.shift, again.shift)
    np.testing.assert_array_equal(there.plain, distances.mutual(one, other)[0].distance)


def test_blocks_change_nothing(monkeypatch):
    one, other = walks(50, 0), walks(70, 1)
    whole = nearest_distances(one, other, 2)
    crowded = authenticity(one, other)
    distances._answers.clear()
    for name, size in (("ROWS", 7), ("COLUMNS", 11), ("GATHER", 13)):
        monkeypatch.setattr(distances, name, size)
    np.testing.assert_allclose(nearest_distances(one, other, 2), whole, rtol=1e-6)
    assert authenticity(one, other) == crowded


def test_the_same_pair_of_sets_is_searched_once(monkeypatch):
    synthetic, train, held_out = walks(60, 0), walks(70, 1), walks(50, 2)
    first = novelty.novelty(synthetic, train, held_out)
    monkeypatch.setattr(distances, "_search", None)
    assert novelty.novelty(synthetic.copy(), train.copy(), held_out.copy()) == first
    closest_pairs(synthetic, train)


def test_windows_that_share_hardly_a_point_cannot_be_compared():
    train, one = walks(20, 0), walks(3, 1)
    one[1] = np.nan
    found = nearest_distances(one, train, 1)
    assert np.isnan(found[1]) and np.isfinite(found[[0, 2]]).all()


def test_a_moved_copy_is_found_by_its_moves_alone():
    long = walks(300, 0, time=19)
    train, moved, held_out = long[:, :16], long[:, 3:], walks(200, 1)
    assert np.median(nearest_distances(moved, train)) > 0.3
    assert nearest_distances(moved, train, 3).max() < 1e-5
    assert near_copy_share(moved, train, held_out, shifts=3) == 1


def test_authenticity_and_memory_equal_their_slow_versions():
    recording = np.cumsum(np.random.default_rng(0).normal(size=(60, 2)), axis=0)
    train = np.stack([recording[at : at + 8] for at in range(52)])
    train = np.concatenate([train, walks(20, 3, time=8)])
    synthetic = np.concatenate([walks(20, 4, time=8), train[10:14] + 0.01])
    assert authenticity(synthetic, train) == pytest.approx(slow.authenticity(synthetic, train))
    found = memorised_share(synthetic, train, shifts=2)
    assert found == pytest.approx(slow.memorised_share(synthetic, train, 2))
    assert found >= 4 / 24


def test_overlapping_neighbours_do_not_make_copies_authentic():
    rng = np.random.default_rng(0)
    recording = np.cumsum(rng.normal(size=(400, 2)), axis=0)
    train = np.stack([recording[at : at + 16] for at in range(384)])
    copies = train[::4] + rng.normal(0, 0.02, train[::4].shape) * train.std((0, 1))
    assert authenticity(copies, train) < 0.02
    assert memorised_share(copies, train) > 0.9


def test_training_windows_of_one_place_give_no_authenticity():
    train = np.repeat(walks(1, 0), 30, axis=0)
    assert np.isnan(authenticity(walks(30, 1), train + 0.0))


@pytest.mark.parametrize("attack", [membership_auc, local_membership_auc])
def test_an_attack_tells_members_of_copies_and_nothing_of_new_windows(attack):
    train, held_out, new = walks(300, 0), walks(300, 1), walks(300, 2)
    leaking = attack(train + 0.01, train, held_out)
    honest = attack(new, train, held_out)
    assert leaking.low > 0.95
    assert honest.low <= 0.5 <= honest.high and honest.high - honest.low < 0.2


def test_the_membership_auc_equals_its_slow_version():
    synthetic, train, held_out = walks(14, 0), walks(20, 1), walks(11, 2)
    synthetic[:5] = train[:5]
    spread = train.std((0, 1))
    sides = [
        [-min(slow.distance(w / spread, s / spread, 3)[0] for s in synthetic) for w in side]
        for side in (train, held_out)
    ]
    assert membership_auc(synthetic, train, held_out).value == pytest.approx(slow.auc(*sides))


def test_an_interval_widens_where_windows_share_recordings():
    train, held_out, new = walks(300, 0), walks(300, 1), walks(300, 2)
    held_out += np.repeat(np.random.default_rng(5).normal(0, 3, (10, 1, 2)), 30, axis=0)
    groups = np.arange(300) // 30, np.arange(300)
    alone = membership_auc(new, train, held_out, (np.arange(300), groups[1]))
    joint = membership_auc(new, train, held_out, groups)
    assert joint.value == alone.value
    assert joint.high - joint.low > alone.high - alone.low


def test_the_gallery_shows_each_training_window_once_the_closest_first():
    train, held_out = walks(80, 0, time=19), walks(60, 1)
    copies = np.concatenate([train[[3, 3, 3, 7], 2:18], walks(40, 2)])
    pairs = closest_pairs(copies, train[:, :16], 5, held_out=held_out)
    assert [pair.train for pair in pairs[:2]] == [3, 7] or [p.train for p in pairs[:2]] == [7, 3]
    assert [pair.shift for pair in pairs[:2]] == [-2, -2]
    assert len({pair.train for pair in pairs}) == len({pair.synthetic for pair in pairs}) == 5
    assert sorted(pair.distance for pair in pairs) == [pair.distance for pair in pairs]
    assert pairs[0].ratio < 1e-4 and pairs[-1].ratio > 0.3
    assert np.isnan(closest_pairs(copies, train[:, :16])[0].ratio)


def test_many_training_windows_are_all_searched_for_a_draw_of_the_others(monkeypatch):
    monkeypatch.setattr(novelty, "PAIRS", 1000)
    monkeypatch.setattr(novelty, "FEWEST", 40)
    train, held_out = walks(500, 0), walks(100, 1)
    found = novelty.novelty(train[-100:], train, held_out)
    assert found.ratio == 0 and found.memorised == 1


def test_gaps_are_left_out_and_identical_held_out_windows_give_no_figure():
    train = sample(30, 0)
    train[3, 2, 1] = np.nan
    assert np.isfinite(nearest_neighbour_ratio(sample(20, 1), train, sample(20, 2)))
    assert np.isnan(nearest_neighbour_ratio(sample(20, 1), train, train))
    assert np.isnan(near_copy_share(sample(20, 1), train, train))


@pytest.fixture(scope="module")
def engines():
    """Training, held-out and fresh windows of three sets of engines."""
    windows = cut(load_dataset("cmapss_fd001")[0], 24, 12)
    which = windows.series % 4
    train, real, fresh = windows[which < 2], windows[which == 2], windows[which == 3]
    return train, real, fresh


def planted(engines, kind):
    """Fresh windows with a fault, each handed out as a recording of its own."""
    train, _, fresh = engines
    rng = np.random.default_rng(0)
    copies = train.x[rng.choice(len(train), len(fresh), replace=False)]
    x = {"real": fresh.x, "copies": copies}.get(kind, copies.copy())
    noise = np.nanstd(train.x, axis=(0, 1)) * rng.standard_normal(x.shape)
    if kind == "noise":
        x += 0.02 * noise
    elif kind == "moved":
        x[:, 2:], x[:, :2] = copies[:, :-2], copies[:, :1] + 0.5 * noise[:, :2]
    elif kind == "some":
        x = fresh.x.copy()
        x[: len(x) // 20] = copies[: len(x) // 20]
    return replace(fresh, x=x, series=np.arange(len(x)), start=np.zeros(len(x), dtype=np.int64))


@pytest.mark.parametrize(
    ("kind", "rows"),
    [
        ("copies", NAMES),
        ("noise", NAMES),
        ("moved", ["shifted_neighbour_ratio", "shifted_copy_share", "memorised_share"]),
        ("some", ["memorised_share"]),
    ],
)
def test_copies_of_real_windows_are_failed_by_the_rows_that_name_them(engines, kind, rows):
    train, real, _ = engines
    found = evaluate_rows(
        real, planted(engines, kind), train, seeds=(0, 1), limit=300, metrics=rows
    )
    verdicts = {row.metric: row.verdict for row in found}
    assert verdicts == dict.fromkeys(rows, "fail")


def test_no_row_fails_unseen_real_windows(engines):
    train, real, fresh = engines
    found = evaluate_rows(real, fresh, train, seeds=(0, 1), limit=300, metrics=NAMES)
    verdicts = {row.metric: row.verdict for row in found}
    assert set(verdicts) == set(NAMES) and "fail" not in verdicts.values(), verdicts


def test_shares_of_near_copies_ask_for_a_hundred_windows_and_other_rows_for_what_they_did():
    smallest = {metric.name: metric.smallest for metric in privacy.METRICS}
    assert smallest["near_copy_share"] == smallest["shifted_copy_share"] == 100
    assert smallest["nearest_neighbour_ratio"] == smallest["shifted_neighbour_ratio"] == 10
    assert smallest["authenticity"] == smallest["memorised_share"] == 50
