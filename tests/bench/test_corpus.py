"""The corpus holds training parts of sets we may learn from, made-up domains, and nothing else."""

import numpy as np
import pytest

from timeloom.bench.corpus import (
    CORPUS,
    HELD_OUT,
    LEFT_OUT,
    LICENCES,
    corpus,
    digest,
    training_series,
)
from timeloom.bench.market import BORDERS
from timeloom.data.overlap import shared
from timeloom.data.sets import about, load_dataset, resolve
from timeloom.data.windows import cut


@pytest.fixture(scope="module")
def small(data_folder):
    """Everything real, cut short."""
    return corpus((24, 80), domains=2, cap=150)


def of(small, name):
    return next(one for one in small[name] if one.shape[0] == 24)


def test_every_licence_lets_us_ship_weights():
    for name, licence in CORPUS.items():
        assert licence == about(name).licence
        assert licence in LICENCES, f"{name}: {licence}"
    for word in ("ND", "NC", "SA", "GPL", "none"):
        assert not any(word in one.split() for one in LICENCES)


def test_no_evaluation_set_is_in_the_corpus():
    held_out = {resolve(name) or name for name in HELD_OUT}
    assert not held_out & set(CORPUS) and not set(HELD_OUT) & set(CORPUS)
    assert not set(LEFT_OUT) & set(CORPUS)
    assert {"weather", "ili", "air_quality", "etth1", "stock_goog", "ucr_ecg200"} <= held_out


def test_no_river_and_no_share_of_the_evaluation_sets_is_in(data_folder, small):
    assert "monash-us_births" in small and not any("saugeen" in name for name in small)
    tickers = {one.name for one in training_series("nasdaq_5yr")["nasdaq_5yr"]}
    everyone = {one.name for one in load_dataset("nasdaq_5yr", test_from=None)}
    # The quotes of the evaluation set stock_goog cover the same years.
    assert everyone >= {"GOOG", "GOOGL"} and tickers <= everyone - {"GOOG", "GOOGL"}
    assert len(tickers) > 100


def test_the_parts_say_where_they_end(data_folder):
    nasdaq = training_series("nasdaq_5yr")["nasdaq_5yr"]
    assert max(one.time.max() for one in nasdaq) < np.datetime64(BORDERS[0])
    energy = training_series("energy_appliances")["energy_appliances"]
    assert len(energy[0]) == int(0.8 * len(load_dataset("energy_appliances")[0]))
    births = training_series("monash")["monash-us_births"][0]
    whole = load_dataset("monash", collections=["us_births"])
    assert len(births) == len(whole[0][0]) and len(whole[1][0]) == 30


@pytest.mark.parametrize(
    ("name", "source", "member"),
    [
        ("smd-machine-1-6", "smd", "machine-1-6"),
        ("asd-omi-2", "asd", "omi-2"),
        ("cmapss_fd001", "cmapss_fd001", None),
        ("emg", "emg", None),
    ],
)
def test_windows_come_from_the_training_part_alone(small, name, source, member):
    windows = of(small, name)
    train, test = ([one for one in part if member in (None, one.name)] for part in both(source))
    at = [train[0].channels.index(one) for one in windows.channels]
    known, unknown = (cut(part, 24).x[:, :, at].astype(np.float32) for part in (train, test))
    assert shared(windows, known).mean() > 0.95
    assert not shared(windows, unknown).any()


def test_windows_stand_in_the_training_part_where_they_say(small):
    # Commands of a rover repeat by chance, so that values alone do not tell the parts apart.
    for name in ("msl", "smd", "nab", "energy_appliances", "psm_sample", "cmapss_fd001"):
        for part, series in training_series(name).items():
            windows = of(small, part)[::15]
            for x, which, start in zip(windows, windows.series, windows.start, strict=True):
                values = series[which].values[start : start + 24]
                np.testing.assert_array_equal(x, values.astype(np.float32), part)


def both(source):
    """Training and test recordings, as the publisher parts them."""
    loaded = load_dataset(source)
    assert isinstance(loaded, tuple)
    return loaded


def test_the_last_fifth_of_a_set_without_parts_is_left_alone(small):
    whole = load_dataset("nab", series=["realKnownCause/nyc_taxi.csv"])[0]
    border = int(0.8 * len(whole))
    late = np.lib.stride_tricks.sliding_window_view(whole.values[border:, 0], 24)
    early = np.lib.stride_tricks.sliding_window_view(whole.values[:border, 0], 24)
    windows = of(small, "nab-nyc_taxi")
    assert shared(windows, early[:, :, None].astype(np.float32)).all()
    assert not shared(windows, late[:, :, None].astype(np.float32)).any()


def test_prices_are_relative_to_the_window_and_possible(small):
    x, names = of(small, "nasdaq_5yr").x, of(small, "nasdaq_5yr").channels
    first, high, low = (x[:, :, names.index(one)] for one in ("close", "high", "low"))
    np.testing.assert_array_equal(first[:, 0], 0)
    assert np.nanmax(low - high) <= 1e-6 and np.nanmax(np.abs(first)) < 3


def test_every_set_is_capped_moves_and_has_one_entry_per_length(small):
    assert len(small) > 80 and {"synthetic-0000", "synthetic-0001"} <= set(small)
    for name, cuts in small.items():
        assert [one.shape[0] for one in cuts] in ([24, 80], [24]), name
        assert len({one.channels for one in cuts}) == 1
        for one in cuts:
            assert 0 < len(one) <= 150 and one.x.dtype == np.float32 and one.y is None
            assert np.isfinite(one.x).mean() > 0.99
            assert (np.ptp(np.nan_to_num(one.x), axis=1) > 0).any(axis=1).all(), name
    assert len(small["monash-hospital"]) == 1, "72 months are too short for 80"


def test_windows_are_spread_over_all_recordings(small):
    engines = of(small, "cmapss_fd001")
    assert len(np.unique(engines.series)) > 90
    machine = of(small, "smd-machine-1-6")
    assert machine.start.min() < 500 and machine.start.max() > 20000


def test_channels_of_a_set_move(data_folder):
    for series in training_series("msl").values():
        values = np.concatenate([one.values for one in series])
        assert (np.ptp(values, axis=0) > 0).all()


def test_made_up_domains_need_no_data_set(monkeypatch):
    monkeypatch.delenv("TIMELOOM_DATA", raising=False)
    first = corpus((8, 32), domains=3, cap=40, real=False)
    assert list(first) == ["synthetic-0000", "synthetic-0001", "synthetic-0002"]
    again, other = (corpus((8, 32), domains=3, cap=40, real=False, seed=s) for s in (0, 1))
    assert digest(first) == digest(again) != digest(other)
    for cuts in first.values():
        assert [one.shape[0] for one in cuts] == [8, 32]


def test_the_digest_sees_every_number_and_name():
    made = corpus((16,), domains=2, cap=10, real=False)
    before = digest(made)
    renamed = {f"{name}x": cuts for name, cuts in made.items()}
    assert digest(renamed) != before
    made["synthetic-0001"][0].x[3, 5, 0] += 1
    assert digest(made) != before


def test_real_windows_do_not_depend_on_the_seed(data_folder, small):
    again = corpus((24, 80), domains=0, cap=150, seed=3)
    real = {name: cuts for name, cuts in small.items() if not name.startswith("synthetic")}
    assert digest(again) == digest(real)


def test_missing_sets_are_all_named(monkeypatch, tmp_path):
    monkeypatch.setenv("TIMELOOM_DATA", str(tmp_path))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    with pytest.raises(ValueError, match=r"asd, smd, .*cannot be found.*TIMELOOM_DATA.*real=False"):
        corpus()


@pytest.mark.parametrize(
    "wrong", [{"lengths": ()}, {"lengths": (1,)}, {"cap": 0}, {"domains": -1}, {"seed": -1}]
)
def test_wrong_numbers_are_named(wrong):
    with pytest.raises(ValueError, match="lengths must be numbers of at least 2"):
        corpus(**{"real": False, **wrong})


def test_nothing_asked_is_an_error():
    with pytest.raises(ValueError, match="leave nothing"):
        corpus(domains=0, real=False)


def test_a_set_that_is_left_out_says_why():
    with pytest.raises(ValueError, match="GPL"):
        training_series("skab")
