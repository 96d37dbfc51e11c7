"""Made recordings with one thing known: how far back a cause lies, or how alike channels are."""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from timeloom.data.windows import Series

__all__ = ["CHANNELS", "Made", "echoes", "factor"]

Array = NDArray[Any]

BUMP = 12  # time points of an event and of its echo
GAPS = (60, 140)  # between events, drawn evenly: no period gives an echo away
LOUD = (1.0, 2.0)  # height of an event, drawn evenly
NOISE = 0.1
LOST = 0.3  # of the echoes in the test part, half of them missing, half late
LATE = 20  # time points

CHANNELS = 8
MEMORY = 0.9  # of the first-order autoregressions
SHIFT = 1.5  # standard deviations of a channel
LENGTHS = (20, 40)  # time points of a shift
FAULTS = 20


class Made(NamedTuple):
    """A normal part, a test part, and what is wrong in it.

    Attributes:
        train: Normal.
        test: Without its labels.
        labels: (time,) of booleans.
        blamed: (time, channel) of booleans: the channels behind it.
    """

    train: Series
    test: Series
    labels: Array
    blamed: Array


def echoes(lag: int, seed: int, length: int = 4000) -> Made:
    """Bumps in one channel, each answered in another ``lag`` steps later; some answers are wrong.

    An answer has the height of its event, at a time that nothing but the event tells: where it is
    missing or 20 steps late, only who looks back ``lag`` steps can know. Both the time at which it
    was due and, if late, the time at which it came are abnormal.

    Args:
        lag: Time points from an event to its echo, 1 or more.
        seed: Of all that is drawn.
        length: Time points of each part.

    Raises:
        ValueError: If the lag leaves no room for events.
    """
    if not 1 <= lag <= length - 4 * GAPS[1]:
        raise ValueError(
            f"lag must be from 1 to {length - 4 * GAPS[1]}, so that {length} time points hold "
            f"some events and their echoes; got {lag}."
        )
    rng = np.random.default_rng([seed, lag, 61])
    train, _ = _echoed(rng, lag, length, lost=0.0)
    test, labels = _echoed(rng, lag, length, lost=LOST)
    blamed = np.stack([np.zeros_like(labels), labels], axis=1)
    names = ("event", "echo")
    return Made(Series(train, channels=names), Series(test, channels=names), labels, blamed)


def _echoed(rng: np.random.Generator, lag: int, length: int, lost: float) -> tuple[Array, Array]:
    values = NOISE * rng.normal(size=(length, 2))
    labels = np.zeros(length, dtype=bool)
    shape = np.sin(np.pi * (np.arange(BUMP) + 0.5) / BUMP)
    begins, at = [], int(rng.integers(*GAPS))
    while at + lag + LATE + BUMP <= length:
        begins.append(at)
        at += int(rng.integers(*GAPS))
    wrong = rng.permutation(len(begins))[: round(lost * len(begins))]
    missing, late = set(wrong[::2].tolist()), set(wrong[1::2].tolist())
    for number, place in enumerate(begins):
        bump, due = rng.uniform(*LOUD) * shape, place + lag
        values[place : place + BUMP, 0] += bump
        came = due + LATE * (number in late)
        if number not in missing:
            values[came : came + BUMP, 1] += bump
        if number in missing | late:
            labels[due : due + BUMP] = labels[came : came + BUMP] = True
    return values, labels


def factor(correlation: float, where: str, seed: int, length: int = 4000) -> Made:
    """Channels of unit variance that share one factor; shifts in one channel, or in all at once.

    Every channel is sqrt(correlation) times the factor and sqrt(1 - correlation) times its own
    part, all first-order autoregressions. The training part does not depend on ``where``.

    Args:
        correlation: Between any two channels, 0 to below 1.
        where: ``"channel"``, one at a time, drawn, or ``"factor"``, all by as much.
        seed: Of all that is drawn.
        length: Time points of each part.

    Raises:
        ValueError: If the correlation is out of its range, or ``where`` is neither.
    """
    if not 0 <= correlation < 1 or where not in ("channel", "factor"):
        raise ValueError(
            "correlation must be from 0 to below 1 and where 'channel' or 'factor'; got "
            f"{correlation} and {where!r}."
        )
    rng = np.random.default_rng([seed, round(100 * correlation), 67])
    train, test = (_channels(rng, correlation, length) for _ in range(2))
    labels, blamed = np.zeros(length, dtype=bool), np.zeros((length, CHANNELS), dtype=bool)
    room = length // FAULTS
    for fault in range(FAULTS):
        long = int(rng.integers(*LENGTHS))
        first = fault * room + int(rng.integers(room - long))
        channel, sign = int(rng.integers(CHANNELS)), rng.choice((-1.0, 1.0))
        own = slice(None) if where == "factor" else slice(channel, channel + 1)
        test[first : first + long, own] += sign * SHIFT
        labels[first : first + long] = blamed[first : first + long, own] = True
    return Made(Series(train), Series(test), labels, blamed)


def _channels(rng: np.random.Generator, correlation: float, length: int) -> Array:
    from scipy.signal import lfilter

    noise = rng.normal(size=(length + 100, CHANNELS + 1)) * np.sqrt(1 - MEMORY**2)
    # The first rows, which still remember that nothing was before them, are dropped.
    lines = np.asarray(lfilter([1.0], [1.0, -MEMORY], noise, axis=0))[100:]
    return np.sqrt(correlation) * lines[:, :1] + np.sqrt(1 - correlation) * lines[:, 1:]
