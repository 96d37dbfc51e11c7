"""Daily prices: into logarithms and back, labels by what follows, parts that share no day."""

from dataclasses import replace

import numpy as np
import pytest

from timeloom.data.market import (
    extreme_edges,
    forward_returns,
    last_days,
    market_split,
    market_windows,
)
from timeloom.data.prices import from_log_prices, price_places, to_log_prices
from timeloom.data.windows import Series, Windows

NAMES = ("open", "high", "low", "close", "volume")


def company(rng, days=400, level=50.0, first="2013-02-08", swing=0.02, name="A"):
    close = level * np.exp(np.cumsum(swing * rng.normal(size=days)))
    start = close * np.exp(0.005 * rng.normal(size=days))
    high = np.maximum(start, close) * (1 + 0.01 * rng.random(days))
    low = np.minimum(start, close) * (1 - 0.01 * rng.random(days))
    volume = np.round(np.exp(rng.normal(13, 1, size=days)))
    time = np.busday_offset(first, np.arange(days), roll="forward").astype("datetime64[s]")
    return Series(np.stack([start, high, low, close, volume], axis=1), None, name, NAMES, time)


def market(rng, count=6, **given):
    return [company(rng, name=f"C{i}", **given) for i in range(count)]


def test_there_and_back_is_the_same_at_ten_and_at_a_million(rng):
    for level in (1e1, 1e6):
        windows = market_windows([company(rng, level=level)])
        windows.x[:, :, 4] *= level
        made, anchors = to_log_prices(windows)
        assert made.x.dtype == np.float64 and np.abs(made.x[:, :, :4]).max() < 1
        np.testing.assert_allclose(from_log_prices(made, anchors).x, windows.x, rtol=1e-6)
        np.testing.assert_allclose(made.x[:, 0, 3], 0, atol=1e-12)


def test_logarithms_are_those_of_the_formula_whatever_the_order_of_channels(rng):
    windows = market_windows([company(rng)])
    order = [4, 3, 1, 0, 2]
    names = tuple(NAMES[c].title() for c in order)
    other = replace(windows, x=windows.x[:, :, order], channels=names)
    made, anchors = to_log_prices(other)
    assert made.channels == names and price_places(names)["close"] == 1
    w, t = 3, 7
    assert made.x[w, t, 2] == pytest.approx(np.log(windows.x[w, t, 1] / windows.x[w, 0, 3]))
    assert made.x[w, t, 0] == pytest.approx(np.log(1 + windows.x[w, t, 4]))
    np.testing.assert_array_equal(anchors, windows.x[:, 0, 3])


def test_no_volume_and_other_channels_pass_and_gaps_stay_gaps(rng):
    x = np.abs(rng.normal(size=(4, 6, 3))) + 1
    x[1, 2, 0] = np.nan
    windows = Windows(x, [1, 0, 1, 0], [0, 0, 1, 1], [0, 6, 0, 6], ("close", "news", "volume"))
    made, anchors = to_log_prices(windows)
    np.testing.assert_array_equal(made.x[:, :, 1], x[:, :, 1])
    back = from_log_prices(made, anchors)
    np.testing.assert_allclose(back.x, x, rtol=1e-12)
    for name in ("y", "series", "start"):
        np.testing.assert_array_equal(getattr(back, name), getattr(windows, name))
    only = Windows(x[:, :, :1], channels=("close",))
    np.testing.assert_allclose(from_log_prices(*to_log_prices(only)).x, only.x, rtol=1e-12)


def test_one_anchor_serves_for_all_made_windows(rng):
    made, _ = to_log_prices(market_windows([company(rng)]))
    np.testing.assert_allclose(from_log_prices(made).x[:, 0, 3], 1.0)
    np.testing.assert_allclose(from_log_prices(made, 20.0).x[:, 0, 3], 20.0)


def spoiled(x, at, value):
    x = x.copy()
    x[at] = value
    return Windows(x, channels=NAMES)


def test_what_is_no_price_is_refused(rng):
    x = market_windows([company(rng)]).x
    with pytest.raises(ValueError, match="prices must be above 0.*window 2"):
        to_log_prices(spoiled(x, (2, 3, 0), 0.0))
    with pytest.raises(ValueError, match="volumes at least 0; window 1"):
        to_log_prices(spoiled(x, (1, 3, 4), -1.0))
    with pytest.raises(ValueError, match="close on its first day; window 4"):
        to_log_prices(spoiled(x, (4, 0, 3), np.nan))
    with pytest.raises(ValueError, match="must be called close"):
        to_log_prices(Windows(x))
    with pytest.raises(ValueError, match="must be called close"):
        from_log_prices(Windows(x))
    with pytest.raises(ValueError, match=r"anchors must be one first close.*got shape \(2,\)"):
        from_log_prices(Windows(x, channels=NAMES), [1.0, 2.0])
    with pytest.raises(ValueError, match="anchors .* least 0"):
        from_log_prices(Windows(x, channels=NAMES), 0.0)
    with pytest.raises(ValueError, match="one channel at most may be called close"):
        price_places(("close", "Close"))


def test_a_window_is_labelled_by_the_close_five_days_after_its_last(rng):
    series = market(rng, days=150)
    for length, stride, horizon in ((24, 24, 5), (10, 3, 1)):
        windows = market_windows(series, length=length, stride=stride, horizon=horizon)
        assert windows.label_name == "direction"
        for w in range(len(windows)):
            one, start = series[windows.series[w]].values, windows.start[w]
            np.testing.assert_array_equal(windows.x[w], one[start : start + length])
            last = start + length - 1
            assert windows.y[w] == int(one[last + horizon, 3] > one[last, 3])


def test_companies_begin_on_different_days_unless_that_is_not_wanted(rng):
    series = market(rng, 30, days=150)
    together = market_windows(series, stagger=False)
    assert len(np.unique(last_days(series, together))) == 6
    apart = market_windows(series)
    assert len(np.unique(last_days(series, apart))) > 100
    first = [apart.start[apart.series == i].min() for i in range(30)]
    assert first == [i % 24 for i in range(30)]
    # Nobody is lost for want of room to begin later.
    short = [replace(one, values=one.values[:31], time=one.time[:31]) for one in series]
    assert np.bincount(market_windows(short).series).tolist() == [1] * 30


def test_days_that_are_not_there_make_no_window(rng):
    whole = company(rng, days=60)
    assert market_windows([whole], stride=1).start.tolist() == list(range(60 - 24 - 5 + 1))
    for place, value in (((30, 3), np.nan), ((30, 0), np.nan), ((30, 1), 0.0), ((30, 4), -1.0)):
        values = whole.values.copy()
        values[place] = value
        start = market_windows([replace(whole, values=values)], stride=1).start
        ahead = {2} if place[1] == 3 else set()  # the label of window 2 looks at that close
        assert set(range(32)) - set(start.tolist()) == {*range(7, 31), *ahead}
    later = whole.time.copy()
    later[40:] += np.timedelta64(30, "D")
    start = market_windows([replace(whole, time=later)], stride=1).start
    assert start.tolist() == list(range(40 - 24 - 5 + 1))
    with pytest.raises(ValueError, match="no series holds 29 sound days on end"):
        market_windows([replace(whole, values=whole.values[:28], time=whole.time[:28])])


def test_extreme_labels_are_the_outer_twentieths_and_the_implausible_is_gone(rng):
    series = market(rng, 40, days=400)
    series[3].values[200:, :4] *= 3  # a merger of shares that the source forgot
    every = market_windows(series)
    after = forward_returns(series, every)
    assert (np.abs(after) > 0.5).sum() <= 1
    windows = market_windows(series, label="extreme")
    assert len(windows) == len(every) - (np.abs(after) > 0.5).sum()
    shares = np.bincount(windows.y) / len(windows)
    np.testing.assert_allclose(shares, [0.05, 0.9, 0.05], atol=0.005)
    low, high = extreme_edges(after)
    own = forward_returns(series, windows)
    np.testing.assert_array_equal(windows.y, np.where(own <= low, 0, np.where(own >= high, 2, 1)))
    given = market_windows(series, label="extreme", edges=(-0.001, 0.001))
    assert np.bincount(given.y)[1] < 0.1 * len(given)


def test_returns_are_those_of_the_closes(rng):
    series = market(rng, 2, days=80)
    windows = Windows(np.zeros((3, 24, 5)), None, [0, 1, 1], [0, 7, 52], NAMES)
    found = forward_returns(series, windows, 5)
    closes = series[1].values[:, 3]
    assert found[1] == pytest.approx(closes[7 + 23 + 5] / closes[7 + 23] - 1)
    assert np.isnan(found).tolist() == [False, False, True]


def parts_of(series, **given):
    return market_split(series, borders=("2013-12-02", "2014-04-01"), **given)


def test_no_day_is_in_two_parts_nor_are_the_days_that_labels_look_at(rng):
    series = market(rng, 30)
    parts = parts_of(series, gap=7)
    dates = []
    for part in parts:
        days = [
            series[i].time[start : start + 24 + 5]
            for i, start in zip(part.series, part.start, strict=True)
        ]
        assert {len(some) for some in days} == {29}
        dates.append(np.concatenate(days))
    for before, after in zip(dates, dates[1:], strict=False):
        assert (after.min() - before.max()) / np.timedelta64(1, "D") > 7
    assert dates[0].max() < np.datetime64("2013-11-25")
    assert dates[1].min() >= np.datetime64("2013-12-02")
    assert dates[2].min() >= np.datetime64("2014-04-01")


def test_windows_of_all_parts_point_into_their_series(rng):
    series = market(rng, 5)
    for part in parts_of(series):
        for x, i, start in zip(part.x, part.series, part.start, strict=True):
            np.testing.assert_array_equal(x, series[i].values[start : start + 24])


def test_the_edges_of_a_split_know_training_windows_only(rng):
    calm = market(rng, 30)
    for one in calm:  # ten times as wild where the test lies
        late = one.time >= np.datetime64("2014-04-01")
        one.values[late, 3] = one.values[late.argmax(), 3] * np.exp(
            np.cumsum(0.03 * rng.normal(size=late.sum()))
        )
    train, _, test = parts_of(calm, label="extreme")
    np.testing.assert_allclose(np.bincount(train.y) / len(train), [0.05, 0.9, 0.05], atol=0.01)
    assert (test.y != 1).mean() > 0.15
    low, high = extreme_edges(forward_returns(calm, train))
    after = forward_returns(calm, test)
    np.testing.assert_array_equal(test.y, np.where(after <= low, 0, np.where(after >= high, 2, 1)))


def test_without_borders_the_parts_are_shares_of_all_days(rng):
    series = market(rng, 10, days=600)
    train, validation, test = market_split(series)
    assert len(train) > 4 * len(validation) > 0 and len(test) > 0


def test_bad_requests_are_refused(rng):
    series = market(rng, 2)
    with pytest.raises(ValueError, match="label must be 'direction' or 'extreme'; got 'up'"):
        market_windows(series, label="up")
    with pytest.raises(ValueError, match="at least 1; got 24, 0, 5"):
        market_windows(series, stride=0)
    with pytest.raises(ValueError, match="no series to cut"):
        market_windows([])
    with pytest.raises(ValueError, match=r"edges must ascend.*got \(0.1, -0.1\)"):
        market_windows(series, label="extreme", edges=(0.1, -0.1))
    with pytest.raises(ValueError, match="outer 5 % need at least 20 returns; got 2"):
        extreme_edges([0.1, 0.2, np.nan, 3.0])
    with pytest.raises(ValueError, match="'C1' has"):
        market_windows([series[0], replace(series[1], channels=("a", "b", "c", "close", "d"))])
    with pytest.raises(ValueError, match="called close; got"):
        market_windows([replace(series[0], channels=())])
    with pytest.raises(ValueError, match="ascending dates in the time of every series; 'C1'"):
        market_split([series[0], replace(series[1], time=None)])
    with pytest.raises(ValueError, match="borders must ascend"):
        market_split(series, borders=("2014-01-01", "2013-06-01"))
    with pytest.raises(ValueError, match="the test part would hold no window"):
        market_split(series, borders=("2013-12-01", "2030-01-01"))
    with pytest.raises(ValueError, match="gap must be at least 0"):
        market_split(series, gap=-1)
