import numpy as np
import pytest

from timeloom.data.windows import Series, Windows, cut
from timeloom.methods.prepare import bridge, check_fit, hold_out, leading_spread


def test_a_gap_is_bridged_by_a_straight_line_and_ends_by_their_neighbour():
    x = np.array([np.nan, 1.0, np.nan, np.nan, 4.0, np.nan])[None, :, None]
    assert bridge(x)[0, :, 0].tolist() == [1, 1, 2, 3, 4, 4]


def test_a_channel_without_any_value_becomes_the_mean():
    x = np.stack([np.full(4, np.nan), np.arange(4.0)], axis=1)[None]
    assert bridge(x)[0].tolist() == [[0, 0], [0, 1], [0, 2], [0, 3]]


def test_bridging_equals_interpolation_channel_by_channel(rng):
    x = rng.normal(size=(5, 20, 3))
    x[rng.random(x.shape) < 0.6] = np.nan
    got = bridge(x)
    for w in range(5):
        for c in range(3):
            there = np.flatnonzero(~np.isnan(x[w, :, c]))
            want = np.interp(np.arange(20), there, x[w, there, c]) if len(there) else np.zeros(20)
            np.testing.assert_allclose(got[w, :, c], want, atol=1e-12)


def test_no_series_stands_on_both_sides_of_the_held_out_part(rng):
    windows = cut([Series(rng.normal(size=(30, 2))) for _ in range(10)], 10)
    kept, held_out = hold_out(windows, 0.2, 0)
    assert not set(kept.series) & set(held_out.series)
    assert len(kept) + len(held_out) == len(windows)


def test_one_long_series_is_held_out_at_its_end(rng):
    kept, held_out = hold_out(cut(Series(rng.normal(size=(200, 2))), 10), 0.2, 0)
    assert kept.start.max() + 10 <= held_out.start.min() - 9


def test_too_few_windows_hold_nothing_out(rng):
    kept, held_out = hold_out(Windows(rng.normal(size=(3, 10, 2))), 0.1, 0)
    assert held_out is None and len(kept) == 3


@pytest.mark.parametrize(
    ("spoil", "sentence"),
    [
        (lambda x: x[:1], "at least 2 windows; got 1"),
        (lambda x: np.where(np.arange(2) == 1, 7.0, x), "channel 'c1' is always 7"),
        (lambda x: np.where(np.arange(2) == 1, np.nan, x), "channel 'c1' is NaN in all 6 windows"),
        (lambda x: np.where(x == x.max(), np.inf, x), "holds inf"),
    ],
)
def test_what_cannot_be_learned_from_is_refused(spoil, sentence, rng):
    with pytest.raises(ValueError, match=sentence):
        check_fit(Windows(spoil(rng.normal(size=(6, 10, 2)))))


def test_the_leading_spread_is_that_of_the_largest_principal_component(rng):
    x = rng.normal(size=(500, 8, 3)) + 2 * rng.normal(size=(500, 1, 1))
    flat = x.reshape(500, -1)
    largest = np.linalg.eigvalsh(np.cov(flat.T, bias=True))[-1] ** 0.5
    assert abs(leading_spread(x) / largest - 1) < 1e-3
