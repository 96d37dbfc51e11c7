"""How do a few hidden series become channels: weights, lags, bends, noise, units, identities."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["LATEST", "mixed"]

Array = NDArray[Any]
Rng = np.random.Generator

LATEST = 8  # the largest lag, in time points
FACTORS = (-1.0, 1.0, 0.5, 2.0)

# Monotone, so that a bend changes the shape of a distribution and not what goes with what.
BENDS: tuple[Callable[[Array], Array], ...] = (
    lambda z: np.exp(0.7 * np.clip(z, -5, 5)),
    lambda z: np.tanh(1.5 * z),
    lambda z: np.sign(z) * z**2,
    lambda z: np.clip(z, -1.5, 1.5),
    lambda z: np.maximum(z, 0.1 * z),
    np.cbrt,
)


def mixed(
    rng: Rng, latents: Sequence[Array], channels: int, whole: Sequence[bool]
) -> tuple[Array, tuple[str, ...]]:
    """Channels made of hidden series.

    Args:
        rng: Every draw that shapes the process comes before any that depends on how many windows
            there are or how long they are.
        latents: Hidden series (window, lag + time), ``LATEST`` points longer than the windows.
        channels: How many.
        whole: Per hidden series, whether it is of whole numbers, which then stay what they are
            where a channel shows it alone.

    Returns:
        (window, time, channel) and names: ``c0, c1, ...``; a channel that is an exact function of
        two others is named by it, as in ``1 c0 + -0.5 c2``.
    """
    exact = channels > 2 and rng.random() < 0.35
    # Counts and switches mostly show themselves as they are.
    alone = 0.75 if all(whole) else 0.4
    plans = [_plan(rng, len(latents), alone) for _ in range(channels)]
    if exact:
        _tie(rng, plans)
    late = bool(rng.random() < 0.4)
    shared = rng.random() < 0.3 or exact
    units = 10 ** rng.uniform(-3, 3, channels)
    away = rng.normal(0, 3, channels) * (rng.random(channels) < 0.7)
    if shared:
        units[:], away[:] = units[0], 0.0
    scaled = [_standard(one) for one in latents]
    made, names = [], []
    for i, plan in enumerate(plans):
        if plan["of"]:
            (j, a), (k, b) = plan["of"]
            made.append(a * made[j] + b * made[k])
            names.append(f"{a:g} c{j} + {b:g} c{k}")
            continue
        lag, show = plan["lag"] if late else 0, plan["alone"]
        if show is not None and whole[show]:
            made.append(_lagged(latents[show], lag) * (units[i] if shared else 1.0))
        else:
            made.append(units[i] * (_blend(rng, scaled, plan, lag) + away[i]))
        names.append(f"c{i}")
    return np.stack(made, axis=2), tuple(names)


def _blend(rng: Rng, scaled: Sequence[Array], plan: dict[str, Any], lag: int) -> Array:
    """A weighted sum of scaled hidden series, bent, with noise of its own."""
    x = np.zeros_like(_lagged(scaled[0], lag))
    for weight, one in zip(plan["weights"], scaled, strict=True):
        x += weight * _lagged(one, lag)
    x = x if plan["bend"] is None else plan["bend"](x)
    return x + plan["noise"] * rng.standard_normal(x.shape)


def _plan(rng: Rng, latents: int, often: float) -> dict[str, Any]:
    """What one channel is made of; nothing here depends on the windows."""
    alone = int(rng.integers(latents)) if rng.random() < often else None
    weights = rng.normal(0, 1, latents) * (rng.random(latents) < 0.7)
    weights = weights if weights.any() else np.ones(latents)
    weights = weights / np.sqrt((weights**2).sum())
    if alone is not None:
        weights = np.eye(latents)[alone]
    bend, noise = rng.integers(len(BENDS)), 0.01 * 40 ** rng.random()
    return {
        "alone": alone,
        "weights": weights,
        "lag": int(rng.integers(LATEST + 1)),
        "bend": BENDS[bend] if rng.random() < 0.3 else None,
        "noise": noise if rng.random() < 0.6 else 0.0,
        "of": (),
    }


def _tie(rng: Rng, plans: list[dict[str, Any]]) -> None:
    """Makes the last channel, and now and then others, a function of two before it."""
    for i in range(2, len(plans)):
        pair, factors = rng.permutation(i)[:2], rng.choice(FACTORS, 2)
        if i == len(plans) - 1 or rng.random() < 0.15:
            plans[i]["of"] = tuple((int(j), float(a)) for j, a in zip(pair, factors, strict=True))


def _lagged(x: Array, lag: int) -> Array:
    return x[:, LATEST - lag : x.shape[1] - lag]


def _standard(x: Array) -> Array:
    """Mean 0 and spread 1 over all windows; what never moves stays at 0."""
    spread = float(x.std())
    return (x - x.mean()) / (spread if spread > 0 else 1.0)
