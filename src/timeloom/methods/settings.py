"""The settings of a method, and of a run folder, read without importing torch.

Defaults live once, as the fields of a method's dataclass. A command line that misspells one should
hear so at once, yet importing the method would import torch, which takes seconds: here the fields
are read from the source file.
"""

import ast
import difflib
import json
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

__all__ = [
    "DETECTORS",
    "FORMAT",
    "METHODS",
    "Setting",
    "check",
    "describe",
    "names",
    "read_run",
    "read_settings",
]

METHODS = {  # where each method's class is
    "diffmts": "timeloom.methods.diffmts:DiffMTS",
    "tardiff": "timeloom.methods.tardiff:TarDiff",
    "imagenfew": "timeloom.methods.imagenfew:ImagenFew",
    "ddmt": "timeloom.methods.ddmt:DDMT",
}
DETECTORS = ("ddmt",)  # those of the methods that score and draw nothing
FORMAT = 1  # of the run folders that this version writes and reads

_TYPES: dict[str, type] = {"int": int, "float": float, "bool": bool, "str": str}
_TRUTHS = {"true": True, "yes": True, "on": True, "1": True}
_TRUTHS |= {"false": False, "no": False, "off": False, "0": False}


@dataclass(frozen=True)
class Setting:
    """One field of a method, which is a dataclass of its settings.

    Attributes:
        default: The value that holds where none is given.
        types: What it may be: some of int, float, bool, str.
        optional: Whether it may be None.
    """

    default: Any
    types: tuple[type, ...]
    optional: bool


def names(method: str) -> dict[str, Any]:
    """Every setting of a method with its default.

    Raises:
        ValueError: If there is no such method.
    """
    return {name: setting.default for name, setting in describe(method).items()}


@cache
def describe(method: str) -> dict[str, Setting]:
    """Every setting of a method with its default and its types.

    Arguments that are no JSON values (a network, say) can be given in Python only and are left out.

    Raises:
        ValueError: If there is no such method.
    """
    if method not in METHODS:
        raise ValueError(
            f"METHOD must be one of {', '.join(METHODS)}; got {method!r}{_nearest(method, METHODS)}"
        )
    module, name = METHODS[method].split(":")
    return _read_source(module, name)


def check(method: str, given: dict[str, Any] | list[str]) -> dict[str, Any]:
    """Settings with the types that the method expects.

    Args:
        method: Name of the method.
        given: ``{"width": 64}`` as a file gives them, or ``["width=64"]`` as a command line does.

    Returns:
        The same settings by name; text has become numbers, truth values or None.

    Raises:
        ValueError: If a setting is unknown (the nearest valid name is offered) or has a wrong type.
    """
    known = describe(method)
    pairs = [_pair(text) for text in given] if isinstance(given, list) else list(given.items())
    checked = {}
    for name, value in pairs:
        if name not in known:
            raise ValueError(f"{method} has no setting {name!r}{_nearest(name, known)}")
        checked[name] = _convert(name, value, known[name])
    return checked


def read_run(folder: str | Path) -> dict[str, Any]:
    """What ``settings.json`` of a run folder says, after checking that the folder is whole.

    Raises:
        ValueError: If the folder is no run folder, is half written, or was written by a newer
            timeloom.
    """
    folder = Path(folder)
    run = read_settings(folder)
    if not (folder / "weights.safetensors").is_file():
        raise ValueError(
            f"{folder} is half written: it has no weights.safetensors; go on with timeloom fit "
            f"{run['method']} … -o {folder} --resume."
        )
    return run


def read_settings(folder: Path) -> dict[str, Any]:
    """As :func:`read_run`, of a run that need not have ended."""
    file = folder / "settings.json"
    if not folder.exists():
        raise ValueError(f"the run folder {folder} does not exist; train one with timeloom fit.")
    if not file.is_file():
        raise ValueError(
            f"{folder} holds no settings.json, so it is no run folder or was left half written; "
            "give the folder that timeloom fit or adapt wrote, or train it again."
        )
    try:
        run = json.loads(file.read_text(encoding="utf-8"))
        written, _ = int(run["format"]), str(run["method"])
        if written <= FORMAT and not (isinstance(run["settings"], dict) and "fit" in run):
            raise KeyError("fit")
    except (ValueError, KeyError, TypeError):
        raise ValueError(
            f"{file} is damaged or was not written by timeloom; train the run again."
        ) from None
    if written > FORMAT:
        raise ValueError(
            f"{folder} was written by a newer timeloom ({run.get('version', 'unknown')}, format "
            f"{written}; this one reads up to {FORMAT}); upgrade with pip install -U timeloom."
        )
    return run


def _read_source(module: str, name: str) -> dict[str, Setting]:
    spec = find_spec(module)
    if spec is None or spec.origin is None:
        raise ModuleNotFoundError(f"timeloom is installed without {module}; install it again.")
    tree = ast.parse(Path(spec.origin).read_text(encoding="utf-8"))
    constants = {
        node.targets[0].id: node.value
        for node in tree.body
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name)
    }
    for node in tree.body:
        if isinstance(node, ast.ClassDef) and node.name == name:
            return _read_fields(node, constants)
    raise RuntimeError(f"{module} defines no class {name}.")


def _read_fields(node: ast.ClassDef, constants: dict[str, ast.expr]) -> dict[str, Setting]:
    """The fields of a dataclass: ``width: int = 32``."""
    settings = {}
    for field in node.body:
        if not isinstance(field, ast.AnnAssign) or not isinstance(field.target, ast.Name):
            continue
        default = field.value
        if isinstance(default, ast.Name):
            default = constants.get(default.id, default)
        words = set(ast.unparse(field.annotation).split(" | "))
        types = tuple(kind for word, kind in _TYPES.items() if word in words)
        if default is not None and types:
            value = ast.literal_eval(default)
            settings[field.target.id] = Setting(value, types, "None" in words)
    return settings


def _pair(text: str) -> tuple[str, str]:
    name, sign, value = text.partition("=")
    if not sign or not name.strip():
        raise ValueError(f"--set expects name=value, for example --set width=64; got {text!r}.")
    return name.strip(), value.strip()


def _convert(name: str, value: Any, setting: Setting) -> Any:
    if setting.optional and (value is None or value == "none" or value == "None"):
        return None
    for kind in setting.types:
        if isinstance(value, str) and kind is bool and value.lower() in _TRUTHS:
            return _TRUTHS[value.lower()]
        if isinstance(value, str) and kind in (int, float, str):
            try:
                return kind(value)
            except ValueError:
                continue
        if type(value) is kind or (kind is float and type(value) is int):
            return kind(value)
    wanted = " or ".join(kind.__name__ for kind in setting.types)
    wanted += " or none" if setting.optional else ""
    raise ValueError(
        f"setting {name!r} must be {wanted} (default {setting.default}); got {value!r}."
    )


def _nearest(name: str, known: Any) -> str:
    near = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
    return f"; did you mean {near[0]!r}?" if near else f"; there are {', '.join(known)}."
