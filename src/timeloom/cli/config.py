"""A file of settings for ``fit --config``: what differs from the defaults, checked by pydantic."""

import difflib
import tomllib
from functools import reduce
from operator import or_
from pathlib import Path
from typing import Annotated, Any

from timeloom.methods.settings import describe

__all__ = ["read_config"]


def read_config(path: Path, method: str) -> dict[str, Any]:
    """The settings in a TOML file, checked against the method's.

    Args:
        path: Lists differences from the defaults: the method's settings, and ``window`` and
            ``stride``, which say how the data are cut.
        method: Name of the method.

    Returns:
        Only what the file lists.

    Raises:
        ValueError: If the file is no TOML, lists an unknown key (the nearest valid one is offered)
            or a value of a wrong type.
    """
    try:
        given = tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ValueError(
            f"{path} is not a TOML file ({error}); write lines like width = 64."
        ) from None
    from pydantic import ValidationError

    model = _model(method)
    try:
        return model(**given).model_dump(exclude_unset=True)
    except ValidationError as error:
        raise ValueError(
            f"{path}: {_sentence(error.errors()[0], list(model.model_fields))}"
        ) from None


def _model(method: str) -> Any:
    """A pydantic model with one strictly typed field per setting."""
    from pydantic import ConfigDict, Field, create_model

    fields: dict[str, Any] = {
        "window": (Annotated[int | None, Field(ge=2)], None),
        "stride": (Annotated[int, Field(ge=1)], 1),
    }
    for name, setting in describe(method).items():
        kinds = [*setting.types, *([None] if setting.optional else [])]
        fields[name] = (reduce(or_, kinds), setting.default)
    rules = ConfigDict(extra="forbid", strict=True, protected_namespaces=())
    return create_model(f"{method}_settings", __config__=rules, **fields)


def _sentence(error: Any, known: list[str]) -> str:
    key = str(error["loc"][0])
    if error["type"] == "extra_forbidden":
        near = difflib.get_close_matches(key, known, n=1, cutoff=0.5)
        hint = f"did you mean {near[0]!r}?" if near else f"there are {', '.join(known)}."
        return f"unknown setting {key!r}; {hint}"
    return f"setting {key!r}: {error['msg'][0].lower()}{error['msg'][1:]}; got {error['input']!r}."
