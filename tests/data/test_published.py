"""The files as their publishers ship them give the same series as the packed form."""

import gzip
import json

import numpy as np
import pandas as pd
import pytest

from tests.data import published
from timeloom.data import Series
from timeloom.data.sets import find, load_dataset
from timeloom.data.sets.femto import SAMPLES, features
from timeloom.data.sets.smd import causes


def test_cmapss_as_text_equals_the_packed_form(tmp_path):
    published.cmapss(tmp_path / "CMAPSSData", find("cmapss_fd001"), "FD001")
    for options in ({}, {"channels": "all", "clip": None}):
        expected = load_dataset("cmapss_fd001", **options)
        assert published.same(load_dataset("cmapss_fd001", tmp_path, **options), expected)


def test_the_files_of_two_parts_of_cmapss_are_not_mixed(tmp_path):
    published.cmapss(tmp_path / "x", find("cmapss_fd001"), "FD001")
    (tmp_path / "x" / "RUL_FD001.txt").write_text("1\n2\n")
    with pytest.raises(ValueError, match="one life per test engine, 100; got 2"):
        load_dataset("fd001", tmp_path / "x")
    (tmp_path / "x" / "train_FD001.txt").write_text("1 2 3\n")
    with pytest.raises(ValueError, match="26 columns"):
        load_dataset("fd001", tmp_path / "x")


@pytest.mark.parametrize("name", ["Wafer", "JapaneseVowels", "BasicMotions"])
def test_the_ts_files_of_the_archives_equal_the_packed_form(name, data_folder, tmp_path):
    expected = load_dataset(name)
    for part, series in zip(("TRAIN", "TEST"), expected, strict=True):
        series = series[:300]
        published.ts(tmp_path / f"{name}_{part}.ts", series, name)
    cut_short = tuple(part[:300] for part in expected)
    assert published.same(load_dataset(name, tmp_path), cut_short)


def test_the_tsv_files_of_the_ucr_archive_equal_the_packed_form(data_folder, tmp_path):
    expected = load_dataset("wafer")
    for part, series in zip(("TRAIN", "TEST"), expected, strict=True):
        published.tsv(tmp_path / f"Wafer_{part}.tsv", series[:500])
    assert published.same(load_dataset("wafer", tmp_path), tuple(p[:500] for p in expected))


def test_a_set_of_the_archives_that_is_not_listed_is_read_by_its_name(tmp_path, monkeypatch):
    rng = np.random.default_rng(0)
    series = [Series(rng.standard_normal((9, 2)), np.asarray(c)) for c in ("a", "b", "a")]
    for part in ("TRAIN", "TEST"):
        (tmp_path / "ArrowHead").mkdir(exist_ok=True)
        published.ts(tmp_path / "ArrowHead" / f"ArrowHead_{part}.ts", series, "ArrowHead")
    monkeypatch.setenv("TIMELOOM_DATA", str(tmp_path))
    for found in (load_dataset("ArrowHead"), load_dataset("arrowhead", tmp_path)):
        assert [str(one.label) for one in found[0]] == ["a", "b", "a"]
        np.testing.assert_array_equal(found[1][2].values, series[2].values)


def test_smd_as_text_equals_the_packed_form(data_folder, tmp_path):
    names = ["machine-2-1"]
    train, test = load_dataset("smd", machines=names)
    published.smd(tmp_path / "ServerMachineDataset", train, test)
    assert published.same(load_dataset("smd", tmp_path), (train, test))


def test_the_causes_of_anomalies_count_channels_from_zero(data_folder):
    first, last, channels = causes(data_folder / "smd", "machine-1-6")[0]
    assert (first, last, channels[:3]) == (246, 252, (0, 1, 2))


def test_asd_as_pickles_needs_permission_and_equals_the_packed_form(data_folder, tmp_path):
    (train,), (test,) = expected = load_dataset("asd", servers=["omi-1"])
    pd.to_pickle(train.values, tmp_path / "omi-1_train.pkl")
    pd.to_pickle(test.values, tmp_path / "omi-1_test.pkl")
    pd.to_pickle(test.label, tmp_path / "omi-1_test_label.pkl")
    with pytest.raises(ValueError, match="pass allow_pickle=True"):
        load_dataset("asd", tmp_path)
    assert published.same(load_dataset("asd", tmp_path, allow_pickle=True), expected)


def test_psm_as_csv_equals_the_packed_form(data_folder, tmp_path):
    packed = data_folder / "psm_sample"
    pd.read_parquet(packed / "train.parquet").to_csv(tmp_path / "train.csv", index=False)
    test = pd.read_parquet(packed / "test.parquet")
    test.drop(columns=["segment", "label"]).to_csv(tmp_path / "test.csv", index=False)
    labels = pd.read_parquet(packed / "full_test_label.parquet").astype(float)
    labels.to_csv(tmp_path / "test_label.csv", index=False)
    assert published.same(load_dataset("psm_sample", tmp_path), load_dataset("psm_sample"))
    labels[:200].to_csv(tmp_path / "test_label.csv", index=False)
    with pytest.raises(ValueError, match="a label for every row"):
        load_dataset("psm", tmp_path)


def test_telemanom_as_npy_equals_the_packed_form(data_folder, tmp_path):
    expected = load_dataset("msl")
    published.telemanom(tmp_path, *expected, data_folder / "msl" / "labeled_anomalies.csv")
    assert published.same(load_dataset("msl", tmp_path), expected)
    with pytest.raises(ValueError, match="of SMAP"):
        load_dataset("smap", tmp_path)


def test_nab_as_csv_equals_the_packed_form(data_folder, tmp_path):
    names = ["realKnownCause/rogue_agent_key_hold.csv", "artificialNoAnomaly/art_flatline.csv"]
    expected = load_dataset("nab", series=sorted(names))
    published.nab(tmp_path, expected)
    assert published.same(load_dataset("nab", tmp_path), expected)
    assert expected[1].label.sum() > 0


def test_skab_as_csv_equals_the_packed_form(data_folder, tmp_path):
    published.skab(tmp_path, data_folder / "skab" / "experiments.parquet")
    assert published.same(load_dataset("skab", tmp_path), load_dataset("skab"))


def test_a_file_of_the_anomaly_archive_says_its_split_in_its_name(data_folder, tmp_path):
    expected = load_dataset("ucr_anomaly", series=["136_InternalBleeding17"])
    values = np.concatenate([part[0].values[:, 0] for part in expected])
    path = tmp_path / "136_UCR_Anomaly_InternalBleeding17_1600_3198_3309.txt"
    path.write_text("\n".join(map(repr, values.tolist())) + "\n")
    assert published.same(load_dataset("ucr_anomaly", tmp_path), expected)


def test_tickers_as_csv_equal_the_packed_form(data_folder, tmp_path):
    names = ["AAPL", "MSFT"]
    expected = load_dataset("nasdaq_5yr", tickers=names)
    table = pd.read_parquet(data_folder / "nasdaq_5yr" / "ohlcv.parquet")
    table = table[table.ticker.isin(names)]
    for name, part in table.groupby("ticker"):
        part = part.drop(columns="ticker").assign(**{"Adj Close": 1.0})
        part = part.rename(columns=str.title) if name == "AAPL" else part[::-1]
        folder = tmp_path / "each"
        folder.mkdir(exist_ok=True)
        part.to_csv(folder / f"{name}{'_data' * (name == 'MSFT')}.csv", index=False)
    assert published.same(load_dataset("nasdaq_5yr", tmp_path / "each"), expected)
    (tmp_path / "all").mkdir()
    foreign = table[table.ticker == "AAPL"].assign(ticker="GE")
    both = pd.concat([table, foreign]).rename(columns={"ticker": "Name"})
    both.to_csv(tmp_path / "all" / "all_stocks_5yr.csv", index=False)
    assert published.same(load_dataset("nasdaq_5yr", tmp_path / "all"), expected)
    assert [one.name for one in load_dataset("nyse_5yr", tmp_path / "all")[0]] == ["GE"]


@pytest.mark.parametrize("name", ["m4_hourly", "fred_md", "us_births"])
def test_a_tsf_file_equals_the_packed_form(name, data_folder, tmp_path):
    expected = load_dataset("monash", collections=[name])
    packed = pd.read_parquet(data_folder / "monash" / f"{name}.parquet")
    starts = packed["start_timestamp"].tolist()
    whole = [
        Series(np.concatenate([a.values, b.values]), None, a.name)
        for a, b in zip(*expected, strict=True)
    ]
    frequency = {"m4_hourly": "hourly", "fred_md": "monthly", "us_births": "daily"}[name]
    path = tmp_path / f"{name}_dataset.tsf"
    published.tsf(path, list(zip(whole, starts, strict=True)), frequency, None)
    assert published.same(load_dataset("monash", tmp_path), expected)


def test_a_tsf_file_says_its_own_horizon_and_what_is_missing(tmp_path):
    series = Series(np.array([[1.0], [np.nan], [3.0], [4.0]]), name="x/T1")
    path = tmp_path / "new_dataset.tsf"
    published.tsf(path, [(series, "2020-01-01 00-00-00")], "daily", 3)
    (train,), (test,) = load_dataset("monash", tmp_path)
    assert train.values.tolist() == [[1.0]]
    np.testing.assert_array_equal(test.values, [[np.nan], [3], [4]])
    assert str(test.time[0]) == "2020-01-02T00:00:00"
    published.tsf(path, [(series, "2020-01-01 00-00-00")], "daily", None)
    with pytest.raises(ValueError, match="add a line such as @horizon 12"):
        load_dataset("monash", tmp_path)


@pytest.mark.parametrize(
    ("name", "file", "layout"),
    [
        ("exchange_rate", "exchange_rate.txt", {"header": False}),
        ("weather", "weather.csv", {"encoding": "latin-1", "errors": "replace"}),
        ("ili", "national_illness.csv", {}),
        ("energy_appliances", "energydata_complete.csv", {"quoting": 1}),
    ],
)
def test_a_published_table_equals_the_packed_form(name, file, layout, data_folder, tmp_path):
    table = pd.read_parquet(data_folder / name / "data.parquet")
    table.to_csv(tmp_path / file, index=False, **layout)
    assert published.same(load_dataset(name, tmp_path), load_dataset(name))


def test_a_text_is_read_packed_or_not(data_folder, tmp_path):
    for name, file in (("etth1", "ETTh1.csv"), ("stock_goog", "stock_data.csv")):
        text = gzip.decompress((data_folder / name / f"{file}.gz").read_bytes())
        (tmp_path / file).write_bytes(text)
        assert published.same(load_dataset(name, tmp_path), load_dataset(name))


def test_air_quality_with_decimal_commas_equals_the_packed_form(data_folder, tmp_path):
    table = pd.read_parquet(data_folder / "air_quality" / "data.parquet")
    times = table.pop("datetime")
    table.insert(0, "Date", times.dt.strftime("%d/%m/%Y"))
    table.insert(1, "Time", times.dt.strftime("%H.%M.%S"))
    table["Unnamed: 15"] = table["Unnamed: 16"] = np.nan
    path = tmp_path / "AirQualityUCI.csv"
    table.to_csv(path, sep=";", decimal=",", index=False)
    path.write_text(path.read_text() + ";" * 16 + "\n" + ";" * 16 + "\n")
    assert published.same(load_dataset("air_quality", tmp_path), load_dataset("air_quality"))


def test_emg_as_text_and_binary_equals_the_packed_form(data_folder, tmp_path):
    with np.load(data_folder / "emg" / "emg.npz") as arrays:
        units = {name: arrays[name].astype(int) for name in ("healthy", "neuropathy", "myopathy")}
        split, label = arrays["split"], arrays["y"]
    for name, values in units.items():
        values.astype("<i2").tofile(tmp_path / f"emg_{name}.dat")  # beyond 3.2767 mV it wraps
    with pytest.warns(UserWarning, match="wrong in 410"):
        load_dataset("emg", tmp_path)
    for name, values in units.items():
        lines = [f"{i / 4000:g} {value / 10000:.4f}" for i, value in enumerate(values, 1)]
        lines[638] = "0.15975 -0.0383+\ufffd0.0350"
        (tmp_path / f"emg_{name}.txt").write_text("\n".join(lines), encoding="utf-8")
    expected = load_dataset("emg")
    assert published.same(load_dataset("emg", tmp_path), expected)
    assert published.same(
        load_dataset("emg", tmp_path, whole=True), load_dataset("emg", whole=True)
    )
    # The packed file holds the same draw: its windows are in the order of the classes.
    drawn = np.flatnonzero(split == 2)
    first = np.searchsorted(label, label[drawn])
    classes = ("healthy", "myopathy", "neuropathy")
    named = [f"{classes[label[i]]} {i - j}" for i, j in zip(drawn, first, strict=True)]
    assert [one.name for one in expected[1]] == named


def test_a_bearing_as_csv_gives_its_vibration_and_its_features(tmp_path):
    rng = np.random.default_rng(0)
    snapshots = np.round(rng.standard_normal((3, SAMPLES, 2)), 3)
    published.femto(tmp_path / "Learning_set" / "Bearing1_1", snapshots)
    published.femto(tmp_path / "Test_set" / "Bearing1_3", snapshots)
    (train,), (test,) = load_dataset("femto_bearing", tmp_path)
    assert (train.name, train.label.tolist(), test.label) == ("1_1", [2, 1, 0], None)
    np.testing.assert_allclose(train.values, features(snapshots))
    # White noise of unit power: its eight bands share it.
    np.testing.assert_allclose(train.values[:, 9:17], np.sqrt(1 / 8), atol=0.05)
    (raw,), _ = load_dataset("femto_bearing", tmp_path, raw=True)
    np.testing.assert_allclose(raw.values.reshape(3, SAMPLES, 2), snapshots, atol=1e-6)
    assert raw.label[[0, -1]].tolist() == [2, 0]


def test_anomalies_of_a_channel_that_is_listed_twice_are_joined(tmp_path):
    for part in ("train", "test"):
        (tmp_path / part).mkdir()
        np.save(tmp_path / part / "P-2.npy", np.zeros((6, 2)))
    rows = [f'P-2,SMAP,"{json.dumps(spans)}",[point],6' for spans in ([[0, 1]], [[4, 5]])]
    header = "chan_id,spacecraft,anomaly_sequences,class,num_values"
    (tmp_path / "labeled_anomalies.csv").write_text("\n".join([header, *rows]))
    _, (test,) = load_dataset("smap", tmp_path)
    assert test.label.tolist() == [1, 1, 0, 0, 1, 1]
