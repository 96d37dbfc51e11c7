"""The UCR and UEA archives: labelled series for classification, one and many channels."""

from pathlib import Path

import numpy as np

from timeloom.data.formats import load_ts
from timeloom.data.sets.folder import absent
from timeloom.data.sets.info import Info
from timeloom.data.tables import wide_series
from timeloom.data.text import load_text, sniff
from timeloom.data.windows import Series

__all__ = ["INFO", "load"]

# Archive, publisher's name, channels, length, training and test series.
LISTED = (
    ("UCR", "CBF", 1, "128", 30, 900),
    ("UCR", "Chinatown", 1, "24", 20, 343),
    ("UCR", "ECG200", 1, "96", 100, 100),
    ("UCR", "ECG5000", 1, "140", 500, 4500),
    ("UCR", "GunPoint", 1, "150", 50, 150),
    ("UCR", "ItalyPowerDemand", 1, "24", 67, 1029),
    ("UCR", "Lightning7", 1, "319", 70, 73),
    ("UCR", "PowerCons", 1, "144", 180, 180),
    ("UCR", "SyntheticControl", 1, "60", 300, 300),
    ("UCR", "Trace", 1, "275", 100, 100),
    ("UCR", "Wafer", 1, "152", 1000, 6164),
    ("UEA", "AtrialFibrillation", 2, "640", 15, 15),
    ("UEA", "BasicMotions", 6, "100", 40, 40),
    ("UEA", "Epilepsy", 3, "206", 137, 138),
    ("UEA", "ERing", 4, "65", 30, 270),
    ("UEA", "JapaneseVowels", 12, "7 to 29", 270, 370),
    ("UEA", "Libras", 2, "45", 180, 180),
    ("UEA", "NATOPS", 24, "51", 180, 180),
    ("UEA", "RacketSports", 6, "30", 151, 152),
    ("UEA", "UWaveGestureLibrary", 3, "315", 120, 320),
)
CITATIONS = {
    "UCR": "H. A. Dau et al., The UCR Time Series Archive, IEEE/CAA J. Autom. Sinica 6(6), 2019",
    "UEA": "A. Bagnall et al., The UEA multivariate time series classification archive, 2018, "
    "arXiv:1811.00075",
}
SUFFIXES = (".ts", ".tsv", ".txt")  # the tables of the 2018 and of the older UCR archive


def _info(archive: str, title: str, channels: int, length: str, split: str, name: str) -> Info:
    return Info(
        name=name,
        title=f"{title} ({archive} archive)",
        channels=channels,
        length=f"{length} time points",
        split=split,
        label="class: one per series, by its name in the archive",
        licence="none stated; published for research",
        redistribution="customary with citation; not inside a package",
        citation=CITATIONS[archive],
        source=f"https://www.timeseriesclassification.com/description.php?Dataset={title}",
        files=(f"{title}_TRAIN.ts", f"{title}_TEST.ts"),
        aliases=(title,),
    )


INFO = tuple(
    _info(
        archive,
        title,
        channels,
        length,
        f"the archive's: {train} training and {test} test series",
        f"{archive.lower()}_{title.lower()}",
    )
    for archive, title, channels, length, train, test in LISTED
)


def load(folder: Path, name: str) -> tuple[list[Series], list[Series]]:
    """Reads any set of the two archives.

    Series of different lengths keep their own. The packed ``ucr_wafer`` and ``ucr_ecg5000`` lack
    the first test series of the archive.

    Args:
        folder: Holds ``Wafer_TRAIN.ts`` and ``Wafer_TEST.ts`` (or ``.tsv``, or the older ``.txt``
            tables), or ``data.npz``.
        name: Which set, where the folder holds several.

    Returns:
        Training and test series; the label is the name of the class, one per series.

    Raises:
        ValueError: If a file is missing or of another form.
    """
    if (folder / "data.npz").is_file():
        return _packed(folder / "data.npz", name)
    found = {part: _files(folder, part) for part in ("TRAIN", "TEST")}
    short = name.partition("_")[2] or name
    stems = [stem for stem in found["TRAIN"] if stem in found["TEST"]]
    same = [stem for stem in stems if stem.lower() == short.lower()] or stems
    if len(same) != 1:
        spelled = next(
            (info.files[0].removesuffix("_TRAIN.ts") for info in INFO if info.name == name), short
        )
        raise absent(folder, f"{spelled}_TRAIN.ts and {spelled}_TEST.ts", "data.npz")
    train, test = (_publishers(found[part][same[0]], part.lower()) for part in ("TRAIN", "TEST"))
    return train, test


def _packed(path: Path, name: str) -> tuple[list[Series], list[Series]]:
    short = name.partition("_")[2] or name
    parts = []
    with np.load(path, allow_pickle=False) as arrays:
        for part in ("train", "test"):
            x, classes = arrays[f"X_{part}"], arrays["classes"]
            padded = f"len_{part}" in arrays
            lengths = arrays[f"len_{part}"] if padded else np.full(len(x), x.shape[2])
            parts.append(
                [
                    _series(one[:, :length].T, str(classes[label]), f"{short} {part} {i}")
                    for i, (one, length, label) in enumerate(
                        zip(x, lengths, arrays[f"y_{part}"], strict=True)
                    )
                ]
            )
    return parts[0], parts[1]


def _files(folder: Path, part: str) -> dict[str, Path]:
    """The publisher's name of every set of which ``part`` lies in the folder or below it."""
    found = {}
    for suffix in reversed(SUFFIXES):  # .ts wins: it alone says how series are padded
        for path in sorted(folder.rglob(f"*_{part}{suffix}")):
            found[path.name.removesuffix(f"_{part}{suffix}")] = path
    return found


def _publishers(path: Path, part: str) -> list[Series]:
    if path.suffix == ".ts":
        read = load_ts(path)
    else:
        read = wide_series(load_text(path, sniff(path)), path)
    short = path.stem.rpartition("_")[0].lower()
    series = []
    for i, one in enumerate(read):
        if one.label is None:
            raise ValueError(f"{path} must name the class of every series; say @classLabel true.")
        series.append(_series(one.values, str(one.label[0]), f"{short} {part} {i}"))
    return series


def _series(values: np.ndarray, label: str, name: str) -> Series:
    return Series(values, np.asarray(label), name, label_name="class")
