"""EMG: electric activity of a shin muscle, healthy or ill (PhysioNet emgdb)."""

import warnings
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from timeloom.data.sets.folder import Loaded, absent, find_file
from timeloom.data.sets.info import Info
from timeloom.data.windows import Series

__all__ = ["INFO", "load"]

CLASSES = ("healthy", "myopathy", "neuropathy")
LENGTH = 1500
PER_MILLIVOLT = 10000
WRAP = 65536  # the published 16-bit numbers wrap round beyond 3.2767 mV
INFO = (
    Info(
        name="emg",
        title="Electromyograms of a shin muscle (PhysioNet emgdb)",
        channels=1,
        length="204 windows of 1,500 samples at 4 kHz, from three recordings",
        split="ours: TF-C's assignment is not published, so 60/20/20 % of every class are drawn, "
        "seed 0; the first two parts train",
        label="class: healthy, myopathy or neuropathy",
        licence="ODC-BY 1.0",
        redistribution="yes, with attribution",
        citation="A. L. Goldberger et al., PhysioBank, PhysioToolkit, and PhysioNet, Circulation "
        "101(23), 2000; as a benchmark: X. Zhang et al., TF-C, NeurIPS 2022",
        source="https://physionet.org/content/emgdb/1.0.0/",
        files=tuple(f"emg_{name}.{suffix}" for name in CLASSES for suffix in ("txt", "dat")),
        aliases=("emgdb",),
    ),
)


def load(folder: Path, *, whole: bool = False) -> Loaded:
    """Reads the recordings, in mV, cut into windows of 1,500 samples that do not overlap.

    Three people were recorded, one per class: windows of both parts come from the same person, and
    no figure says how well another person would be classified.

    Args:
        folder: Holds ``emg_healthy.txt``, ``emg_healthy.dat`` and so on as published, or
            ``emg.npz``. The 16-bit ``.dat`` alone is wrong wherever it wraps round; the ``.txt``
            alone has a broken line, which is read as not measured.
        whole: Give the three recordings uncut.

    Returns:
        ``(train, test)``, one series per window. Or a list of the recordings.

    Raises:
        ValueError: If a recording is missing.
    """
    path = folder / "emg.npz"
    if path.is_file():
        with np.load(path, allow_pickle=False) as arrays:
            units = {name: arrays[name].astype(np.float64) for name in CLASSES}
    else:
        units = {name: _recording(folder, name) for name in CLASSES}
    recordings = {name: (values / PER_MILLIVOLT)[:, None] for name, values in units.items()}
    if whole:
        return [_series(values, name, name) for name, values in recordings.items()]
    counts = [len(values) // LENGTH for values in recordings.values()]
    parts: tuple[list[Series], list[Series]] = ([], [])
    for (name, values), tested in zip(recordings.items(), _draw(counts), strict=True):
        for i, test in enumerate(tested):
            window = values[i * LENGTH : (i + 1) * LENGTH]
            parts[test].append(_series(window, name, f"{name} {i}"))
    return parts


def _draw(counts: list[int]) -> list[list[bool]]:
    """Which windows of each class test: the last fifth of a permutation."""
    rng = np.random.default_rng(0)
    tested = []
    for count in counts:
        last = rng.permutation(count)[round(0.8 * count) :]
        tested.append([i in last for i in range(count)])
    return tested


def _series(values: NDArray[np.float64], label: str, name: str) -> Series:
    return Series(values, np.asarray(label), name, ("emg",), None, "class")


def _recording(folder: Path, name: str) -> NDArray[np.float64]:
    """One recording in units of 0.1 uV, from what is there of its two files."""
    written, binary = (find_file(folder, f"emg_{name}.{kind}") for kind in ("txt", "dat"))
    if binary is None:
        if written is None:
            raise absent(folder, f"emg_{name}.txt and emg_{name}.dat", "emg.npz")
        return _text(written)
    units = np.frombuffer(binary.read_bytes(), dtype="<i2").astype(np.float64)
    if written is None:
        if name == "neuropathy":
            warnings.warn(
                f"{binary} is wrong in 410 of its samples, which wrap round beyond 3.2767 mV; put "
                "emg_neuropathy.txt beside it.",
                stacklevel=2,
            )
        return units
    exact = _text(written)
    if len(exact) != len(units):
        raise ValueError(
            f"{written} must have one line per sample of {binary}, {len(units)}; got {len(exact)}."
        )
    # The text tells how often a number has wrapped; where it is broken, none has.
    return units + WRAP * np.rint(np.nan_to_num(exact - units) / WRAP)


def _text(path: Path) -> NDArray[np.float64]:
    values = []
    for line in path.read_text(encoding="ascii", errors="replace").splitlines():
        try:
            _, value = line.split()
            values.append(float(value))
        except ValueError:
            values.append(np.nan)
    return np.rint(np.array(values) * PER_MILLIVOLT)
