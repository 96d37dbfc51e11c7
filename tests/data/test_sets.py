"""Public data sets: their names, where they are looked up, what they hold."""

import json
import subprocess
import sys

import numpy as np
import pytest

from timeloom.data import cut
from timeloom.data.sets import about, find, load_dataset, names, resolve
from timeloom.data.sets.nasdaq import NASDAQ

# Training and test series in the packed data; None where a set has no parts of its own.
COUNTS = {
    **{"cmapss_fd001": (100, 100), "cmapss_fd002": (260, 259), "femto_bearing": (4, 8)},
    **{"smd": (6, 6), "asd": (9, 9), "psm_sample": (1, 2), "msl": (27, 27), "skab": (31, 30)},
    **{"ucr_anomaly": (2, 2), "etth1": (1, 1), "exchange_rate": (1, 1), "weather": (1, 1)},
    **{"ili": (1, 1), "nasdaq_5yr": (125, 126), "monash": (1977, 1977), "emg": (162, 42)},
    **{"nab": (35, None), "energy_appliances": (1, None), "air_quality": (1, None)},
    **{"stock_goog": (1, None)},
}
# Time points in all parts together.
POINTS = {
    **{"cmapss_fd001": 33727, "cmapss_fd002": 87750, "femto_bearing": 18422},
    **{"asd": 116640, "psm_sample": 699, "msl": 132046, "skab": 42494, "ucr_anomaly": 15001},
    **{"etth1": 14400, "exchange_rate": 7588, "weather": 52696, "ili": 966},
    **{"nasdaq_5yr": 153816, "emg": 306000, "nab": 181653, "energy_appliances": 19734},
    **{"air_quality": 9357, "stock_goog": 3685},
}


@pytest.fixture
def nowhere(tmp_path, monkeypatch):
    """Neither $TIMELOOM_DATA nor a cache: only what comes with the package is there."""
    monkeypatch.delenv("TIMELOOM_DATA", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path


def _index(data_folder):
    listed = json.loads((data_folder / "index.json").read_text(encoding="utf-8"))
    return {one["name"]: one for one in listed["datasets"]}


def _all(found):
    return [*found[0], *found[1]] if isinstance(found, tuple) else found


def test_every_data_set_of_the_index_has_a_name(data_folder):
    assert set(_index(data_folder)) <= set(names())


def test_every_name_says_what_it_is():
    for name in names():
        info = about(name)
        assert info.name == name
        for what in ("title", "licence", "citation", "source", "split", "length"):
            assert len(getattr(info, what)) > 2, (name, what)
        assert info.files
        assert info.channels > 0


@pytest.mark.parametrize("name", COUNTS)
def test_a_set_holds_what_its_description_says(name, data_folder):
    if not (data_folder / name).is_dir():
        pytest.skip(f"{name} is not in $TIMELOOM_DATA")
    found = load_dataset(name)
    train, test = COUNTS[name]
    assert isinstance(found, tuple) == (test is not None)
    assert [len(part) for part in (found if test else [found])] == [train, test][: 1 + bool(test)]
    assert {len(one.channels) for one in _all(found)} == {about(name).channels}
    if name in POINTS:
        assert sum(len(one) for one in _all(found)) == POINTS[name]


def test_the_sets_of_the_classification_archives_hold_what_the_index_says(data_folder):
    for name, listed in _index(data_folder).items():
        if not name.startswith(("ucr_", "uea_")) or name == "ucr_anomaly":
            continue
        arrays = listed["files"][0]["arrays"]
        for part, shape in zip(load_dataset(name), ("X_train", "X_test"), strict=True):
            count, channels, length = json.loads(arrays[shape][arrays[shape].index("[") :])
            assert len(part) == count
            assert {one.values.shape[1] for one in part} == {channels}
            assert max(len(one) for one in part) <= length
            assert len({str(one.label) for one in part}) == listed["classes"]


@pytest.mark.parametrize(
    ("name", "length", "count"),
    [
        ("cmapss_fd001", 24, 18331),
        ("cmapss_fd001", 48, 15931),
        ("cmapss_fd001", 96, 11131),
        ("cmapss_fd002", 48, 41539),
    ],
)
def test_cmapss_gives_as_many_windows_as_in_the_literature(name, length, count, request):
    if name == "cmapss_fd002":
        request.getfixturevalue("data_folder")
    train, _ = load_dataset(name)
    assert len(cut(train, length)) == count


def test_the_first_engine_is_labelled_with_its_remaining_life():
    (first, *_), (tested, *_) = load_dataset("cmapss_fd001")
    assert (first.name, first.label_name, len(first)) == ("engine 1", "rul", 192)
    assert first.label[0] == 125
    assert first.label[-1] == 0
    assert first.label[-126] == 125
    assert first.label[-125] == 124
    assert first.time[[0, -1]].tolist() == [1, 192]
    # RUL_FD001.txt begins with 112.
    assert (len(tested), tested.label[-1], tested.label[-14]) == (31, 112, 125)


def test_the_life_of_an_engine_is_clipped_only_where_asked():
    first = load_dataset("cmapss_fd001", clip=None)[0][0]
    assert first.label.tolist() == list(range(191, -1, -1))


def test_cmapss_has_14_channels_or_all_or_those_named():
    assert len(load_dataset("cmapss_fd001")[0][0].channels) == 14
    assert len(load_dataset("cmapss_fd001", channels="all")[0][0].channels) == 24
    one = load_dataset("cmapss_fd001", channels=["sensor_11"])[0][0]
    assert (one.channels, one.values[0, 0]) == (("sensor_11",), 47.47)
    with pytest.raises(ValueError, match=r"got 'sensor_22', did you mean 'sensor_2"):
        load_dataset("cmapss_fd001", channels=["sensor_22"])


def test_series_of_different_lengths_keep_their_own(data_folder):
    train, _ = load_dataset("uea_japanesevowels")
    assert len({len(one) for one in train}) > 5
    assert not any(np.isnan(one.values).any() for one in train)


def test_what_was_not_measured_is_nan(data_folder):
    (air,) = load_dataset("air_quality")
    assert np.isnan(air.values).sum() == 16701
    train, test = load_dataset("weather")
    assert sum(np.isnan(one.values).sum() for one in (train[0], test[0])) == 81
    train, test = load_dataset("weather", faults=True)
    assert sum((one.values == -9999).sum() for one in (train[0], test[0])) == 81


def test_anomalies_are_labelled_in_the_test_part_alone(data_folder):
    for name, share in (("smd", None), ("asd", None), ("msl", 0.1053), ("psm_sample", 104 / 300)):
        train, test = load_dataset(name)
        assert all(one.label is None for one in train)
        label = np.concatenate([one.label for one in test])
        assert set(label.tolist()) == {0, 1}
        if share:
            assert label.mean() == pytest.approx(share, abs=1e-4)


def test_the_one_anomaly_of_a_ucr_series_lies_where_its_file_says(data_folder):
    _, (test, _) = load_dataset("ucr_anomaly")
    assert test.time[test.label == 1].tolist() == list(range(4187, 4200))


def test_the_train_and_test_parts_of_a_forecasting_set_follow_each_other(data_folder):
    (train,), (test,) = load_dataset("etth1")
    assert (len(train), len(test)) == (11520, 2880)
    assert test.time[0] - train.time[-1] == np.timedelta64(1, "h")
    (whole,) = load_dataset("etth1", whole=True)
    assert len(whole) == 17420


def test_the_months_of_a_forecasting_collection_have_their_own_lengths(data_folder):
    train, test = load_dataset("monash", collections=["fred_md"])
    assert len(test[0]) == 12
    assert str(train[0].time[1] - train[0].time[0]) == "2678400 seconds"
    assert train[0].time[:3].astype("datetime64[D]").astype(str)[-1].endswith("-01")


def test_the_companies_are_split_by_day(data_folder):
    train, test = load_dataset("nasdaq_5yr")
    assert {one.name for one in test} == set(NASDAQ)
    assert max(one.time[-1] for one in train) < np.datetime64("2017-07-01")
    assert min(one.time[0] for one in test) >= np.datetime64("2017-07-01")
    with pytest.raises(ValueError, match="before and after 2030-01-01"):
        load_dataset("nasdaq_5yr", test_from="2030-01-01")


def test_the_features_of_a_bearing_are_those_of_its_vibration(data_folder):
    from timeloom.data.sets.femto import SAMPLES, features

    _, packed, *_ = load_dataset("femto_bearing")[0]
    (raw,), _ = load_dataset("femto_bearing", raw=True, bearings=["1_2"])
    assert (packed.name, raw.name, raw.channels) == ("1_2", "1_2", ("horizontal", "vertical"))
    assert len(raw) == len(packed) * SAMPLES
    snapshots = raw.values[: 20 * SAMPLES].astype(np.float64).reshape(20, SAMPLES, 2)
    np.testing.assert_allclose(features(snapshots), packed.values[:20], rtol=1e-4, atol=1e-6)
    assert raw.label[:: len(raw) - 1].tolist() == [870, 0]


@pytest.mark.parametrize(
    ("spelled", "name"),
    [
        *(("wafer", "ucr_wafer"), ("NATOPS", "uea_natops"), ("UWaveGestureLibrary", None)),
        *(("cmapss", "cmapss_fd001"), ("fd002", "cmapss_fd002"), ("C-MAPSS FD003", None)),
        *(("ETTh1", "etth1"), ("exchange", "exchange_rate"), ("energy", "energy_appliances")),
        *(("MSL", "msl"), ("air quality", "air_quality"), ("nasdaq", "nasdaq_5yr")),
    ],
)
def test_a_set_answers_to_other_spellings(spelled, name):
    assert resolve(spelled) == name if name else resolve(spelled) in names()


def test_the_package_carries_one_set(nowhere):
    assert find("cmapss").parts[-2:] == ("sample", "cmapss_fd001")
    train, test = load_dataset("fd001")
    assert (len(train), len(test)) == (100, 100)


def test_the_given_folder_comes_first_then_the_cache_then_the_package(nowhere, monkeypatch):
    cached = nowhere / "cache" / "timeloom" / "data" / "cmapss_fd001"
    cached.mkdir(parents=True)
    monkeypatch.setattr("timeloom.data.sets._cache", lambda: cached.parent)
    assert find("cmapss_fd001") == cached
    given = nowhere / "mine" / "cmapss_fd001"
    given.mkdir(parents=True)
    monkeypatch.setenv("TIMELOOM_DATA", str(given.parent))
    assert find("cmapss_fd001") == given


def test_an_absent_set_says_where_it_comes_from_and_how_to_get_it(nowhere):
    with pytest.raises(ValueError, match=r"'smd' is not here.*OmniAnomaly.*timeloom data get smd"):
        load_dataset("smd")


def test_an_unknown_name_is_answered_with_the_nearest():
    with pytest.raises(ValueError, match="no data set 'waffer'; did you mean 'Wafer'"):
        load_dataset("waffer")
    with pytest.raises(ValueError, match=r"_TRAIN.ts and _TEST.ts into ucr_arrowhead"):
        load_dataset("ucr_arrowhead")
    with pytest.raises(ValueError, match="no data set 'quux'; there are cmapss_fd001"):
        about("quux")
    for empty in ("", "..", "/"):
        with pytest.raises(ValueError, match="there is no data set"):
            load_dataset(empty)


def test_an_unknown_option_or_member_is_answered_with_the_nearest(data_folder):
    with pytest.raises(ValueError, match="no option 'clipped'; did you mean 'clip'"):
        load_dataset("cmapss_fd001", clipped=130)
    with pytest.raises(ValueError, match="no machine 'machine-1-9' here; did you mean"):
        load_dataset("smd", machines=["machine-1-9"])


def test_a_folder_that_does_not_hold_the_set_is_refused(tmp_path):
    with pytest.raises(ValueError, match="existing folder"):
        load_dataset("smd", tmp_path / "gone")
    for name in names():
        with pytest.raises(ValueError, match="Put the files there"):
            load_dataset(name, tmp_path)


def test_listing_the_sets_imports_nothing_heavy():
    code = (
        "import sys; from timeloom.data.sets import about, names; names(); about('smd');"
        "print([m for m in ('pandas', 'pyarrow', 'pooch', 'torch', 'scipy') if m in sys.modules])"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "[]"
