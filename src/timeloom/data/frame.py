"""In which coordinates are windows white: channels uncorrelated, every frequency of one spread?"""

from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

__all__ = ["Frame"]

Array = NDArray[Any]

NULL = 1e-8  # share of the largest variance below which a direction is a rule, not a component
LEAST = 1e-3  # of a component's largest gain: finer detail than that is rounding
PRIOR = 12  # windows that the smoothed spectrum weighs as much as
KINDS = ("principal", "plain")


class Frame:
    """An invertible linear map from scaled windows to white ones, and back.

    Channels are turned onto their principal components, which fixes their order whatever the
    order of the channels; directions without variance (exact linear rules between channels) are
    left out, so that what comes back obeys those rules; their constants are kept. In time each
    component is divided by the spread of each of its cosine coefficients (DCT-II, the
    Karhunen-Loeve basis of a random walk), a filter that keeps the window a series in time.

    ``w[k] = (D' diag(1 / gain[k]^whitening) D) (mix' x)[k]`` for every component k, with D the
    orthonormal cosine transform.

    Args:
        kind: ``"principal"`` components, or ``"plain"`` channels as they stand.
        whitening: 1 makes every coefficient's spread 1, 0 leaves them as they are.
        white_from: Components from this one on are always whitened in full: they are the ones
            that a network leaves to the Gaussian law that the map implies.
    """

    def __init__(
        self, kind: str = "principal", whitening: float = 1.0, white_from: int | None = None
    ) -> None:
        self.kind, self.whitening, self.white_from = kind, whitening, white_from

    def fit(self, x: Array) -> Self:
        """Learns the map from ``x`` (window, time, channel), scaled and without gaps.

        With few windows the spectrum is drawn towards its own smoothed course: that of neighbouring
        frequencies counts as much as :data:`PRIOR` windows do.

        Raises:
            ValueError: If the kind is unknown, or nothing in the windows varies.
        """
        if self.kind not in KINDS:
            raise ValueError(f"kind must be one of {', '.join(KINDS)}; got {self.kind!r}.")
        x = np.asarray(x, dtype=np.float64)
        self.mix_ = _components(x) if self.kind == "principal" else np.eye(x.shape[2])
        self.shift_ = _constant(x, self.mix_)
        power = np.square(_cosines(x.shape[1]) @ (x @ self.mix_)).mean(axis=0).T
        if not power.max() > 0:
            raise ValueError(
                "windows must vary; every value of every one is the same, so that there is nothing "
                "to learn."
            )
        count = len(x)
        power = (count * power + PRIOR * _smooth(power)) / (count + PRIOR)
        gain = np.sqrt(power)
        # A constant channel keeps a gain, for it is divided by.
        top = gain.max(axis=1, keepdims=True)
        self.gain_ = np.maximum(gain, LEAST * np.where(top > 0, top, 1))
        return self

    @property
    def components(self) -> int:
        """How many components there are; at most as many as channels."""
        return self.mix_.shape[1]

    def filters(self) -> tuple[Array, Array]:
        """(there, back), each (component, time, time): what windows are multiplied with in time."""
        gain = self.gain_ ** self._exponents()[:, None]
        cosines = _cosines(gain.shape[1])
        return (
            np.einsum("fs,kf,ft->kst", cosines, 1 / gain, cosines),
            np.einsum("fs,kf,ft->kst", cosines, gain, cosines),
        )

    def transform(self, x: Array) -> Array:
        """(window, time, channel), scaled, to white (window, component, time)."""
        there, _ = self.filters()
        return np.einsum("kst,ntk->nks", there, np.asarray(x) @ self.mix_, optimize=True)

    def inverse(self, w: Array) -> Array:
        """(window, component, time) back to (window, time, channel)."""
        _, back = self.filters()
        x = np.einsum("kst,nkt->nsk", back, np.asarray(w), optimize=True) @ self.mix_.T
        return x + self.shift_

    def _exponents(self) -> Array:
        power = np.full(self.components, self.whitening)
        if self.white_from is not None:
            power[self.white_from :] = 1
        return power

    def covariance(self) -> Array:
        """(component, time, time) of each component under the Gaussian law that the map implies."""
        cosines = _cosines(self.gain_.shape[1])
        return np.einsum("fs,kf,ft->kst", cosines, np.square(self.gain_), cosines)

    def state(self) -> dict[str, Array]:
        """What was learned, as arrays by name."""
        state = {"mix_": self.mix_, "gain_": self.gain_}
        return state | ({"shift_": self.shift_} if self.shift_.any() else {})

    def restore(self, state: dict[str, Array]) -> Self:
        """Takes back what :meth:`state` gave."""
        self.mix_, self.gain_ = (np.asarray(state[k], np.float64) for k in ("mix_", "gain_"))
        self.shift_ = np.asarray(state.get("shift_", np.zeros(len(self.mix_))), np.float64)
        return self


def _components(x: Array) -> Array:
    """(channel, component): directions of the pooled values, the widest first."""
    flat = x.reshape(-1, x.shape[2])
    flat = flat - flat.mean(axis=0)
    variance, mix = np.linalg.eigh(flat.T @ flat / len(flat))
    order = variance.argsort()[::-1]
    variance, mix = variance[order], mix[:, order]
    kept = variance > NULL * variance[0] if variance[0] > 0 else slice(0, 1)
    mix = mix[:, kept]
    # Either sign would do; the longer tail points up.
    skew = ((flat @ mix) ** 3).mean(axis=0)
    return mix * np.where(skew < 0, -1.0, 1.0)


def _constant(x: Array, mix: Array) -> Array:
    """(channel,) what of the mean no component holds; not 0 where scaled rules have an offset."""
    mean = x.mean(axis=(0, 1))
    left = mean - mix @ (mix.T @ mean)
    return np.where(np.abs(left) > 1e-9, left, 0.0)


def _cosines(length: int) -> Array:
    """(frequency, time): the orthonormal cosine transform."""
    time = (np.arange(length) + 0.5) * np.pi / length
    waves = np.cos(np.arange(length)[:, None] * time) * np.sqrt(2 / length)
    waves[0] = np.sqrt(1 / length)
    return waves


def _smooth(power: Array) -> Array:
    """(component, frequency): geometric mean over neighbours, more of them at high frequencies."""
    length = power.shape[1]
    logs = np.log(np.maximum(power, 1e-12 * power.max()))
    sums = np.concatenate([np.zeros((len(power), 1)), logs.cumsum(axis=1)], axis=1)
    at = np.arange(length)
    reach = np.maximum(1, at // 4)
    low, high = np.maximum(at - reach, 1), np.minimum(at + reach + 1, length)
    # The level (frequency 0) has no neighbours of its kind.
    low[0], high[0] = 0, 1
    high = np.maximum(high, low + 1).clip(max=length)
    low = np.minimum(low, high - 1)
    return np.exp((sums[:, high] - sums[:, low]) / (high - low))
