"""What pictures are made of: the windows of each side, and the nouns plot and panel."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from timeloom.data.windows import Windows
from timeloom.metrics.discriminator import standardise

__all__ = ["Panel", "Plot", "Sides", "scaled", "short"]

Array = NDArray[Any]


@dataclass(frozen=True)
class Sides:
    """The windows that pictures are made of.

    Attributes:
        real: Held-out real windows.
        synthetic: Synthetic windows, with the same labels as the real ones.
        train: Training windows, or None.
        asked: All real and all synthetic windows, with the labels they came with.
        seed: Draws samples.
        trained: All training windows, or None; ``train`` where None.
    """

    real: Windows
    synthetic: Windows
    train: Windows | None
    asked: tuple[Windows, Windows]
    seed: int = 0
    trained: Windows | None = None

    def sample(self, count: int) -> dict[str, Windows]:
        """At most ``count`` windows of each side that there is, by the name in the legend."""
        rng = np.random.default_rng([self.seed, 3])
        sides = {"real": self.real, "synthetic": self.synthetic, "training": self.train}
        return {
            name: side[np.sort(rng.permutation(len(side))[:count])]
            for name, side in sides.items()
            if side is not None and len(side)
        }

    def pair(self, count: int) -> tuple[Windows, Windows]:
        """At most ``count`` real and as many synthetic windows; whole sides where one is empty."""
        drawn = self.sample(count)
        return drawn.get("real", self.real), drawn.get("synthetic", self.synthetic)


@dataclass(frozen=True)
class Plot:
    """One picture: a title (plain text), traces and layout of plotly.

    Attributes:
        title: Above the picture.
        data: Traces.
        layout: Axes.
        size: ``"small"``, ``"wide"``, ``"square"`` or ``"tall"``.
        told: What the picture shows, for readers who do not see it; the title where empty.
    """

    title: str
    data: list[dict[str, Any]]
    layout: dict[str, Any]
    size: str = "small"
    told: str = ""


@dataclass(frozen=True)
class Panel:
    """Pictures that answer one question.

    Attributes:
        title: The question's short name.
        text: What to look for.
        plots: The pictures; where there are none, ``text`` says why.
        key: The sides in the legend.
    """

    title: str
    text: str
    plots: list[Plot]
    key: tuple[str, ...] = ("real", "synthetic")


def short(values: Any, span: float | None = None) -> list[float | None]:
    """Numbers as few digits as a picture needs: a thousandth of the span; gaps become null.

    Args:
        values: Numbers of any shape, flattened.
        span: What the picture's axis covers; that of ``values`` where None.
    """
    flat = np.asarray(values, dtype=np.float64).ravel()
    known = flat[np.isfinite(flat)]
    if span is None:
        span = float(known.max() - known.min()) if len(known) else 0.0
    if span > 0:
        decimals = int(np.clip(3 - np.floor(np.log10(span)), -300, 300))
        kept = [round(float(v), decimals) if np.isfinite(v) else None for v in flat]
    else:
        kept = [float(f"{v:.7g}") if np.isfinite(v) else None for v in flat]
    # Whole numbers without ".0": two characters less each.
    return [int(v) if v is not None and v == int(v) and abs(v) < 1e15 else v for v in kept]


def scaled(sides: list[Windows], real: Windows) -> tuple[Array, ...]:
    """Windows in the mean and spread of ``real``, without gaps.

    Channels that ``real`` never measured are 0.
    """
    empty = np.isnan(real.x).all(axis=(0, 1))
    by = np.where(empty, 0.0, real.x) if empty.any() else real.x
    return standardise(*(np.where(empty, 0.0, side.x) for side in sides), by=by)
