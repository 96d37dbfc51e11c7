"""Methods x sets x seeds in independent cells: each measured once, kept, and never lost."""

import difflib
import errno
import hashlib
import json
import shutil
import traceback
from collections.abc import Generator, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from functools import cache, lru_cache
from pathlib import Path
from typing import Any

import timeloom
from timeloom.data.atomic import atomic
from timeloom.data.windows import Series, Windows, cut, split
from timeloom.evaluation.arms import check as check_alike
from timeloom.evaluation.plan import Cell, MethodPlan, Plan, SetPlan
from timeloom.evaluation.rivals import RIVALS
from timeloom.evaluation.rows import evaluate_rows, known_metrics, planned
from timeloom.methods import settings as known
from timeloom.metrics.record import Record, read_records, write_records

__all__ = ["Stage", "attempt", "compare", "gather", "pending", "prepare", "training_windows"]

FULL = (errno.ENOSPC, errno.EDQUOT, errno.EROFS)  # no other cell would fare better
ENOUGH = 5  # series from which a set is split by whole series
LONGEST_WHOLE = 1024  # a longer series is hardly meant to be one window
CELL, RECORDS, ERROR, RUN = "cell.json", "records.jsonl", "error.txt", "run"
WAITING = "not measured yet"
TRAINING = 0.5  # of a cell's progress


@dataclass(frozen=True)
class Stage:
    """How far a cell is.

    Attributes:
        share: That is done, in [0, 1].
        text: What is being done, or what went wrong.
        state: ``"busy"``, ``"done"`` or ``"failed"``.
    """

    share: float
    text: str
    state: str = "busy"


def compare(plan: Plan, folder: str | Path, *, again: bool = False) -> tuple[list[Record], str]:
    """Measures every cell of a plan that has no records yet, and writes the table of ranks.

    Args:
        plan: From :func:`timeloom.evaluation.plan.read_plan`.
        folder: Where cells and tables lie.
        again: Measure changed cells anew, as :func:`prepare` says.

    Returns:
        The records of all cells, and the table of ranks in Markdown.

    Raises:
        ValueError: As :func:`prepare`.
    """
    from timeloom.report.ranks import markdown_page, rank, write_ranks

    folder = Path(folder)
    for cell in prepare(plan, folder, again=again):
        for _ in attempt(plan, cell, folder):
            pass
    records, missing = gather(plan, folder)
    ranks = rank(records, missing)
    write_ranks(folder, ranks, records)
    return records, markdown_page(ranks)


def prepare(
    plan: Plan, folder: Path, *, part: tuple[int, int] = (1, 1), again: bool = False
) -> list[Cell]:
    """The cells of a part that are still to be measured, after checking all that can be checked.

    Sets are read and cut, tables of windows are read and compared with them. Cells that failed
    before are tried again; a fit that was stopped goes on where it was.

    Args:
        plan: The plan.
        folder: Where cells lie.
        part: (i, n): every n-th cell from the i-th, so that processes can share a folder.
        again: Forget cells whose settings differ from the plan's, and what failed ones had
            trained, and measure them anew; refuse otherwise.

    Raises:
        ValueError: If a metric or a part is not known, a set or a table of windows cannot be
            used, or a cell was measured with other settings.
    """
    training_windows.cache_clear()  # a file may have been written anew since
    _check_names(plan)
    cells = plan.cells(part)
    for cell in cells:
        home = cell.home(folder)
        changed = _changed(plan, cell, folder)
        if changed and not again:
            raise ValueError(
                f"{home} was measured with other settings ({changed}); give --again to measure it "
                "anew, or another folder with -o."
            )
        if again and home.is_dir() and (changed or (home / ERROR).exists()):
            _forget(home)
    left = [cell for cell in cells if not (cell.home(folder) / RECORDS).is_file()]
    _check_data(left)
    return left


def pending(plan: Plan, folder: Path) -> list[Cell]:
    """The cells of the whole plan that have no records of the plan's settings."""
    return [
        cell
        for cell in plan.cells()
        if not (cell.home(folder) / RECORDS).is_file() or _changed(plan, cell, folder)
    ]


def attempt(plan: Plan, cell: Cell, folder: Path) -> Iterator[Stage]:
    """Measures a cell and yields how far it is; the last stage says how it ended.

    Its folder holds ``cell.json`` (settings), ``run`` (what was trained) and, at the very end,
    ``records.jsonl``. An error is kept in ``error.txt`` and does not stop the others.

    Raises:
        OSError: If the disk is full: then no other cell can be written either.
    """
    home = cell.home(folder)
    home.mkdir(parents=True, exist_ok=True)
    _write(home / CELL, json.dumps(_settings(plan, cell), indent=1) + "\n")
    (home / ERROR).unlink(missing_ok=True)
    try:
        yield from _measure(plan, cell, home)
    except Exception as error:
        if isinstance(error, OSError) and error.errno in FULL:
            raise
        sentence = " ".join(str(error).split())
        if not isinstance(error, ValueError):
            sentence = f"{type(error).__name__}: {sentence}"
        trace = "".join(traceback.format_exception(error))
        _write(home / ERROR, f"{sentence}\n\n{trace}")
        yield Stage(1.0, sentence, "failed")


def gather(plan: Plan, folder: Path) -> tuple[list[Record], dict[str, str]]:
    """What stands in the folder, whichever process measured it.

    Returns:
        The records of the plan's cells, in its order; and the cells that have none, by name, with
        the reason.
    """
    left = set(pending(plan, folder))
    records: list[Record] = []
    missing: dict[str, str] = {}
    for cell in plan.cells():
        home = cell.home(folder)
        if cell not in left:
            records += read_records(home / RECORDS)
        elif (home / ERROR).is_file():
            lines = (home / ERROR).read_text(encoding="utf-8").splitlines()
            missing[cell.name] = lines[0] if lines else "it failed and left no reason"
        elif (home / RECORDS).is_file():
            missing[cell.name] = f"measured with other settings ({_changed(plan, cell, folder)})"
        else:
            missing[cell.name] = WAITING
    return records, missing


@lru_cache(maxsize=1)
def training_windows(data: SetPlan) -> tuple[Windows, Windows]:
    """The windows of a set that generators are trained on, and the held-out ones.

    A set without a part for testing is split the same way for every seed: by whole series, or by
    time with a gap of one window.

    Raises:
        ValueError: If the set cannot be read, or its windows cannot be cut or split.
    """
    train, test = _series(data)
    length = data.length or _whole_length(data, train)
    windows = cut(_long_enough(train, length, data), length, data.stride)
    if test is not None:
        return windows, cut(_long_enough(test, length, data), length, data.stride)
    by = data.split or ("series" if len(train) >= ENOUGH else "time")
    first, second = split(windows, data.share, 1 - data.share, by=by, seed=0)
    return first, second


def _measure(plan: Plan, cell: Cell, home: Path) -> Iterator[Stage]:
    yield Stage(0.0, "reading")
    train, held_out = training_windows(cell.data)
    count = plan.count or min(len(train), plan.limit)
    rival = RIVALS.get(cell.method.name)
    if rival is not None:
        own = cell.method.settings
        real, made = rival.make(train, held_out, count=count, seed=cell.seed, **own)
    elif cell.method.windows:
        real, made = held_out, _table(cell)
    else:
        real = held_out
        model = yield from _fitted(cell, train, home / RUN)
        yield Stage(TRAINING, f"drawing {count:,} windows")
        made = model.sample(count, seed=cell.seed)
    names = planned(real, made, train, plan.task, plan.metrics)
    if not names:
        raise ValueError(
            f"none of the plan's metrics can be measured on {cell.data.label} with "
            f"{cell.method.label}; those of labels need labels on every side."
        )
    rows = evaluate_rows(
        real,
        made,
        train,
        task=plan.task,
        seeds=(cell.seed,),
        method=cell.method.label,
        data=cell.data.label,
        limit=plan.limit,
        metrics=plan.metrics,
    )
    records = []
    for number, record in enumerate(rows, start=1):
        about = {"kind": cell.method.name or "windows", "count": len(made)}
        records.append(replace(record, settings={**record.settings, **about}))
        share = TRAINING + (1 - TRAINING) * number / max(len(names), number)
        yield Stage(min(share, 0.99), f"{number} of {len(names)} measures")
    write_records(home / RECORDS, records)
    yield Stage(1.0, f"{len(records)} records", "done")


def _fitted(cell: Cell, train: Windows, run: Path) -> Generator[Stage, None, Any]:
    """The trained generator, from its run folder where it has ended, else trained to the end."""
    from timeloom.methods import find
    from timeloom.methods.estimator import fingerprint

    method = find(cell.method.name)
    if (run / "weights.safetensors").is_file():
        if known.read_run(run)["fit"].get("data") != fingerprint(train):
            raise ValueError(f"{run} was trained on other data; give --again to train it anew.")
        return method.load(run)
    model = method(**cell.method.settings, seed=cell.seed)
    for step in model.training(train, folder=run, resume=True):
        yield Stage(TRAINING * step.share, f"training, step {step.step:,}, loss {step.loss:.4f}")
    return model


def _table(cell: Cell) -> Windows:
    from timeloom.data.files import read_windows

    return read_windows(cell.method.table(cell.data, cell.seed), **_named(cell.method.columns))


def _series(data: SetPlan) -> tuple[list[Series], list[Series] | None]:
    from timeloom.data.files import read
    from timeloom.data.sets import load_dataset

    if data.file is None:
        found = load_dataset(data.name)
        return found if isinstance(found, tuple) else (found, None)
    named = _named(data.columns)
    return read(data.file, **named), None if data.test is None else read(data.test, **named)


def _named(columns: tuple[tuple[str, Any], ...]) -> dict[str, Any]:
    return {name: list(one) if isinstance(one, tuple) else one for name, one in columns}


def _whole_length(data: SetPlan, series: list[Series]) -> int:
    lengths = sorted({len(one) for one in series})
    if len(series) > 1 and len(lengths) == 1 and lengths[0] <= LONGEST_WHOLE:
        return lengths[0]
    raise ValueError(
        f"the set {data.label} holds {len(series)} series of {lengths[0]} to {lengths[-1]} time "
        f"points; say how long a window is, as length = {min(48, lengths[0])}."
    )


def _long_enough(series: list[Series], length: int, data: SetPlan) -> list[Series]:
    kept = [one for one in series if len(one) >= length]
    if not kept:
        longest = max((len(one) for one in series), default=0)
        raise ValueError(
            f"no series of the set {data.label} has {length} time points (the longest: {longest}); "
            "ask for a smaller length."
        )
    return kept


def _check_names(plan: Plan) -> None:
    from timeloom.methods import find

    every = known_metrics()
    for name in plan.metrics or ():
        if name not in every:
            near = difflib.get_close_matches(name, every, n=1)
            hint = f"did you mean {near[0]!r}?" if near else f"there are {', '.join(every)}."
            raise ValueError(f"the plan's metrics: there is no metric {name!r}; {hint}")
    for name in {one.name for one in plan.methods} & set(known.METHODS):
        if not hasattr(find(name), "sample"):
            raise ValueError(f"{name} generates no windows; leave it out of the plan's methods.")


def _check_data(cells: Sequence[Cell]) -> None:
    for cell in cells:  # set by set, so that each is read once
        train, held_out = training_windows(cell.data)
        if cell.method.windows:
            try:
                check_alike(held_out, _table(cell), train)
            except ValueError as error:
                raise ValueError(f"{cell.name}: {error}") from None


def _settings(plan: Plan, cell: Cell) -> dict[str, Any]:
    """All that a cell's records depend on, as JSON values."""
    data = {key: value for key, value in asdict(cell.data).items() if key not in ("file", "test")}
    data |= {
        key: None if path is None else f"{path.name} ({_digest(path)})"
        for key, path in (("file", cell.data.file), ("test", cell.data.test))
    }
    whole = {
        "set": data,
        "method": {"label": cell.method.label, "name": cell.method.name, **_own(cell.method)},
        "seed": cell.seed,
        **{key: getattr(plan, key) for key in ("count", "limit", "metrics", "task")},
    }
    if cell.method.windows:
        table = cell.method.table(cell.data, cell.seed)
        whole["method"]["windows"] = f"{table.name} ({_digest(table)})"
    plain = json.loads(json.dumps(whole))  # tuples become lists, as they come back from the file
    digest = hashlib.sha256(json.dumps(plain, sort_keys=True).encode()).hexdigest()[:16]
    return {**plain, "fingerprint": digest, "version": timeloom.__version__}


def _own(method: MethodPlan) -> dict[str, Any]:
    """A method's settings with the defaults filled in, so that a new default is noticed too."""
    every = dict(method.settings)
    if method.name in known.METHODS:
        every = {**known.names(method.name), **every}
    # Where it was trained, and the seed, which stands beside, say nothing of what was asked for.
    return {"settings": {k: v for k, v in every.items() if k not in ("device", "seed")}}


def _changed(plan: Plan, cell: Cell, folder: Path) -> str:
    """What differs between a cell's folder and the plan, in words; empty where nothing does."""
    file = cell.home(folder) / CELL
    if not file.is_file():
        return ""
    now = _settings(plan, cell)
    try:
        before = json.loads(file.read_text(encoding="utf-8"))
        if before["fingerprint"] == now["fingerprint"]:
            return ""
        old, new = _flat(before), _flat(now)
    except (ValueError, KeyError, TypeError, AttributeError):
        return f"{CELL} is damaged"
    skip = ("fingerprint", "version")
    names = [n for n in {**old, **new} if n not in skip and old.get(n) != new.get(n)]
    some = [f"{name} was {old.get(name)!r}, now {new.get(name)!r}" for name in names[:3]]
    return "; ".join(some) + (f" and {len(names) - 3} more" if len(names) > 3 else "")


def _flat(nested: dict[str, Any], above: str = "") -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in nested.items():
        path = f"{above}{name}"
        found |= _flat(value, f"{path}.") if isinstance(value, dict) else {path: value}
    return found


def _forget(home: Path) -> None:
    # Records last: a folder with cell.json and no records is a cell that was begun.
    shutil.rmtree(home / RUN, ignore_errors=True)
    for name in (ERROR, RECORDS, CELL):
        (home / name).unlink(missing_ok=True)


def _digest(path: Path) -> str:
    there = path.stat()
    return _hash(path, there.st_size, there.st_mtime_ns)


@cache
def _hash(path: Path, size: int, changed: int) -> str:
    """Of the content; ``size`` and ``changed`` make a rewritten file another argument."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()[:16]


def _write(path: Path, text: str) -> None:
    with atomic(path) as there:
        there.write_text(text, encoding="utf-8")
