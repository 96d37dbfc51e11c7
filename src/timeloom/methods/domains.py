"""All data sets that one generator knows, by name and in the order in which they were met."""

import difflib
import warnings
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from timeloom.data.marks import marks, share_marked
from timeloom.data.windows import Windows
from timeloom.methods.domain import Domain
from timeloom.methods.estimator import part_of

__all__ = ["Domains"]

FEWEST = 4  # windows that a new set needs


class Domains(dict[str, Domain]):
    """Domains by name; the marks by which their windows are known again are kept beside them.

    Args:
        settings: Of the method: ``scale``, ``rules``, ``channel_map``, ``whitening``, ``most``.
    """

    def __init__(self, settings: dict[str, Any]) -> None:
        super().__init__()
        principal = settings["channel_map"] == "principal"
        frame = dict(
            kind="principal" if principal else "plain",
            whitening=settings["whitening"],
            white_from=settings["most"] if principal else None,
        )
        self.settings = settings
        self.how = dict(scale=settings["scale"], frame=frame, rules=settings["rules"])
        self.marks: dict[str, NDArray[np.uint64]] = {}

    def learn(self, name: str, parts: list[Windows]) -> None:
        """Adds a set that is known by windows of one or several lengths."""
        self[name] = Domain(**self.how).learn(parts)
        self.marks[name] = marks(max(parts, key=lambda part: part.shape[0]).x)

    def copy(self) -> Self:
        """The same domains in a dictionary of their own."""
        return self.keep(list(self))

    @property
    def lengths(self) -> list[int]:
        """Those of all sets, in time points."""
        return [length for domain in self.values() for length in domain.lengths]

    def named(self, name: str | None) -> str:
        """``name``, or that of the set met last.

        Raises:
            ValueError: If no set has this name.
        """
        if name is None:
            return list(self)[-1]
        if name not in self:
            raise ValueError(
                f"name must be one of the {len(self)} sets trained on "
                f"({_some(list(self), name)}); got {name!r}."
            )
        return name

    def check_new(self, name: str, few: Windows) -> None:
        """Refuses a name that is taken and too few windows; says where windows are known.

        Raises:
            ValueError: If there are fewer than 4 windows, or the name is taken.
        """
        if len(few) < FEWEST:
            raise ValueError(
                f"adapting needs at least {FEWEST} windows, better 10; got {len(few)}. Give more "
                "windows, shorter ones or a smaller stride."
            )
        if name in self:
            raise ValueError(
                f"the name of a new set must be new; this generator knows '{name}' already. "
                "Choose another name."
            )
        for known, own in self.marks.items():
            if share_marked(few.x, own) > 0.5:
                warnings.warn(
                    f"these windows are from '{known}', which this generator was trained on; "
                    "figures on them say nothing of new data sets.",
                    stacklevel=4,
                )

    def keep(self, names: list[str]) -> Self:
        """Only these sets."""
        new = type(self)(self.settings)
        new.update({name: self[name] for name in names})
        new.marks = {name: self.marks[name] for name in names}
        return new

    def facts(self) -> dict[str, Any]:
        """What JSON holds of them."""
        return {name: domain.facts() for name, domain in self.items()}

    def arrays(self) -> dict[str, NDArray[Any]]:
        """The rest, by name; sets are numbered, since a name may hold anything."""
        arrays = {}
        for i, (name, domain) in enumerate(self.items()):
            arrays |= {f"set/{i}/{key}": value for key, value in domain.arrays().items()}
            arrays[f"set/{i}/marks"] = self.marks[name].view(np.int64)
        return arrays

    def restore(self, facts: dict[str, Any], arrays: dict[str, NDArray[Any]]) -> Self:
        """Takes back what the two above gave."""
        for i, (name, about) in enumerate(facts.items()):
            own = part_of(arrays, f"set/{i}/")
            self[name] = Domain(**self.how).restore(about, own)
            self.marks[name] = own["marks"].view(np.uint64)
        return self


def _some(names: list[str], asked: str) -> str:
    """The names nearest to what was asked for and the newest, if there are too many to list."""
    if len(names) <= 12:
        return ", ".join(names)
    near = difflib.get_close_matches(asked, names, n=3, cutoff=0.3)
    return f"such as {', '.join(dict.fromkeys([*near, *names[-3:]]))}; .sets_ lists all"
