"""Labels to the one number per window that a network is told, and what may be asked for."""

import difflib
from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from timeloom.data.describe import label_kind
from timeloom.data.windows import Windows

__all__ = ["Condition"]

Array = NDArray[Any]

KINDS = ("auto", "class", "value", "none")


@dataclass(frozen=True)
class Condition:
    """What was learned of the labels of the training windows.

    Attributes:
        kind: ``"class"``, ``"value"`` or ``"none"``.
        classes: The classes in order, as the source writes them.
        low: Lowest trained value; ``high`` the highest.
        labels: Labels to draw from where none are asked for: those of the training windows.
    """

    kind: str
    classes: tuple[Any, ...] = ()
    low: float = 0.0
    high: float = 1.0
    labels: Array | None = None

    @classmethod
    def learn(cls, windows: Windows, kind: str) -> Self:
        """Learns from the labels of ``windows``.

        Raises:
            ValueError: If labels are missing, NaN or unfit for the kind.
        """
        if kind not in KINDS:
            raise ValueError(f"condition must be one of {KINDS}; got {kind!r}.")
        y = windows.y
        if kind == "auto":
            kind = (None if y is None else label_kind(y)) or "none"
        if kind == "none":
            return cls("none")
        name = windows.label_name
        if y is None:
            raise ValueError(
                f"condition={kind!r} needs a label for every window; there is none. "
                "Name its column, or set condition to 'none'."
            )
        bad = np.flatnonzero([_missing(label) for label in y.tolist()])
        if len(bad):
            raise ValueError(
                f"every window needs a label; '{name}' is missing for {len(bad)} of {len(y)} "
                f"windows (the first is window {bad[0]}). Fill them or leave those windows out."
            )
        if kind == "class":
            return cls("class", tuple(np.unique(y).tolist()), labels=y)
        if y.dtype.kind not in "iuf" or not np.isfinite(y).all():
            raise ValueError(
                f"condition='value' needs finite numbers as labels; '{name}' holds "
                f"{y[0]!r}. Set condition to 'class'."
            )
        return cls("value", (), float(y.min()), float(y.max()), y)

    def facts(self) -> dict[str, Any]:
        """All but the labels, as JSON values."""
        return dict(kind=self.kind, classes=list(self.classes), low=self.low, high=self.high)

    def arrays(self) -> dict[str, Array]:
        """The labels, as what the network is told of them."""
        if self.labels is None:
            return {}
        return {"told": self.told(self.labels, len(self.labels))}

    @classmethod
    def restore(cls, facts: dict[str, Any], arrays: dict[str, Array]) -> Self:
        """Takes back what :meth:`facts` and :meth:`arrays` gave."""
        found = cls(facts["kind"], tuple(facts["classes"]), facts["low"], facts["high"])
        if found.kind == "none":
            return found
        told = arrays["told"].astype(np.float64)
        if found.kind == "class":
            return replace(found, labels=np.array(found.classes)[told.astype(int)])
        span = found.high - found.low
        # Told in float32: rounding must not carry a label out of the trained range.
        labels = (found.low + told * (span if span > 0 else 1)).clip(found.low, found.high)
        return replace(found, labels=labels)

    def told(self, y: Array | None, count: int) -> NDArray[np.float32]:
        """One number per window: the class's place, or the value scaled to [0, 1]; NaN = none."""
        if self.kind == "none" or y is None:
            return np.full(count, np.nan, np.float32)
        if self.kind == "class":
            place = {label: i for i, label in enumerate(self.classes)}
            return np.array([place[label] for label in y.tolist()], np.float32)
        span = self.high - self.low
        return ((y.astype(np.float64) - self.low) / (span if span > 0 else 1)).astype(np.float32)

    def asked(
        self, y: ArrayLike | None, count: int, *, seed: int = 0, extrapolate: bool = False
    ) -> Array | None:
        """The labels of ``count`` windows to be generated, checked against what was trained.

        Args:
            y: One label for all, one per window, or None to draw from the training labels.
            count: How many windows.
            seed: Of the drawing.
            extrapolate: Allow values outside the trained range.

        Raises:
            ValueError: If a label was not trained.
        """
        if self.kind == "none":
            if y is not None:
                raise ValueError(
                    "this run was trained without labels, so none can be asked for; got "
                    f"{np.ravel(y)[0]!r}."
                )
            return None
        if y is None:
            rng = np.random.default_rng(seed)
            return rng.choice(np.asarray(self.labels), count)
        y = np.asarray(y)
        if y.ndim and y.shape != (count,):
            raise ValueError(f"y must be one label or have shape ({count},); got {y.shape}.")
        y = np.broadcast_to(y, (count,))
        return self._asked_class(y) if self.kind == "class" else self._asked_value(y, extrapolate)

    def _asked_class(self, y: Array) -> Array:
        # "1" from a command line means the class 1.
        by_text = {str(label): label for label in self.classes}
        unknown = next((str(label) for label in y.tolist() if str(label) not in by_text), None)
        if unknown is not None:
            near = difflib.get_close_matches(unknown, by_text, 1)
            raise ValueError(
                f"the label must be one of the trained classes {', '.join(by_text)}; got "
                f"{unknown!r}." + (f" Did you mean {near[0]!r}?" if near else "")
            )
        return np.array([by_text[str(label)] for label in y.tolist()])

    def _asked_value(self, y: Array, extrapolate: bool) -> Array:
        try:
            y = y.astype(np.float64)
        except ValueError as error:
            raise ValueError(f"the label must be a number; got {y[0]!r}.") from error
        if not np.isfinite(y).all():
            raise ValueError("the label must be a finite number; got NaN or inf.")
        outside = y[(y < self.low) | (y > self.high)]
        if len(outside) and not extrapolate:
            raise ValueError(
                f"the label must lie in the trained range {self.low:g} to {self.high:g}; got "
                f"{outside[0]:g}. Ask inside it, or extrapolate (--extrapolate) at your own risk."
            )
        return y


def _missing(label: Any) -> bool:
    # A table's missing text comes back as "".
    return label is None or label == "" or (isinstance(label, float) and not np.isfinite(label))
