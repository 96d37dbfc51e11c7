"""Scaling per channel, fitted on training windows only, and the way back."""

from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

__all__ = ["Scaler"]

Array = NDArray[Any]

KINDS = ("standard", "minmax", "robust", "quantile")
KNOTS = 1001  # of the quantile map: its resolution is a tenth of a per cent of the data


class Scaler:
    """Per-channel scaling that leaves NaN alone and lives inside an estimator.

    A constant channel is mapped to 0 and comes back as its constant.

    Args:
        kind: ``"standard"``: mean 0, standard deviation 1. ``"minmax"``: onto [0, 1].
            ``"robust"``: median 0, interquartile range 1.349 (that of a unit normal).
            ``"quantile"``: every channel is mapped monotonically to a unit normal; beyond the
            training range the map goes on linearly.
    """

    def __init__(self, kind: str = "standard") -> None:
        self.kind = kind

    def fit(self, x: Array) -> Self:
        """Learns the scale of ``x`` (..., channel); every axis but the last is pooled.

        Raises:
            ValueError: If the kind is unknown, a value is infinite, or a channel holds no value.
        """
        if self.kind not in KINDS:
            raise ValueError(f"scale must be one of {KINDS}; got {self.kind!r}.")
        flat = np.asarray(x, dtype=np.float64).reshape(-1, np.shape(x)[-1])
        if np.isinf(flat).any():
            raise ValueError("values must be finite or NaN; got inf. Replace it by NaN.")
        empty = np.flatnonzero(np.isnan(flat).all(axis=0))
        if len(empty):
            raise ValueError(f"channels {empty.tolist()} hold no measured value. Leave them out.")
        if self.kind == "quantile":
            levels = np.linspace(0, 1, KNOTS)
            self.knots_ = np.nanquantile(flat, levels, axis=0)  # (knot, channel)
            center, spread = np.nanmean(flat, axis=0), np.nanstd(flat, axis=0)
        elif self.kind == "standard":
            center, spread = np.nanmean(flat, axis=0), np.nanstd(flat, axis=0)
        elif self.kind == "minmax":
            center = np.nanmin(flat, axis=0)
            spread = np.nanmax(flat, axis=0) - center
        else:
            low, center, high = np.nanquantile(flat, [0.25, 0.5, 0.75], axis=0)
            # A channel that is mostly one value has no interquartile range, yet is not constant.
            spread = (high - low) / 1.349
            spread = np.where(spread > 0, spread, np.nanstd(flat, axis=0))
        # Round-off leaves a constant channel with a spread of about 1e-16 of its level.
        constant = np.nanmax(flat, axis=0) == np.nanmin(flat, axis=0)
        self.center_ = np.where(constant, np.nanmin(flat, axis=0), center)
        self.spread_ = np.where(constant, 0.0, spread)
        return self

    def transform(self, x: Array) -> Array:
        """Scales ``x`` (..., channel); the same shape and floating type comes back."""
        if self.kind == "quantile":
            return self._through_knots(x, self._to_normal)
        inverse = np.divide(
            1, self.spread_, out=np.zeros_like(self.spread_), where=self.spread_ > 0
        )
        return ((np.asarray(x) - self.center_) * inverse).astype(_floating(x))

    def inverse(self, x: Array) -> Array:
        """Undoes :meth:`transform`."""
        if self.kind == "quantile":
            return self._through_knots(x, self._from_normal)
        return (np.asarray(x) * self.spread_ + self.center_).astype(_floating(x))

    def state(self) -> dict[str, Array]:
        """Everything :meth:`fit` learned, as arrays by name."""
        names = ("center_", "spread_", "knots_")
        return {name: getattr(self, name) for name in names if hasattr(self, name)}

    def restore(self, state: dict[str, Array]) -> Self:
        """Takes back what :meth:`state` gave."""
        for name, value in state.items():
            setattr(self, name, np.asarray(value, dtype=np.float64))
        return self

    def _through_knots(self, x: Array, one_channel: Any) -> Array:
        x = np.asarray(x)
        out = np.empty(x.shape, _floating(x))
        for c in range(x.shape[-1]):
            if self.spread_[c] > 0:
                out[..., c] = one_channel(x[..., c].astype(np.float64), self.knots_[:, c])
            else:
                back = one_channel == self._from_normal
                out[..., c] = np.where(np.isnan(x[..., c]), np.nan, self.center_[c] if back else 0)
        return out

    def _to_normal(self, x: Array, knots: Array) -> Array:
        from scipy.special import ndtri

        levels, normal = _levels()
        # Ties (a channel with an atom) get the middle of their levels, from both sides.
        forward = np.interp(x, knots, levels)
        backward = 1 - np.interp(-x, -knots[::-1], levels)
        z = ndtri((forward + backward) / 2)
        slope = _slope(knots, normal)
        z = np.where(x < knots[0], normal[0] + (x - knots[0]) / slope, z)
        return np.where(x > knots[-1], normal[-1] + (x - knots[-1]) / slope, z)

    def _from_normal(self, z: Array, knots: Array) -> Array:
        from scipy.special import ndtr

        levels, normal = _levels()
        x = np.interp(ndtr(z), levels, knots)
        slope = _slope(knots, normal)
        x = np.where(z < normal[0], knots[0] + (z - normal[0]) * slope, x)
        x = np.where(z > normal[-1], knots[-1] + (z - normal[-1]) * slope, x)
        return np.where(np.isnan(z), np.nan, x)


EDGE = 0.5 / KNOTS  # how far from levels 0 and 1 the outermost training value is put


def _levels() -> tuple[Array, Array]:
    from scipy.special import ndtri

    levels = np.clip(np.linspace(0, 1, KNOTS), EDGE, 1 - EDGE)
    return levels, ndtri(levels)


def _slope(knots: Array, normal: Array) -> float:
    return float((knots[-1] - knots[0]) / (normal[-1] - normal[0]))


def _floating(x: Array) -> Any:
    dtype = np.asarray(x).dtype
    return dtype if np.issubdtype(dtype, np.floating) else np.float64
