"""Is nothing held out seen, are few windows those that were promised, is every draw repeatable?"""

import numpy as np
import pytest

from timeloom.bench.few_sets import (
    COUNTS,
    HELD_OUT,
    LENGTH,
    LONGEST_GAP,
    PROTOCOLS,
    SETS,
    SHARES,
    blocks,
    few,
    load,
)
from timeloom.data.windows import Series, Windows, cut


def keys(windows):
    return {one.tobytes() for one in windows.x}


def points(windows):
    """Every time point that some window covers."""
    return np.unique(windows.start[:, None] + np.arange(windows.shape[0]))


def of_blocks(count=4, size=60):
    """Windows of a few blocks of one series, 100 time points from one beginning to the next."""
    parts = []
    for k in range(count):
        values = np.arange(100 * k, 100 * k + size, dtype=float)[:, None]
        parts.append(cut(Series(values), 8))
    x = np.concatenate([one.x for one in parts])
    series = np.repeat(np.arange(count), [len(one) for one in parts])
    start = np.concatenate([one.start + 100 * k for k, one in enumerate(parts)])
    return Windows(x, None, series, start)


@pytest.mark.parametrize("name", SETS)
def test_no_time_point_and_no_window_is_in_both_parts(data_folder, name):
    train, held_out = load(name)
    assert train.shape == held_out.shape and train.shape[0] == LENGTH
    assert np.isfinite(train.x).all() and np.isfinite(held_out.x).all()
    assert 0 < len(held_out) <= HELD_OUT
    if name in ("sine", "ecg200"):  # recordings of their own
        assert not keys(train) & keys(held_out)
        return
    one, other = points(train), points(held_out)
    nearest = np.searchsorted(one, other).clip(1, len(one) - 1)
    apart = np.minimum(np.abs(one[nearest] - other), np.abs(other - one[nearest - 1]))
    assert apart.min() > LENGTH


@pytest.mark.parametrize("name", SETS)
@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_the_few_are_training_windows(data_folder, name, protocol):
    train, _ = load(name)
    for count in (*COUNTS, *(SHARES if protocol == "random" else ())):
        if name == "ili" and protocol == "first" and count > 10:
            with pytest.raises(ValueError, match="gives 1 to 15"):
                few(train, count, 0, protocol)
            continue
        chosen = few(train, count, 0, protocol)
        assert len(chosen) == (int(count * len(train)) if count < 1 else count)
        assert keys(chosen) <= keys(train)


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_the_seed_alone_says_which_few(protocol):
    train = of_blocks()
    first, again = few(train, 5, 3, protocol), few(train, 5, 3, protocol)
    assert first.start.tolist() == again.start.tolist()
    assert len({few(train, 5, seed, protocol).start.tobytes() for seed in range(12)}) > 1


def test_the_first_time_points_follow_each_other_without_overlap():
    train = of_blocks()
    for seed in range(8):
        chosen = few(train, 10, seed, "first")
        begun = chosen.series[0]
        # 60 time points hold seven windows of eight; the next block goes on, the last by the first.
        assert chosen.series.tolist() == [begun] * 7 + [(begun + 1) % 4] * 3
        expected = [100 * begun + 8 * k for k in range(7)]
        expected += [100 * ((begun + 1) % 4) + 8 * k for k in range(3)]
        assert chosen.start.tolist() == expected


def test_windows_without_an_order_in_time_are_drawn_at_random_under_both_protocols():
    train = Windows(np.random.default_rng(0).normal(size=(40, 8, 1)))
    one, other = (few(train, 12, 5, protocol) for protocol in PROTOCOLS)
    assert one.series.tolist() == other.series.tolist()


def test_too_many_are_said_with_the_number_that_is_there():
    with pytest.raises(ValueError, match="29 windows were asked for; .* gives 1 to 28"):
        few(of_blocks(), 29, 0, "first")
    with pytest.raises(ValueError, match="500 windows were asked for; .* gives 1 to 212"):
        few(of_blocks(), 500, 0)


def test_unknown_names_are_said():
    with pytest.raises(ValueError, match="must be one of weather"):
        load("wether")
    with pytest.raises(ValueError, match="must be one of random, first"):
        few(of_blocks(), 5, 0, "last")


def test_blocks_lie_a_window_apart_and_cover_the_series():
    found = blocks(Series(np.arange(7000.0)[:, None]), 24)
    assert len(found) % 2 == 0
    ends = [at + len(block) for at, block in found]
    assert {at - end for (at, _), end in zip(found[1:], ends, strict=False)} == {24}
    assert found[0][0] == 0 and 7000 - ends[-1] < len(found)
    assert all(block.values[0, 0] == at for at, block in found)


def test_a_series_that_is_too_short_says_how_long_it_must_be():
    with pytest.raises(ValueError, match="need 456 time points or more for windows of 24"):
        blocks(Series(np.zeros((400, 1)), name="short"), 24)


def test_short_gaps_are_filled_from_within_the_block_alone():
    values = np.arange(4000.0)[:, None]
    (_, first), *_ = blocks(Series(values), 24)
    size = len(first)
    holes = values.copy()
    holes[10 : 10 + LONGEST_GAP] = np.nan  # filled
    holes[40 : 41 + LONGEST_GAP] = np.nan  # too long
    holes[size - 2 : size] = np.nan  # the block ends before the gap does
    (_, found), *_ = blocks(Series(holes), 24)
    unknown = np.flatnonzero(np.isnan(found.values[:, 0]))
    assert unknown.tolist() == [*range(40, 41 + LONGEST_GAP), size - 2, size - 1]
    assert np.allclose(found.values[:30, 0], values[:30, 0])


def test_sines_are_those_of_the_formula():
    train, held_out = load("sine")
    assert train.x.shape == (10_000, 24, 6) and len(held_out) == 1_000
    # Up to time point 13 every angle f t + p stays below a quarter turn.
    angle = np.arcsin(np.clip(2 * train.x[:, :14].astype(np.float64) - 1, -1, 1))
    rate, phase = (angle[:, 13] - angle[:, 0]) / 13, angle[:, 0]
    assert np.abs(angle - rate[:, None] * np.arange(14)[:, None] - phase[:, None]).max() < 1e-3
    for drawn in (rate, phase):
        low, middle, high = np.quantile(drawn, (0, 0.5, 1))
        assert -1e-3 < low < 1e-3 and 0.049 < middle < 0.051 and 0.099 < high < 0.101
