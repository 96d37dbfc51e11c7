"""Are copies found, and is new data left in peace?"""

import numpy as np
import pytest

from tests import naive_metrics as naive
from timeloom.metrics import privacy
from timeloom.metrics.privacy import near_copy_share, nearest_distances, nearest_neighbour_ratio


def sample(count, seed):
    return np.random.default_rng(seed).normal([1, 1000], [0.1, 50], (count, 6, 2))


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


def test_blocks_change_nothing(monkeypatch):
    one, other = sample(50, 0), sample(70, 1)
    whole = nearest_distances(one, other)
    monkeypatch.setattr(privacy, "BLOCK", 200)
    np.testing.assert_allclose(nearest_distances(one, other), whole, rtol=1e-6)


def test_gaps_are_taken_and_identical_held_out_windows_give_no_figure():
    train = sample(30, 0)
    train[3, 2, 1] = np.nan
    assert np.isfinite(nearest_neighbour_ratio(sample(20, 1), train, sample(20, 2)))
    assert np.isnan(nearest_neighbour_ratio(sample(20, 1), train, train))
    assert np.isnan(near_copy_share(sample(20, 1), train, train))
