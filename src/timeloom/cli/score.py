"""``timeloom score``: how abnormal is each time point, and which channels are to blame?"""

import shlex
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import typer

from timeloom.cli import options
from timeloom.cli.follow import UNNAMED
from timeloom.cli.inputs import TABLES, check_data, check_output, read_data
from timeloom.cli.messages import say, show, writing
from timeloom.cli.options import Columns
from timeloom.cli.progress import track
from timeloom.data.windows import Series
from timeloom.methods.settings import DETECTORS, read_run

__all__ = ["score"]

LINES = (".jsonl", ".csv")  # what a stream is written as


def score(
    context: typer.Context,
    run: options.Run,
    data: Annotated[
        str,
        typer.Argument(
            metavar="DATA", help="A data set's name, a file, or - with --follow: standard input."
        ),
    ],
    out: Annotated[
        Path | None,
        typer.Option(
            "-o",
            "--out",
            metavar="FILE",
            help=".parquet, .csv or .npz to write; with --follow .jsonl or .csv, and by default "
            "JSON lines on standard output.",
        ),
    ] = None,
    page: Annotated[
        Path | None, typer.Option("--page", metavar="FILE", help="A page to look at, .html.")
    ] = None,
    alarm_rate: Annotated[
        float | None,
        typer.Option("--alarm-rate", help="Share of normal time points that may raise an alarm."),
    ] = None,
    follow: Annotated[
        bool, typer.Option("--follow", help="Score rows of CSV or JSON lines as they come.")
    ] = False,
    once: Annotated[
        bool, typer.Option("--once", help="With --follow: end at the end of the file.")
    ] = False,
    state: Annotated[
        Path | None,
        typer.Option("--state", metavar="FILE", help="With --follow: keep the state here, .npz."),
    ] = None,
    save_every: Annotated[
        float, typer.Option("--save-every", min=0.0, help="Seconds between two saves of it.")
    ] = 60.0,
    lag: Annotated[
        int,
        typer.Option(
            "--lag", min=0, help="With --follow: rows that a score may wait to become steadier."
        ),
    ] = 0,
    device: options.Device = None,
    series: options.SeriesName = None,
    time: options.TimeName = None,
    label: options.Label = None,
    channels: options.Channels = None,
    allow_pickle: options.AllowPickle = False,
) -> int:
    """Score every time point of DATA with a detector's run: 1 row each, per channel too."""
    columns = Columns(series, time, label, channels, allow_pickle)
    _check_ways(data, out, page, follow=follow, only_following=once or lag > 0 or state is not None)
    _check_rate(alarm_rate)
    method = read_run(run)["method"]
    if method not in DETECTORS:
        raise ValueError(
            f"scores come from a run of {' or '.join(DETECTORS)}; {run} is one of {method}. Train "
            f"one with timeloom fit {DETECTORS[0]}."
        )
    from timeloom.methods import load

    how = {} if device is None else {"device": device}
    if follow:
        from timeloom.cli.watch import Watch

        _check_stream(data, state)
        detector = _at_rate(load(run, **how), alarm_rate)
        watch = Watch(detector, run, data, columns, out, state, save_every, once, lag)
        return watch.follow()
    check_data(data)
    found = read_data(data, columns, part="test")
    detector = _at_rate(load(run, **how), alarm_rate)
    said = "timeloom " + shlex.join(context.obj or ["score", str(run), data])
    _score(detector, found, (out, page), _names(data, columns), said)
    return 0


def _at_rate(detector: Any, rate: float | None) -> Any:
    """The detector with the threshold that its calibration gives for another alarm rate.

    Raises:
        ValueError: If so rare a rate cannot be promised.
    """
    if rate is None:
        for note in detector.notes_:
            say(note)
        return detector
    for one in detector.judges_:
        _set_rate(one.rule, rate)
    return detector


def _set_rate(rule: Any, rate: float) -> None:
    """The threshold that a fitted rule has for another alarm rate."""

    def rare(value: float) -> bool:
        return float(rule.p_value(value)) <= rate

    low, high = -1.0, 1.0
    while not rare(high) and high < 1e300:
        high *= 2
    if not rare(high):
        raise ValueError(
            f"the run's rule '{rule.name}' cannot promise an alarm rate of {rate:g}: the rarest it "
            f"knows is {float(rule.p_value(high)):.3g}. Give that or more, or fit with "
            "threshold=pot."
        )
    while rare(low) and low > -1e300:
        low *= 2
    for _ in range(200):  # until no number lies between
        middle = (low + high) / 2
        low, high = (low, middle) if rare(middle) else (middle, high)
    rule.threshold_, rule.alarm_rate = low, rate


def _score(
    detector: Any,
    found: Sequence[Series],
    files: tuple[Path | None, Path | None],
    names: tuple[str, str],
    command: str,
) -> None:
    """Scores recordings and writes the table and the page."""
    import numpy as np

    from timeloom.report.scores import write_scores_page

    out, page = files
    fitted = [_fitting(one, detector.channels_) for one in found]
    _say_left_out(found[0], detector.channels_)
    scores, blame = [], []
    total = sum(map(len, fitted))
    for one in track(fitted, "score", total, unit="time points"):
        bare = replace(one, label=None)
        # anomaly_scores and channel_scores would rebuild every window twice.
        for own, part in zip((scores, blame), detector.both_scores(bare), strict=True):
            own.append(np.asarray(part))
    threshold, rate = float(detector.threshold_), detector.rule_.alarm_rate
    rule = f"{detector.rule_.name}, {rate:g} of normal time points"
    if out is not None:
        out.parent.mkdir(parents=True, exist_ok=True)
        with writing(out):
            _write(out, fitted, scores, blame, threshold, names)
    if page is not None:
        page.parent.mkdir(parents=True, exist_ok=True)
        with writing(page):
            made = {"command": command, "threshold": f"{threshold:.6g} ({rule})"}
            write_scores_page(page, fitted, scores, blame, threshold, made=made)
    _tell(fitted, scores, blame, threshold, rule)
    for what, path in (("scores are", out), ("the page is", page)):
        if path is not None:
            show(f"{what} in {path}")


def _tell(
    found: Sequence[Series], scores: Sequence[Any], blame: Sequence[Any], limit: float, rule: str
) -> None:
    """Says how much was scored, how many alarms there are, and which one is the worst."""
    from timeloom.report.scores import alarms, stamp

    every = alarms(found, scores, blame, limit)
    points, above = sum(map(len, found)), sum(one.end - one.begin for one in every)
    show(
        f"{_count(len(found), 'recording')}, {_count(points, 'time point')}: "
        f"{_count(len(every), 'alarm')}, {_count(above, 'time point')} "
        f"({above / max(points, 1):.2%}) above the threshold {limit:.4g} ({rule})"
    )
    if every:
        worst = every[0]
        one = found[worst.recording]
        guilty = ", ".join(f"{name} {share:.0%}" for name, share in worst.channels)
        show(
            f"worst: {one.name or 'recording'}, {stamp(one, worst.begin)} to "
            f"{stamp(one, worst.end - 1)} ({_count(worst.end - worst.begin, 'time point')}), score "
            f"{worst.score:.4g}; to blame: {guilty or 'no channel in particular'}"
        )
    _tell_events(found, scores, limit)


def _tell_events(found: Sequence[Series], scores: Sequence[Any], threshold: float) -> None:
    """Says how many labelled events met an alarm; labels are used for nothing else."""
    from timeloom.report.scores import events

    if all(one.label is None for one in found):
        return
    name, total, met = found[0].label_name, 0, 0
    for one, score_ in zip(found, scores, strict=True):
        spans = events(one)
        if spans is None:
            say(f"label '{name}' is not 0 or 1 at every time point; it is left alone")
            return
        total += len(spans[0])
        met += sum((score_[a:b] > threshold).any() for a, b in zip(*spans, strict=True))
    show(f"label '{name}', not used for scoring: {_count(total, 'event')}, {met:,} with an alarm")


def _fitting(series: Series, channels: tuple[str, ...]) -> Series:
    """The recording with the channels of the run: by name where both have names, by number else.

    Raises:
        ValueError: If channels are missing, or their number differs.
    """
    own = series.channels
    if own == channels:
        return series
    if set(channels) <= set(own):
        places = [own.index(name) for name in channels]
        return replace(series, values=series.values[:, places], channels=channels)
    unnamed = any(all(UNNAMED.fullmatch(name) for name in side) for side in (own, channels))
    if unnamed and len(own) == len(channels):
        return replace(series, channels=channels)
    missing = [name for name in channels if name not in own]
    expected = f"{len(channels)} channels" + ("" if unnamed else f" with {_few(missing)}")
    raise ValueError(
        f"DATA must have the run's {expected}; got {len(own)}: {_few(own)}. Rename its columns, or "
        "name the measured ones by --channels."
    )


def _say_left_out(series: Series, channels: tuple[str, ...]) -> None:
    if set(channels) < set(series.channels):
        left = [name for name in series.channels if name not in channels]
        say(f"left out, since the run does not know them: {_few(left)}")


def _write(
    out: Path,
    found: Sequence[Series],
    scores: Sequence[Any],
    blame: Sequence[Any],
    threshold: float,
    names: tuple[str, str],
) -> None:
    """One row per time point, written whole or not at all."""
    import numpy as np

    from timeloom.data.atomic import atomic

    tables = (
        _columns(i, *three, threshold, names)
        for i, three in enumerate(zip(found, scores, blame, strict=True))
    )
    with atomic(out) as temporary:
        if out.suffix.lower() == ".npz":
            whole = list(tables)
            arrays = {name: np.concatenate([one[name] for one in whole]) for name in whole[0]}
            own = [name for name in arrays if name.startswith("score:")]
            arrays["channel_scores"] = np.stack([arrays.pop(name) for name in own], axis=1)
            arrays["channels"] = np.array(found[0].channels)
            np.savez(temporary, **arrays)  # pyright: ignore[reportArgumentType]
            return
        import pyarrow as pa
        from pyarrow import csv, parquet

        first = pa.table(next(tables))
        with (
            parquet.ParquetWriter(temporary, first.schema, compression="zstd")
            if out.suffix.lower() == ".parquet"
            else csv.CSVWriter(temporary, first.schema)
        ) as file:
            file.write_table(first)
            for one in tables:
                file.write_table(pa.table(one).cast(first.schema))


def _columns(
    place: int, series: Series, score: Any, blame: Any, threshold: float, names: tuple[str, str]
) -> dict[str, Any]:
    import numpy as np

    count = len(series)
    parts: dict[str, Any] = {names[0]: np.repeat(np.array([series.name or str(place)]), count)}
    if series.time is not None:
        parts[names[1]] = np.asarray(series.time)
    parts["step"] = np.arange(count)
    parts["score"] = np.asarray(score, dtype=np.float64)
    parts["threshold"] = np.full(count, threshold)
    parts["alarm"] = (parts["score"] > threshold).astype(np.int8)
    return parts | {f"score:{name}": blame[:, c] for c, name in enumerate(series.channels)}


def _names(data: str, columns: Columns) -> tuple[str, str]:
    """What series and time are called in the table: as in the file, unless we need the name."""
    from timeloom.cli.impute import role_names

    series, time = role_names(data, columns)
    taken = ("step", "score", "threshold", "alarm")
    series = f"{series}_name" if series in taken else series
    return series, f"{time}_stamp" if time in (*taken, series) else time


def _check_ways(
    data: str, out: Path | None, page: Path | None, *, follow: bool, only_following: bool
) -> None:
    """Refuses options that do not go together, and files that cannot be written."""
    if data == "-" and not follow:
        raise ValueError("- reads standard input, which needs --follow; else name a file or a set.")
    if only_following and not follow:
        raise ValueError(
            "--once, --lag and --state are for streams; give --follow, or leave them out."
        )
    if follow and page is not None:
        raise ValueError("--page shows whole recordings; leave it out, or leave --follow out.")
    if not follow and out is None and page is None:
        raise ValueError("where the scores go is missing; give -o, for example -o scores.parquet.")
    if out is not None:
        check_output(out, LINES if follow else TABLES)
    if page is not None:
        if page.suffix.lower() != ".html" or page.is_dir():
            raise ValueError(f"--page must name a file that ends in .html; got {page}.")
        check_output(page)


def _check_rate(rate: float | None) -> None:
    if rate is not None and not 0 < rate < 1:
        raise ValueError(f"--alarm-rate must lie between 0 and 1, such as 0.01; got {rate:g}.")


def _check_stream(data: str, state: Path | None) -> None:
    """Refuses what is no stream of text."""
    if state is not None:
        if state.suffix.lower() != ".npz" or state.is_dir():
            raise ValueError(f"--state must name a file that ends in .npz; got {state}.")
        check_output(state)
    if data == "-":
        return
    path = Path(data)
    if path.is_dir() or not path.exists():
        what = "a folder" if path.is_dir() else "no file"
        raise ValueError(f"--follow reads a file or - (standard input); {data} is {what}.")
    if path.suffix.lower() in (".parquet", ".pq", ".npz", ".npy", ".gz", ".pkl", ".ts"):
        raise ValueError(
            f"--follow reads lines of CSV or JSON; got {path.name}. Leave --follow out to score "
            "the whole file."
        )


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}" + ("" if number == 1 else "s")


def _few(names: Sequence[str], most: int = 8) -> str:
    return ", ".join(names[:most]) + (", …" if len(names) > most else "")
