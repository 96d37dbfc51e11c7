"""The simulated market keeps what prices keep; windows come from it, a folder or the set alike."""

import numpy as np
import pytest

from timeloom.bench.market import market_data, market_series, random_split, simulated_market
from timeloom.data.market import last_days, market_windows
from timeloom.data.prices import to_log_prices
from timeloom.data.windows import Series
from timeloom.metrics.fidelity import ohlc_violations
from timeloom.metrics.utility.arms import protocols
from timeloom.metrics.utility.scores import scores

DAYS = 1000


@pytest.fixture(scope="module")
def market():
    return simulated_market(40, DAYS, seed=1)


def returns(market):
    return np.array([np.diff(np.log(one.values[:, 3])) for one in market])


def memory(x, lag):
    """Mean autocorrelation over companies."""
    x = x - x.mean(axis=1, keepdims=True)
    return float(((x[:, lag:] * x[:, :-lag]).mean(axis=1) / x.var(axis=1)).mean())


def test_every_simulated_day_could_have_been(market):
    for one in market:
        start, high, low, close, volume = one.values.T
        assert (high >= np.maximum(start, close)).all() and (low <= np.minimum(start, close)).all()
        assert (low > 0).all() and (volume >= 0).all() and (volume == np.round(volume)).all()
        assert one.channels == ("open", "high", "low", "close", "volume")
        assert (np.diff(one.time) > np.timedelta64(0, "s")).all()
        assert (
            one.time.astype("datetime64[D]").astype(int) % 7 != 2
        ).all()  # day 2 of 1970: Saturday
    windows = market_windows(market)
    assert ohlc_violations(windows) == ohlc_violations(to_log_prices(windows)[0]) == 0


def test_storms_last_while_direction_has_no_memory(market):
    found = returns(market)
    for lag in (1, 5, 20):
        assert memory(np.abs(found), lag) > 0.03
        assert abs(memory(found, lag)) < 0.03
    assert 0.15 < np.median(found.std(axis=1)) * np.sqrt(252) < 0.5
    assert (((found / found.std(axis=1, keepdims=True)) ** 4).mean(axis=1) > 3).mean() > 0.8


def test_companies_share_calm_and_storm_and_rise_together(market):
    found = returns(market)
    pairs = np.triu_indices(len(found), 1)
    assert 0.15 < np.corrcoef(found)[pairs].mean() < 0.6
    assert np.corrcoef(np.abs(found))[pairs].mean() > 0.03


def test_much_is_traded_on_days_that_move(market):
    found = np.abs(returns(market))
    volume = np.array([np.log(one.values[1:, 4]) for one in market])
    own = [np.corrcoef(a, b)[0, 1] for a, b in zip(found, volume, strict=True)]
    assert min(own) > 0.1


def test_a_company_depends_on_the_seed_and_its_number_only(market):
    few = simulated_market(3, 50, seed=1)
    for one, other in zip(few, market, strict=False):
        np.testing.assert_array_equal(one.values, other.values[:50])
        assert one.name == other.name
    assert not np.allclose(simulated_market(1, 50, seed=2)[0].values, few[0].values)
    assert not np.allclose(few[0].values, few[1].values)
    with pytest.raises(ValueError, match="at least 1; got 0 and 5"):
        simulated_market(0, 5)


def auroc(split, seed):
    train, _, test = market_data("direction", simulated=True, split=split, seed=seed)
    sides = ((one.x, one.y, one.series) for one in (train, train, test))
    arms = {"baseline": (1.0, 0.0)}
    found = protocols(*sides, task="classify", judge="kernels", arms=arms, seed=seed)
    return scores(found["baseline"])["auroc"]


@pytest.mark.slow
def test_drawing_windows_at_random_finds_a_direction_that_is_not_there():
    leaky = [auroc("random", seed) for seed in range(3)]
    honest = [auroc("time", seed) for seed in range(3)]
    assert min(leaky) > 0.54
    assert abs(np.mean(honest) - 0.5) < np.mean(leaky) - 0.5


def test_the_random_split_takes_every_window_once_with_one_pair_of_edges(market):
    parts = random_split(market, label="extreme", seed=3)
    every = market_windows(market, label="extreme", stagger=False)
    assert sum(map(len, parts)) == len(every)
    assert len(parts[0]) == int(0.8 * len(every))
    places = {(int(i), int(s)) for one in parts for i, s in zip(one.series, one.start, strict=True)}
    assert len(places) == len(every)
    np.testing.assert_array_equal(
        np.sum([np.bincount(one.y, minlength=3) for one in parts], axis=0), np.bincount(every.y)
    )
    # Its fault: nearly all test windows end on a day on which training windows end.
    days = [set(last_days(market, one).tolist()) for one in parts]
    assert len(days[2] & days[0]) > 0.9 * len(days[2])


def test_simulated_windows_come_in_three_parts_as_logarithms():
    parts = market_data("extreme", simulated=True, stride=48)
    assert [one.shape for one in parts] == [(24, 5)] * 3
    for one in parts:
        assert set(np.unique(one.y)) == {0, 1, 2} and one.label_name == "extreme"
        np.testing.assert_allclose(one.x[:, 0, 3], 0, atol=1e-12)
    assert len(parts[0]) > 5 * len(parts[1])


def write(folder, one: Series):
    lines = ["Date,Open,High,Low,Close,Adj Close,Volume"]
    for day, (start, high, low, close, volume) in zip(one.time, one.values, strict=True):
        date = day.astype("datetime64[D]")
        lines.append(f"{date},{start!r},{high!r},{low!r},{close!r},{close!r},{volume:.0f}")
    text = "\n".join(lines).replace("np.float64(", "").replace(")", "")
    (folder / f"{one.name}.csv").write_text(text + "\n", encoding="utf-8")


def test_a_folder_of_tickers_gives_the_same_windows(tmp_path):
    made = simulated_market(4, 400, seed=5)
    for one in made:
        write(tmp_path, one)
    for one, other in zip(market_series(tmp_path), made, strict=True):
        np.testing.assert_allclose(one.values, other.values)
        np.testing.assert_array_equal(one.time, other.time)
    train, validation, test = market_data(folder=tmp_path)
    assert len(train) > len(validation) > 0 and len(test) > 0
    with pytest.raises(ValueError, match="either a folder or a simulated market"):
        market_data(folder=tmp_path, simulated=True)
    with pytest.raises(ValueError, match="split must be 'time' or 'random'; got 'date'"):
        market_data(split="date")
    with pytest.raises(ValueError, match="folder must be an existing folder"):
        market_data(folder=tmp_path / "nothing")


def test_nasdaq_is_split_at_the_days_of_its_description(data_folder):
    if not (data_folder / "nasdaq_5yr").is_dir():
        pytest.skip("nasdaq_5yr is not in $TIMELOOM_DATA")
    series = market_series()
    parts = market_data("extreme")
    assert [len(one) for one in parts] == [4795, 480, 654]
    assert np.bincount(parts[0].y).tolist() == [240, 4315, 240]
    days = [last_days(series, one) for one in parts]
    assert days[0].max() < np.datetime64("2017-01-01") <= days[1].min()
    assert days[1].max() < np.datetime64("2017-07-01") <= days[2].min()
    assert all(ohlc_violations(one) == 0 for one in parts)
