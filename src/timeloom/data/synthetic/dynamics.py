"""Series with a memory: autoregression, walks, volatility, regimes, oscillators, counts."""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.signal import lfilter

__all__ = [
    "autoregressive",
    "counts",
    "oscillators",
    "random_walk",
    "regimes",
    "switches",
    "volatility",
]

Array = NDArray[Any]
Rng = np.random.Generator

BEFORE = 100  # time points that pass before a window begins, so that its beginning is not special


def autoregressive(rng: Rng, count: int, length: int) -> Array:
    """(count, length): AR(1) to AR(6) with random roots; mean-reverting; tails light or heavy."""
    line = np.array([1.0])
    for _ in range(rng.integers(1, 4)):
        radius = 1 - 0.6 * rng.random() ** 2 if rng.random() < 0.5 else rng.uniform(0, 0.95)
        radius = min(radius, 0.985)
        if rng.random() < 0.5:
            turn = 2 * np.pi / (3 * 20 ** rng.random())
            line = np.convolve(line, [1, -2 * radius * np.cos(turn), radius**2])
        else:
            line = np.convolve(line, [1, -radius])
    freedom = rng.uniform(2.5, 6) if rng.random() < 0.3 else np.inf
    x = lfilter([1.0], line, _shocks(rng, freedom, (count, BEFORE + length)))
    return np.asarray(x)[:, BEFORE:]


def random_walk(rng: Rng, count: int, length: int) -> Array:
    """(count, length): sums of shocks, with a drift; smooth where the shocks are summed twice."""
    drift = rng.normal(0, 0.15) * (rng.random() < 0.5)
    freedom = rng.uniform(2.5, 6) if rng.random() < 0.4 else np.inf
    twice, anchored, noise = rng.random() < 0.2, rng.random() < 0.5, rng.choice([0.0, 0.5])
    level = rng.uniform(0, 20)
    x = np.cumsum(drift + _shocks(rng, freedom, (count, length)), axis=1)
    if twice:
        x = np.cumsum(x, axis=1) / 10
    if anchored:
        x -= x[:, :1]
    else:
        x += level * rng.standard_normal((count, 1))
    return x + noise * rng.standard_normal((count, length))


def volatility(rng: Rng, count: int, length: int) -> Array:
    """(count, length): shocks whose spread has a memory, or the walk (and its exp) they make."""
    memory, restless = rng.uniform(0.8, 0.99), rng.uniform(0.2, 1.0)
    freedom, form = rng.uniform(3, 10), int(rng.integers(3))
    lean, size = rng.uniform(-0.7, 0.2), 0.01 * 4 ** rng.random()
    shocks = _shocks(rng, freedom, (count, BEFORE + length))
    steps = lean * np.clip(shocks, -4, 4) + np.sqrt(1 - lean**2) * rng.standard_normal(shocks.shape)
    spread = np.asarray(lfilter([restless * np.sqrt(1 - memory**2)], [1, -memory], steps))
    # What happens today stirs the spread of tomorrow.
    returns = np.exp(np.clip(spread[:, BEFORE - 1 : -1], -4, 4)) * shocks[:, BEFORE:]
    if form == 0:
        return returns
    path = np.cumsum(np.clip(size * returns, -0.5, 0.5), axis=1)
    return path if form == 1 else np.exp(np.clip(path, -4, 4))


def regimes(rng: Rng, count: int, length: int) -> Array:
    """(count, length): two to four states with a level, a spread and a memory each."""
    states = int(rng.integers(2, 5))
    stay = 1 - 0.3 * 0.03 ** rng.random(states)
    where = rng.dirichlet(np.ones(states), states) * (1 - np.eye(states))
    where = np.diag(stay) + (1 - stay)[:, None] * where / where.sum(axis=1, keepdims=True)
    level, spread = rng.normal(0, 3, states), 0.05 * 30 ** rng.random(states)
    memory = rng.uniform(-0.3, 0.98, states)
    edges = np.cumsum(where, axis=1)[:, :-1]
    total = BEFORE + length
    draws, shocks = rng.random((count, total)), rng.standard_normal((count, total))
    state, x = rng.integers(0, states, count), np.zeros((count, total))
    now = level[state]
    for t in range(total):
        state = (draws[:, t, None] > edges[state]).sum(axis=1)
        pull = memory[state]
        now = level[state] + pull * (now - level[state])
        now = now + np.sqrt(1 - pull**2) * spread[state] * shocks[:, t]
        x[:, t] = now
    return x[:, BEFORE:]


def oscillators(rng: Rng, count: int, length: int) -> Array:
    """(count, length): one variable of a dynamic system that swings, chaotic or driven by noise."""
    move, place, first, step = SYSTEMS[rng.integers(len(SYSTEMS))](rng)
    kick, noise = rng.choice([0.0, 0.05, 0.2]), rng.choice([0.0, 0.02, 0.1])
    logarithm = rng.random() < 0.3
    state = first[:, None] * np.exp(0.3 * rng.standard_normal((len(first), count)))
    x = np.empty((count, length))
    half = step / 2
    for t in range(BEFORE + length):
        for _ in range(2):  # two steps of Runge and Kutta per time point
            a = move(state)
            b = move(state + half / 2 * a)
            c = move(state + half / 2 * b)
            d = move(state + half * c)
            state = np.clip(state + half / 6 * (a + 2 * b + 2 * c + d), -1e3, 1e3)
        if kick:
            # In proportion, so that what must stay above 0 does.
            state = state * np.exp(kick * np.sqrt(step) * rng.standard_normal(state.shape))
        if t >= BEFORE:
            x[:, t - BEFORE] = state[place]
    x = np.sign(x) * np.log1p(np.abs(x)) if logarithm else x
    return x + noise * x.std() * rng.standard_normal((count, length))


System = tuple[Callable[[Array], Array], int, Array, float]


def _predators(rng: Rng) -> System:
    a, b, c, d = rng.uniform(0.6, 1.4, 4)
    step = 2 * np.pi / np.sqrt(a * c) / (8 * 8 ** rng.random())

    def move(s: Array) -> Array:
        s = np.clip(s, 1e-3, 20)
        # The prey's own limit keeps the swings from growing without end under noise.
        prey, hunters = s[0] * (a * (1 - 0.01 * s[0]) - b * s[1]), s[1] * (d * s[0] - c)
        return np.stack([prey, hunters])

    return move, int(rng.integers(2)), np.array([c / d, a / b]) * rng.uniform(1.2, 2.5), step


def _van_der_pol(rng: Rng) -> System:
    stiff, step = 0.2 * 20 ** rng.random(), 0.04 * 8 ** rng.random()
    return (
        lambda s: np.stack([s[1], stiff * (1 - np.clip(s[0], -4, 4) ** 2) * s[1] - s[0]]),
        int(rng.integers(2)),
        np.array([1.0, 0.5]),
        float(step),
    )


def _lorenz(rng: Rng) -> System:
    s0, r, b = rng.uniform(8, 12), rng.uniform(24, 40), rng.uniform(2.2, 3.0)
    return (
        lambda s: np.stack([s0 * (s[1] - s[0]), s[0] * (r - s[2]) - s[1], s[0] * s[1] - b * s[2]]),
        int(rng.integers(3)),
        np.array([4.0, 4.0, 20.0]),
        float(rng.uniform(0.01, 0.06)),
    )


def _roessler(rng: Rng) -> System:
    a, c = rng.uniform(0.1, 0.25), rng.uniform(3.5, 6)
    return (
        lambda s: np.stack([-s[1] - s[2], s[0] + a * s[1], 0.2 + s[2] * (s[0] - c)]),
        int(rng.integers(3)),
        np.array([2.0, 2.0, 0.5]),
        float(rng.uniform(0.08, 0.3)),
    )


def _damped(rng: Rng) -> System:
    turn, damp, push = (
        2 * np.pi / (5 * 12 ** rng.random()),
        rng.uniform(0.0, 0.05),
        rng.uniform(1, 3),
    )
    # An amplitude of its own, kept alive: a pendulum with a clockwork.
    return (
        lambda s: np.stack(
            [s[1], -(turn**2) * np.sin(s[0]) + damp * s[1] * (push - s[0] ** 2)],
        ),
        int(rng.integers(2)),
        np.array([0.8, 0.2 * turn]),
        1.0,
    )


SYSTEMS: tuple[Callable[[Rng], System], ...] = (
    *(_predators, _van_der_pol, _lorenz, _roessler, _damped),
)


def counts(rng: Rng, count: int, length: int) -> Array:
    """(count, length): whole numbers from 0 on, whose rate has seasons and a memory."""
    rate, period = 0.5 * 60 ** rng.random(), 6 * 20 ** rng.random()
    swing, memory, restless = rng.uniform(0, 1.2), rng.uniform(0.5, 0.98), rng.uniform(0, 0.7)
    fixed, loose = rng.random() < 0.4, rng.choice([0.0, rng.uniform(0.1, 1)])
    noise = rng.standard_normal((count, BEFORE + length))
    slow = np.asarray(lfilter([np.sqrt(1 - memory**2)], [1, -memory], noise))[:, BEFORE:]
    start = np.zeros((count, 1)) if fixed else rng.uniform(0, period, (count, 1))
    wave = np.sin(2 * np.pi * (np.arange(length) + start) / period)
    mean = rate * np.exp(np.clip(swing * wave + restless * slow, -4, 3))
    # A rate that is itself drawn from a gamma law: more spread than Poisson's.
    mean = mean * rng.gamma(1 / loose, loose, mean.shape) if loose else mean
    return rng.poisson(mean).astype(np.float64)


def switches(rng: Rng, count: int, length: int) -> Array:
    """(count, length): something that is off or on, or at one of few whole levels."""
    levels = np.arange(2) if rng.random() < 0.6 else np.arange(int(rng.integers(3, 6)))
    lasts = 3 * 12 ** rng.random(len(levels))
    regular, cycle = rng.random() < 0.4, bool(rng.random() < 0.5)
    total = BEFORE + length
    state = rng.integers(0, len(levels), count)
    draws, jumps = rng.random((count, total)), rng.integers(1, len(levels), (count, total))
    x, left = np.empty((count, total)), np.zeros(count)
    for t in range(total):
        over = left <= 0
        state = np.where(over, (state + (1 if cycle else jumps[:, t])) % len(levels), state)
        stay = lasts[state] * (0.9 + 0.2 * draws[:, t] if regular else -np.log(1 - draws[:, t]))
        left = np.where(over, np.maximum(stay, 1), left) - 1
        x[:, t] = levels[state]
    return x[:, BEFORE:]


def _shocks(rng: Rng, freedom: float, shape: tuple[int, int]) -> Array:
    """Shocks of variance 1, normal or with the heavy tails of a t law."""
    if np.isinf(freedom):
        return rng.standard_normal(shape)
    return rng.standard_t(freedom, shape) * np.sqrt((freedom - 2) / freedom)
