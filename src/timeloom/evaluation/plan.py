"""What is to be compared: a plan of sets, methods and seeds, read from TOML and checked at once."""

import difflib
import re
import tomllib
from dataclasses import dataclass, field
from itertools import product
from os import PathLike
from pathlib import Path
from typing import Any, NoReturn

from timeloom.evaluation.rivals import RIVALS
from timeloom.methods import settings as known

__all__ = ["Cell", "MethodPlan", "Plan", "SetPlan", "read_plan"]

SPLITS = ("series", "time")
TASKS = ("classify", "regress")
COLUMNS = {"series": str, "time": str, "label": str, "channels": list}
PLAN: dict[str, type] = {
    **{"sets": list, "methods": list, "seeds": list, "metrics": list, "task": str},
    **{"length": int, "stride": int, "count": int, "limit": int},
}
SET: dict[str, type] = {
    **{"name": str, "file": str, "test": str, "label": str, "columns": dict},
    **{"length": int, "stride": int, "split": str, "share": float},
}
METHOD: dict[str, type] = {
    **{"name": str, "label": str, "settings": dict, "steps": int, "minutes": float},
    **{"windows": str, "columns": dict},
}
WORDS = {int: "a whole number", float: "a number", str: "text", list: "a list", dict: "a table"}


@dataclass(frozen=True)
class SetPlan:
    """One data set of a plan.

    Attributes:
        label: What the tables call it.
        name: Of a public data set; empty where it is a file.
        file: Of recordings; None where it is a public set.
        test: File of held-out recordings; None: the set's own test part, or a split.
        length: Time points per window; None: whole series.
        stride: Time points between the starts of two windows.
        split: ``"series"``, ``"time"``, or empty: by series where there are at least five.
        share: Of the windows that are trained on, where the set is split.
        columns: How a file's columns are named, as pairs.
    """

    label: str
    name: str = ""
    file: Path | None = None
    test: Path | None = None
    length: int | None = None
    stride: int = 1
    split: str = ""
    share: float = 0.8
    columns: tuple[tuple[str, Any], ...] = ()

    @property
    def folder(self) -> str:
        """The label as the name of a folder."""
        return _slug(self.label)


@dataclass(frozen=True)
class MethodPlan:
    """One method of a plan.

    Attributes:
        label: What the tables call it.
        name: Of a method or a built-in rival; empty where it is a table of windows.
        settings: Those that differ from the defaults.
        windows: Path of windows made elsewhere; ``{set}`` and ``{seed}`` stand for a cell's.
        columns: How the columns of such a table are named.
    """

    label: str
    name: str = ""
    settings: dict[str, Any] = field(default_factory=dict, hash=False)
    windows: str = ""
    columns: tuple[tuple[str, Any], ...] = ()

    def table(self, data: SetPlan, seed: int) -> Path:
        """Where the windows for a set and a seed lie."""
        filled = self.windows.replace("{set}", data.label).replace("{seed}", str(seed))
        return Path(filled)


@dataclass(frozen=True)
class Cell:
    """One measurement: a method on a set with a seed."""

    data: SetPlan
    method: MethodPlan
    seed: int

    @property
    def name(self) -> str:
        """As messages call it."""
        return f"{self.data.label} / {self.method.label} / seed {self.seed}"

    def home(self, folder: Path) -> Path:
        """The cell's own folder below the comparison's."""
        method = _slug(self.method.label)
        return folder / "cells" / self.data.folder / method / f"seed-{self.seed}"


@dataclass(frozen=True)
class Plan:
    """Sets x methods x seeds, and how each cell is measured.

    Attributes:
        sets: The data.
        methods: What generates.
        seeds: One cell each; at least three for a spread.
        count: Windows to generate; as many as were trained on, ``limit`` at most, where None.
        limit: Windows a side at most that are compared.
        metrics: Names; the default ones where None.
        task: ``"classify"``, ``"regress"`` or None: from the labels.
    """

    sets: tuple[SetPlan, ...]
    methods: tuple[MethodPlan, ...]
    seeds: tuple[int, ...] = (0, 1, 2)
    count: int | None = None
    limit: int = 2000
    metrics: tuple[str, ...] | None = None
    task: str | None = None

    def cells(self, part: tuple[int, int] = (1, 1)) -> list[Cell]:
        """Every n-th cell from the i-th, for ``part`` (i, n); set by set.

        Raises:
            ValueError: If i is not between 1 and n.
        """
        first, parts = part
        if not 1 <= first <= parts:
            raise ValueError(f"a part i/n needs 1 <= i <= n, for example 1/2; got {first}/{parts}.")
        every = [Cell(*one) for one in product(self.sets, self.methods, self.seeds)]
        return every[first - 1 :: parts]


def read_plan(path: str | PathLike[str]) -> Plan:
    """The plan in a TOML file; paths in it are looked up from its own folder.

    Args:
        path: See ``docs/compare.md`` for the keys.

    Raises:
        ValueError: If the file is missing or no TOML, holds an unknown key (the nearest valid one
            is offered), a value of a wrong kind, an unknown set, method or setting, or names a
            file that is not there.
    """
    path = Path(path)
    try:
        given = tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ValueError(
            f"{path} is not a TOML file ({error}); write lines like seeds = [0, 1, 2]."
        ) from None
    except (FileNotFoundError, IsADirectoryError):
        raise ValueError(f"there is no plan {path}; expected a TOML file.") from None
    try:
        return _plan(given, path.parent)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None


def _plan(given: dict[str, Any], folder: Path) -> Plan:
    _keys(given, PLAN, "the plan")
    _at_least(given, {"length": 2, "stride": 1, "count": 10, "limit": 10}, "the plan")
    for what in ("sets", "methods"):
        if not given.get(what):
            _refuse(f"at least one [[{what}]] is needed; got none.")
    seeds = given.get("seeds", [0, 1, 2])
    if not seeds or any(type(seed) is not int or seed < 0 for seed in seeds):
        _refuse(f"seeds must be a list of whole numbers from 0, as [0, 1, 2]; got {seeds}.")
    if len(set(seeds)) < len(seeds):
        _refuse(f"seeds must differ; got {seeds}.")
    _one_of(given, "task", TASKS, "the plan")
    metrics = given.get("metrics")
    if metrics is not None and (not metrics or any(not isinstance(m, str) for m in metrics)):
        _refuse(f"metrics must be a list of names; got {metrics}. Leave it out for the default.")
    plan = Plan(
        tuple(_set(one, given, folder, i) for i, one in enumerate(given["sets"], 1)),
        tuple(_method(one, folder, i) for i, one in enumerate(given["methods"], 1)),
        tuple(seeds),
        given.get("count"),
        given.get("limit", 2000),
        None if metrics is None else tuple(metrics),
        given.get("task"),
    )
    _apart([one.label for one in plan.sets], "sets")
    _apart([one.label for one in plan.methods], "methods")
    _check_tables(plan)
    return plan


def _set(given: Any, plan: dict[str, Any], folder: Path, number: int) -> SetPlan:
    where = f"set {number}"
    _keys(given, SET, where)
    _at_least(given, {"length": 2, "stride": 1}, where)
    if ("name" in given) == ("file" in given):
        _refuse(f"{where} needs either name = (a public data set) or file = (recordings).")
    _one_of(given, "split", SPLITS, where)
    if not 0 < given.get("share", 0.8) < 1:
        _refuse(f"{where}: share must lie between 0 and 1, as 0.8; got {given['share']}.")
    if "file" in given:
        file = _file(folder / given["file"], where)
        test = _file(folder / given["test"], where) if "test" in given else None
        name = ""
    else:
        for key in ("test", "columns"):
            if key in given:
                _refuse(f"{where}: {key} goes with file =; a public set knows its own.")
        name, file, test = _public(given["name"], where), None, None
    return SetPlan(
        given.get("label") or (name if file is None else file.name.split(".")[0]),
        name,
        file,
        test,
        given.get("length", plan.get("length")),
        given.get("stride", plan.get("stride", 1)),
        given.get("split", ""),
        float(given.get("share", 0.8)),
        _columns(given, where),
    )


def _method(given: Any, folder: Path, number: int) -> MethodPlan:
    where = f"method {number}"
    _keys(given, METHOD, where)
    if ("name" in given) == ("windows" in given):
        _refuse(f"{where} needs either name = (a method) or windows = (a table made elsewhere).")
    if "windows" in given:
        for key in ("settings", "steps", "minutes"):
            if key in given:
                _refuse(f"{where}: {key} goes with name =; windows made elsewhere have none.")
        label = given.get("label") or Path(given["windows"]).name.split(".")[0]
        path = str(folder / given["windows"])
        return MethodPlan(label, windows=path, columns=_columns(given, where))
    name = given["name"]
    if "columns" in given:
        _refuse(f"{where}: columns go with windows =; {name} reads no table.")
    return MethodPlan(given.get("label") or name, name, _settings(name, given, where))


def _settings(name: str, given: dict[str, Any], where: str) -> dict[str, Any]:
    own = dict(given.get("settings", {}))
    if name in RIVALS:
        for key in ("steps", "minutes"):
            if key in given:
                _refuse(f"{where}: {name} is not trained, so it takes no {key}.")
        return RIVALS[name].check(own, f"{where} ({name})")
    if name not in known.METHODS:
        every = [*known.METHODS, *RIVALS]
        _refuse(f"{where}: there is no method {name!r}{_nearest(name, every)}")
    if name == "tardiff":
        _refuse(
            f"{where}: tardiff steers a run that is there already, so a plan cannot train it; "
            "sample it and give the table as windows =."
        )
    if "seed" in own:
        _refuse(f"{where}: the seed is the cell's; list seeds at the top of the plan instead.")
    if "steps" in given and "minutes" in given:
        _refuse(f"{where}: steps and minutes are two budgets for one training; give one of them.")
    try:
        own = known.check(name, own)
    except ValueError as error:
        _refuse(f"{where}: {error}")
    if "steps" in given:
        _at_least(given, {"steps": 1}, where)
        # The other budgets would win over the steps.
        own |= {"train_steps": given["steps"], "minutes": None, "windows_seen": None}
    if "minutes" in given:
        own |= {"minutes": float(given["minutes"])}
    return own


def _public(name: str, where: str) -> str:
    from timeloom.data.sets import find, resolve

    try:
        find(name)
    except ValueError as error:
        _refuse(f"{where}: {error}")
    return resolve(name) or name


def _file(path: Path, where: str) -> Path:
    if path.is_file():
        return path
    beside = [one.name for one in path.parent.glob("*")] if path.parent.is_dir() else []
    near = difflib.get_close_matches(path.name, beside, n=1, cutoff=0.6)
    hint = f"did you mean {near[0]}?" if near else "check the name; it counts from the plan."
    _refuse(f"{where}: there is no file {path}; {hint}")


def _columns(given: dict[str, Any], where: str) -> tuple[tuple[str, Any], ...]:
    columns = given.get("columns", {})
    _keys(columns, COLUMNS, f"{where}, columns")
    return tuple((k, tuple(v) if isinstance(v, list) else v) for k, v in columns.items())


def _check_tables(plan: Plan) -> None:
    for number, method in enumerate(plan.methods, 1):
        for data, seed in product(plan.sets if method.windows else (), plan.seeds):
            _file(method.table(data, seed), f"method {number} ({method.label})")


def _keys(given: Any, kinds: dict[str, type], where: str) -> None:
    if not isinstance(given, dict):
        _refuse(f"{where} must be a table of keys; got {given!r}.")
    for key, value in given.items():
        if key not in kinds:
            _refuse(f"{where} has no key {key!r}{_nearest(key, list(kinds))}")
        kind = kinds[key]
        if type(value) is not kind and not (kind is float and type(value) is int):
            _refuse(f"{where}: {key} must be {WORDS[kind]}; got {value!r}.")


def _at_least(given: dict[str, Any], least: dict[str, int], where: str) -> None:
    for key, low in least.items():
        if key in given and given[key] < low:
            _refuse(f"{where}: {key} must be at least {low}; got {given[key]}.")


def _one_of(given: dict[str, Any], key: str, words: tuple[str, ...], where: str) -> None:
    if key in given and given[key] not in words:
        _refuse(f"{where}: {key} must be {' or '.join(map(repr, words))}; got {given[key]!r}.")


def _apart(labels: list[str], what: str) -> None:
    slugs = [_slug(label) for label in labels]
    for i, slug in enumerate(slugs):
        if not slug:
            _refuse(f"the label {labels[i]!r} of one of the {what} needs a letter or a digit.")
        if slug in slugs[:i]:
            other = labels[slugs.index(slug)]
            _refuse(
                f"two {what} are called {other!r} and {labels[i]!r}, which share a folder; give "
                "one another label = ."
            )


def _slug(label: str) -> str:
    return re.sub(r"[^\w.]+", "-", label.lower()).strip("-.")


def _nearest(name: str, every: list[str]) -> str:
    near = difflib.get_close_matches(name, every, n=1, cutoff=0.5)
    return f"; did you mean {near[0]!r}?" if near else f"; there are {', '.join(every)}."


def _refuse(sentence: str) -> NoReturn:
    raise ValueError(sentence)
