"""What do plain detectors score? Those that any new one must be seen beside.

A rival learns from training rows (time, channel) and scores other rows: every point gets a score,
higher = more abnormal. Rows are standardised by the training part, explicitly: a channel that does
not move there has spread 1, and everything is clipped at 10 spreads.
"""

import warnings
from collections.abc import Callable, Iterator
from time import process_time
from typing import Any, NamedTuple, cast

import numpy as np
from numpy.typing import ArrayLike, NDArray

from timeloom.data.windows import Series, cut, stitch
from timeloom.methods.spans import Spans

__all__ = ["RIVALS", "WINDOW", "Rival", "Scores", "held_out_threshold", "scaling", "spread"]

Array = NDArray[Any]
# What a fitted rival does with rows: points (time,) and channels (time, channel) or None.
Judge = Callable[[Array], tuple[Array, Array | None]]
Fit = Callable[[Array, int], Judge]

WINDOW = 40  # time points; TSB-AD's setting of k-means
CENTRES = 10
CLIP = 10.0
STILL = 1e-6  # a spread below this share of the largest value is none
MOST = 10_000  # windows or rows that centres and trees are learnt from, evenly spread
ALONE = 2_000  # the same for each channel alone, of which there are many
QUANTILE = 0.99
KEPT = 0.9  # of the variance, by PCA
CHUNK = 2_048  # windows that lie in memory at a time
STEPS, WIDTH, CODE, BATCH, RATE = 600, 64, 16, 64, 1e-3  # of the auto-encoder
SPANS = (1, 16, 64, 256)  # DDMT's
STRIDE = 10  # between the windows that the auto-encoder scores


class Scores(NamedTuple):
    """What a rival says, and what it took.

    Attributes:
        points: (time,), higher = more abnormal.
        channels: (time, channel), or None where it cannot tell.
        fit_seconds: CPU seconds to learn.
        score_seconds: CPU seconds to score.
    """

    points: Array
    channels: Array | None
    fit_seconds: float
    score_seconds: float

    @property
    def seconds(self) -> float:
        """CPU seconds of both."""
        return self.fit_seconds + self.score_seconds


class Rival(NamedTuple):
    """One plain detector.

    Attributes:
        name: As records call it.
        fit: From training rows and a seed to what scores rows.
        drawn: Whether the seed changes anything.
        note: What the page says of it.
    """

    name: str
    fit: Fit
    drawn: bool
    note: str

    def __call__(self, train: ArrayLike, test: ArrayLike, seed: int = 0) -> Scores:
        """Learns from ``train`` and scores ``test``, both (time, channel).

        Raises:
            ValueError: If the two do not have the same channels, or are shorter than a window.
        """
        normal, rows = (_filled(part, train) for part in (train, test))
        if normal.ndim != 2 or rows.shape[1:] != normal.shape[1:] or not len(normal):
            raise ValueError(
                "train and test must be (time, channel) with the same channels; got "
                f"{normal.shape} and {rows.shape}."
            )
        began = process_time()
        judge = self.fit(normal, seed)
        learnt = process_time()
        points, channels = judge(rows)
        return Scores(points, channels, learnt - began, process_time() - learnt)


def held_out_threshold(
    rival: Callable[[Array, Array, int], Scores], train: Array, seed: int = 0
) -> float:
    """The 99 %-quantile of the scores of the last fifth of the training part, fitted on the rest.

    The last fifth, but half of a short part at most and 100 rows where there are that many.

    Raises:
        ValueError: If the training part has fewer than four rows.
    """
    tail = max(len(train) // 5, min(100, len(train) // 2))
    if len(train) < 4:
        raise ValueError(f"a threshold needs at least 4 training rows; got {len(train)}.")
    held = rival(train[:-tail], train[-tail:], seed).points
    return float(np.quantile(held, QUANTILE, method="higher"))


def scaling(train: Array) -> Callable[[Array], Array]:
    """Standardising by the training rows; see the head of this file."""
    middle, wide = train.mean(axis=0), train.std(axis=0)
    wide = np.where(wide <= STILL * np.abs(train).max(axis=0), 1.0, wide)
    return lambda rows: np.clip((rows - middle) / wide, -CLIP, CLIP)


def spread(scores: Array, window: int, length: int) -> Array:
    """Scores of windows at every time point as scores of points: the mean over what covers each.

    Equal to ``stitch`` of scores that are the same all over a window, in one pass.

    Args:
        scores: (window, ...), the windows one time point apart.
        window: Time points of each.
        length: Of the recording.

    Returns:
        (time, ...).
    """
    total = np.zeros((len(scores) + 1, *scores.shape[1:]))
    np.cumsum(scores, axis=0, out=total[1:])
    at = np.arange(length)
    low, high = np.maximum(at - window + 1, 0), np.minimum(at + 1, len(scores))
    count = (high - low).reshape(-1, *[1] * (scores.ndim - 1))
    return (total[high] - total[low]) / count


def _filled(rows: ArrayLike, train: ArrayLike) -> Array:
    """Gaps are given the mean of their channel in the training part."""
    values, normal = np.asarray(rows, dtype=np.float64), np.asarray(train, dtype=np.float64)
    if np.isfinite(values).all():
        return values
    known = np.isfinite(normal)
    mean = np.where(known, normal, 0).sum(axis=0) / np.maximum(known.sum(axis=0), 1)
    return np.where(np.isfinite(values), values, mean)


def _random(train: Array, seed: int) -> Judge:
    rng = np.random.default_rng([seed, 1])
    return lambda rows: (rng.random(len(rows)), rng.random(rows.shape))


def _difference(train: Array, seed: int) -> Judge:
    scaled = scaling(train)

    def judge(rows: Array) -> tuple[Array, Array]:
        z = scaled(rows)
        step = np.abs(np.diff(z, axis=0, prepend=z[:1]))
        return step.mean(axis=1), step

    return judge


def _squared(train: Array, seed: int) -> Judge:
    scaled = scaling(train)

    def judge(rows: Array) -> tuple[Array, Array]:
        square = scaled(rows) ** 2
        return square.mean(axis=1), square

    return judge


def _first(train: Array, seed: int) -> Judge:
    scaled = scaling(train[:, :1])
    return lambda rows: (np.abs(scaled(rows[:, :1]))[:, 0], None)


def _lagged(rows: Array, lags: int) -> Array:
    """(place, lag x channel): each row with those before it."""
    views = np.lib.stride_tricks.sliding_window_view(rows, lags, axis=0)
    return views.transpose(0, 2, 1).reshape(len(views), -1)


def _residuals(train: Array) -> Callable[[Array], Array]:
    """Squared residual (time, channel) of the leading components; one channel alone by its lags."""
    scaled, count = scaling(train), train.shape[1]
    lags = min(WINDOW, max(len(train) // 2, 1)) if count == 1 else 1
    normal = _lagged(scaled(train), lags)
    middle = normal.mean(axis=0)
    normal = normal - middle
    values, vectors = np.linalg.eigh(normal.T @ normal)
    share = np.cumsum(values[::-1]) / max(values.sum(), 1e-300)
    kept = vectors[:, ::-1][:, : int(np.searchsorted(share, KEPT)) + 1]

    def judge(rows: Array) -> Array:
        z = _lagged(scaled(rows), lags) - middle
        square = (z - (z @ kept) @ kept.T) ** 2
        if lags == 1:
            return square
        return spread(square.mean(axis=1, keepdims=True), lags, len(rows))

    return judge


def _pca(train: Array, seed: int) -> Judge:
    residuals = _residuals(train)

    def judge(rows: Array) -> tuple[Array, Array]:
        square = residuals(rows)
        return square.mean(axis=1), square

    return judge


def _pca_calibrated(train: Array, seed: int) -> Judge:
    residuals = _residuals(train)
    usual = np.quantile(residuals(train), QUANTILE, axis=0)
    # A channel that never moved would outweigh all others as soon as it does.
    usual = np.maximum(usual, 1e-2)

    def judge(rows: Array) -> tuple[Array, Array]:
        square = residuals(rows) / usual
        return square.max(axis=1), square

    return judge


def _spanned(*views: tuple[Fit, float]) -> Fit:
    """The channels of rivals, each to a power, pooled over spans and channels as DDMT does it."""

    def fit(train: Array, seed: int) -> Judge:
        judges = [(view(train, seed), power) for view, power in views]

        def errors(rows: Array) -> Array:
            parts = [cast(Array, judge(rows)[1]) ** power for judge, power in judges]
            return np.concatenate(parts, axis=1)

        spans = Spans(SPANS, None, len(views), "mean", True).fit([errors(train)])
        return lambda rows: spans.scores(errors(rows))

    return fit


def _forest(train: Array, seed: int) -> Judge:
    from sklearn.ensemble import IsolationForest

    scaled = scaling(train)
    lags = min(WINDOW, max(len(train) // 2, 1)) if train.shape[1] == 1 else 1
    normal = _lagged(scaled(train), lags)
    forest = IsolationForest(random_state=seed).fit(normal[:: -(-len(normal) // MOST)])

    def judge(rows: Array) -> tuple[Array, None]:
        score = -forest.score_samples(_lagged(scaled(rows), lags))
        return spread(score, lags, len(rows)), None

    return judge


def _shapes(rows: Array, window: int, every: int = 1) -> Iterator[Array]:
    """Flattened windows, each standardised on its own, some at a time."""
    views = np.lib.stride_tricks.sliding_window_view(rows, window, axis=0)[::every]
    for first in range(0, len(views), CHUNK):
        part = views[first : first + CHUNK]
        flat = part.reshape(len(part), -1).astype(np.float32)
        flat = flat - flat.mean(axis=1, keepdims=True)
        wide = flat.std(axis=1, keepdims=True)
        yield flat / np.where(wide < STILL, 1, wide)


def _centres(rows: Array, window: int, seed: int, most: int = MOST) -> Array:
    from sklearn.cluster import KMeans
    from sklearn.exceptions import ConvergenceWarning

    places = len(rows) - window + 1
    flat = np.concatenate(list(_shapes(rows, window, -(-places // most))))
    means = KMeans(min(CENTRES, len(flat)), n_init=1, random_state=seed)  # pyright: ignore
    with warnings.catch_warnings():
        # A channel that stands still has fewer shapes than centres: some coincide.
        warnings.simplefilter("ignore", ConvergenceWarning)
        return means.fit(flat).cluster_centers_


def _distances(rows: Array, window: int, centres: Array) -> Array:
    """(time,): the distance of each window to its nearest centre, spread over its points."""
    if len(rows) < window:
        raise ValueError(f"rows must be at least one window of {window}; got {len(rows)}.")
    near = []
    for flat in _shapes(rows, window):
        square = (flat**2).sum(axis=1, keepdims=True) + (centres**2).sum(axis=1)
        near.append(np.maximum(square - 2 * flat @ centres.T, 0).min(axis=1))
    return spread(np.sqrt(np.concatenate(near)), window, len(rows))


def _kmeans_published(train: Array, seed: int) -> Judge:
    def judge(rows: Array) -> tuple[Array, None]:
        window = min(WINDOW, len(rows))
        return _distances(rows, window, _centres(rows, window, seed)), None

    return judge


def _kmeans(train: Array, seed: int) -> Judge:
    window = min(WINDOW, len(train) // 2)
    centres = _centres(train, window, seed)
    return lambda rows: (_distances(rows, window, centres), None)


def _calibrated(train: Array, seed: int) -> Callable[[Array], Array]:
    """One view: the distance in units of its 99 %-quantile on the training part."""
    window = min(WINDOW, len(train) // 2)
    centres = _centres(train, window, seed, ALONE if train.shape[1] == 1 else MOST)
    usual = np.quantile(_distances(train, window, centres), QUANTILE)
    # A standardised window is as long as the root of its size: a tenth of that is little.
    usual = max(float(usual), 0.1 * float(np.sqrt(window * train.shape[1])))
    return lambda rows: _distances(rows, window, centres) / usual


def _kmeans_first(train: Array, seed: int) -> Judge:
    every, first = _calibrated(train, seed), _calibrated(train[:, :1], seed)
    return lambda rows: (np.maximum(every(rows), first(rows[:, :1])), None)


def _kmeans_each(train: Array, seed: int) -> Judge:
    whole = _calibrated(train, seed)
    alone = [_calibrated(train[:, [c]], seed) for c in range(train.shape[1])]

    def judge(rows: Array) -> tuple[Array, Array]:
        channels = np.stack([one(rows[:, [c]]) for c, one in enumerate(alone)], axis=1)
        return np.maximum(whole(rows), channels.max(axis=1)), channels

    return judge


def _auto_encoder(train: Array, seed: int) -> Judge:
    import torch
    from torch import nn

    scaled, window = scaling(train), min(WINDOW, len(train) // 2)
    normal = torch.tensor(_lagged(scaled(train), window), dtype=torch.float32)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        sizes = (normal.shape[1], WIDTH, CODE, WIDTH)
        layers: list[nn.Module] = []
        for wide, narrow in zip(sizes[:-1], sizes[1:], strict=True):
            layers += [nn.Linear(wide, narrow), nn.ReLU()]
        net = nn.Sequential(*layers, nn.Linear(WIDTH, normal.shape[1]))
        optimiser = torch.optim.Adam(net.parameters(), lr=RATE)
        for _ in range(STEPS):
            batch = normal[torch.randint(len(normal), (BATCH,))]
            optimiser.zero_grad()
            (net(batch) - batch).square().mean().backward()
            optimiser.step()

    def judge(rows: Array) -> tuple[Array, Array]:
        windows = cut(Series(scaled(rows)), window, min(STRIDE, window))
        with torch.no_grad():
            parts = torch.as_tensor(windows.x, dtype=torch.float32).flatten(1).split(CHUNK)
            rebuilt = torch.cat([net(part) for part in parts]).reshape(windows.x.shape)
        square = stitch((windows.x - rebuilt.numpy()) ** 2, windows)[0]
        return square.mean(axis=1), square

    return judge


REFERENCES = ((_difference, 1.0), (_squared, 0.5))

RIVALS = (
    Rival("random", _random, True, "uniform random scores: what nothing gets"),
    Rival("difference", _difference, False, "mean absolute step from the time point before"),
    Rival("squared z-score", _squared, False, "what the released DDMT amounts to"),
    Rival("first channel", _first, False, "absolute z-score of the first channel alone"),
    Rival("PCA", _pca, False, "mean squared residual of 90 % of the variance"),
    Rival("PCA, calibrated", _pca_calibrated, False, "largest residual / its 99 %-quantile"),
    Rival(
        "difference, spans",
        _spanned((_difference, 1)),
        False,
        "the same step, pooled as DDMT's errors",
    ),
    Rival(
        "z-score, spans",
        _spanned((_squared, 0.5)),
        False,
        "absolute z-score, pooled as DDMT's errors",
    ),
    Rival("PCA, spans", _spanned((_pca, 0.5)), False, "PCA's residuals, pooled as DDMT's errors"),
    Rival("references, spans", _spanned(*REFERENCES), False, "both: DDMT without its network"),
    Rival("isolation forest", _forest, True, "100 trees"),
    Rival("k-means, published", _kmeans_published, True, "fitted on the very part that is scored"),
    Rival("k-means", _kmeans, True, "the same, fitted on the training part"),
    Rival("k-means, first channel", _kmeans_first, True, "larger of all channels and the first"),
    Rival("k-means, each channel", _kmeans_each, True, "larger of all channels and any alone"),
    Rival("auto-encoder", _auto_encoder, True, "windows of 40 through 16 numbers, 600 Adam steps"),
)
