"""Writes data sets in their publishers' forms, from what a loader gave or from a packed table."""

import json
from pathlib import Path

import numpy as np
import pandas as pd

# Decimals of the 26 columns of NASA's files: engine, cycle, 3 settings, 21 sensors.
DECIMALS = (0, 0, 4, 4, 1, *[2] * 14, 4, 2, 0, 0, 2, 2, 4)


def same(found, expected):
    """Whether two answers of a loader hold the same series: values, labels, times and names."""
    if isinstance(found, tuple):
        pairs = zip(found, expected, strict=True)
        return isinstance(expected, tuple) and all(same(a, b) for a, b in pairs)
    return len(found) == len(expected) and all(map(_same_series, found, expected))


def cmapss(folder, packed, part):
    folder.mkdir(parents=True)
    for which in ("train", "test"):
        table = pd.read_parquet(packed / f"{which}.parquet").to_numpy()
        lines = [
            " ".join(f"{cell:.{places}f}" for cell, places in zip(row, DECIMALS, strict=True))
            for row in table
        ]
        # NASA's lines end in two blanks.
        text = "".join(f"{line}  \n" for line in lines)
        (folder / f"{which}_{part}.txt").write_text(text, newline="")
    lives = (packed / f"RUL_{part}.txt").read_bytes()
    (folder / f"RUL_{part}.txt").write_bytes(lives)


def ts(path, series, name):
    classes = " ".join(sorted({str(one.label) for one in series}))
    lines = ["# a comment", f"@problemName {name}", "@timeStamps false", "@missing false"]
    lines += ["@univariate true", f"@classLabel true {classes}", "@data"]
    for one in series:
        channels = (",".join(map(repr, channel.tolist())) for channel in one.values.T)
        lines.append(":".join([*channels, str(one.label)]))
    path.write_text("\n".join(lines) + "\n")


def tsv(path, series):
    cells = [[str(one.label), *map(repr, one.values[:, 0].tolist())] for one in series]
    path.write_text("".join("\t".join(row) + "\n" for row in cells))


def smd(folder, train, test):
    for kind in ("train", "test", "test_label"):
        (folder / kind).mkdir(parents=True)
    for one in train:
        np.savetxt(folder / "train" / f"{one.name}.txt", one.values, fmt="%.6f", delimiter=",")
    for one in test:
        np.savetxt(folder / "test" / f"{one.name}.txt", one.values, fmt="%.6f", delimiter=",")
        np.savetxt(folder / "test_label" / f"{one.name}.txt", one.label, fmt="%d")


def telemanom(folder, train, test, listed: Path):
    for kind, part in (("train", train), ("test", test)):
        (folder / "data" / kind).mkdir(parents=True)
        for one in part:
            np.save(folder / "data" / kind / f"{one.name}.npy", one.values)
    (folder / "labeled_anomalies.csv").write_bytes(listed.read_bytes())


def nab(folder, series):
    windows = {}
    for one in series:
        path = folder / "data" / one.name
        path.parent.mkdir(parents=True, exist_ok=True)
        times = [str(time).replace("T", " ") for time in one.time]
        pd.DataFrame({"timestamp": times, "value": one.values[:, 0]}).to_csv(path, index=False)
        inside = np.diff(np.concatenate([[0], one.label, [0]]))
        edges = zip(np.flatnonzero(inside == 1), np.flatnonzero(inside == -1) - 1, strict=True)
        windows[one.name] = [[f"{times[a]}.000000", f"{times[b]}.000000"] for a, b in edges]
    (folder / "labels").mkdir()
    (folder / "labels" / "combined_windows.json").write_text(json.dumps(windows))


def skab(folder, packed):
    for name, part in pd.read_parquet(packed).groupby("experiment"):
        path = folder / "data" / f"{name}.csv"
        path.parent.mkdir(parents=True, exist_ok=True)
        gone = ["experiment"]
        if name.startswith("anomaly-free"):
            gone += ["anomaly", "changepoint"]
        part.drop(columns=gone).to_csv(path, sep=";", index=False)


def tsf(path, series, frequency, horizon):
    lines = ["# a comment", "@relation x", "@attribute series_name string"]
    lines += ["@attribute start_timestamp date", f"@frequency {frequency}"]
    lines += [f"@horizon {horizon}"] if horizon else []
    lines += ["@missing false", "@equallength false", "@data"]
    for one, start in series:
        values = ",".join("?" if np.isnan(v) else repr(v) for v in one.values[:, 0].tolist())
        lines.append(f"{one.name.partition('/')[2]}:{start}:{values}")
    path.write_text("\n".join(lines) + "\n", encoding="latin-1")


def femto(folder, snapshots):
    """One bearing; ``snapshots`` (snapshot, 2560, 2) in g."""
    folder.mkdir(parents=True)
    for i, one in enumerate(snapshots, 1):
        clock = np.tile([9, 39, 39, 65664], (len(one), 1))
        table = pd.DataFrame(np.column_stack([clock, one]))
        table[[0, 1, 2, 3]] = table[[0, 1, 2, 3]].astype(int)
        separator = ";" if i == 2 else ","
        path = folder / f"acc_{i:05}.csv"
        table.to_csv(path, header=False, index=False, sep=separator)


def _same_series(a, b):
    return (
        (a.name, a.channels, a.label_name) == (b.name, b.channels, b.label_name)
        and _same_array(a.values, b.values)
        and _same_array(a.label, b.label)
        and _same_array(a.time, b.time)
    )


def _same_array(a, b):
    if a is None or b is None:
        return a is b
    return np.array_equal(a, b, equal_nan=a.dtype.kind == "f")
