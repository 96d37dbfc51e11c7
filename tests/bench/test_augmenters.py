"""Do copies stay copies, do lines stay between windows of one class, is noise as large as said?"""

from dataclasses import replace

import numpy as np
import pytest

from timeloom.bench.augmenters import interpolated, jittered, oversampled, warped
from timeloom.data.windows import Windows

EVERY = (oversampled, interpolated, jittered, warped)


@pytest.fixture
def train(rng):
    x = np.cumsum(rng.standard_normal((30, 16, 2)), axis=1) * [1, 1e4]
    return Windows(x, np.repeat([0, 1], [24, 6]), label_name="rare")


@pytest.mark.parametrize("make", EVERY)
def test_as_many_windows_of_each_class_come_as_are_wanted(make, train):
    before = train.x.copy()
    made = make(train, {1: 18, 0: 3}, 0)
    assert np.bincount(made.y).tolist() == [3, 18] and made.shape == train.shape
    assert len(np.unique(made.series)) == 21 and made.label_name == "rare"
    np.testing.assert_array_equal(before, train.x)


@pytest.mark.parametrize("make", EVERY)
def test_another_seed_gives_other_windows_and_the_same_seed_the_same(make, train):
    first, again, other = (make(train, {1: 9}, seed).x for seed in (0, 0, 1))
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)


def test_copies_are_windows_of_the_class(train):
    made = oversampled(train, {1: 40}, 0)
    own = {one.tobytes() for one in train.x[train.y == 1]}
    assert {one.tobytes() for one in made.x} == own  # all six are drawn in forty times


def test_a_line_joins_a_window_and_one_of_its_nearest_of_the_same_class(train):
    k = 2
    made = interpolated(train, {1: 25}, 0, neighbours=k)
    own = train.x[train.y == 1] / [1, 1e4]  # near in units of the spread: both channels count
    for new in made.x / [1, 1e4]:
        fits = []
        for i, a in enumerate(own):
            order = np.argsort([np.square(a - b).mean() for b in own])
            for b in own[[j for j in order if j != i][:k]]:
                share = np.sum((new - a) * (b - a)) / np.sum((b - a) ** 2)
                on = np.allclose(new, a + share * (b - a), atol=1e-6)
                fits.append(on and -1e-9 <= share <= 1 + 1e-9)
        assert any(fits)


def test_both_channels_decide_who_is_near_whatever_their_units(train):
    usual = interpolated(train, {1: 10}, 0)
    scaled = interpolated(replace(train, x=train.x * [1e6, 1e-3]), {1: 10}, 0)
    np.testing.assert_allclose(scaled.x, usual.x * [1e6, 1e-3], rtol=1e-9, atol=1e-9)


def test_a_class_of_one_window_gives_copies_of_it(train):
    alone = train[np.flatnonzero(train.y == 1)[:1]]
    np.testing.assert_array_equal(interpolated(alone, {1: 3}, 0).x, np.repeat(alone.x, 3, axis=0))


def test_jitter_is_as_large_as_said_in_every_channel():
    x = np.ones((1, 4000, 2)) * [0, 5]
    x[0, ::2] += [1, 100]
    x[0, 1::2] -= [1, 100]
    made = jittered(Windows(x, np.array([1])), {1: 60}, 0).x
    size = made.std(axis=1) / [1, 100]
    assert np.std(size, axis=0) == pytest.approx([0.1, 0.1], rel=0.35)
    assert np.mean(size) == pytest.approx(1, abs=0.06)
    factor = (made[:, ::2].mean(axis=1) - made[:, 1::2].mean(axis=1)) / [2, 200]
    left = made - np.where(np.arange(4000)[:, None] % 2, -1, 1) * (factor * [1, 100])[:, None]
    assert left.std(axis=1).mean(axis=0) / [1, 100] == pytest.approx([0.05, 0.05], rel=0.05)


def test_another_pace_keeps_the_ends_and_the_order_of_a_rising_window():
    rising = np.linspace(0, 1, 40)[None, :, None] ** 2
    made = warped(Windows(rising, np.array([1])), {1: 20}, 0).x[:, :, 0]
    np.testing.assert_allclose(made[:, [0, -1]], np.tile([0.0, 1.0], (20, 1)), atol=1e-12)
    assert (np.diff(made, axis=1) >= 0).all() and made.std(axis=0).max() > 0.01


@pytest.mark.parametrize("make", EVERY)
def test_a_class_that_is_not_there_is_refused(make, train):
    with pytest.raises(ValueError, match="hold none"):
        make(train, {2: 4}, 0)
