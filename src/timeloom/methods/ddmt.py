"""DDMT: anomalies by masked diffusion reconstruction, one network call per mask.

Source: arXiv 2310.08800. The default is not what was published: a window is rebuilt from itself
part by part, each part hidden from the network while the rest is known. ``DDMT.paper()`` is the
published model.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Self

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor

from timeloom.data.alarms import rule_from_state, rule_of
from timeloom.data.scale import Scaler
from timeloom.data.windows import Series, Windows
from timeloom.diffusion.draws import Draws
from timeloom.methods.drawing import CHUNK, pick_device
from timeloom.methods.estimator import Estimator, fingerprint, part_of
from timeloom.methods.fewshot import hidden_points
from timeloom.methods.normal import (
    Recordings,
    as_recordings,
    check_channels,
    parted,
    training_windows,
    without_anomalies,
)
from timeloom.methods.prepare import bridge, check_ranges, one_of
from timeloom.methods.rebuild import Rebuilder
from timeloom.methods.residuals import Ledger, comb, ends
from timeloom.methods.stream import Stream
from timeloom.train.loop import Progress, train
from timeloom.train.recipe import Recipe

__all__ = ["DDMT"]

Array = NDArray[Any]

CLIP = 10.0  # spreads of the training data beyond which a value says no more
FAINT = 1e-6  # of a channel's level: a spread below this is rounding, and the channel is dead
LEAST = 0.05  # spreads: what is rebuilt that well is rebuilt as well as any channel can be
WINDOWS = 512  # that are scored at once
POOLS = ("mean", "square", "max")
UNPARTED = (
    "There was too little data to set some aside, so the threshold comes from the very data that "
    "were trained on, and will give more false alarms than asked for."
)


@dataclass
class DDMT(Estimator):
    """A detector: learns normal recordings, and scores a time point by how badly it is rebuilt.

    Args:
        window: Time points of a window, where recordings are given; windows bring their own.
        mask: What is hidden from the network: ``"comb"``, every part of a window in turn;
            ``"neighbour"``, the points that an auto-encoder rebuilds badly and those like them
            (the paper's ADNM); ``"none"``.
        parts: Of the comb: network calls per window.
        block: Time points of its teeth.
        start: What a hidden point begins from: ``"anchor"``, itself as if it were noised to level
            ``anchor``; ``"blind"``, nothing; ``"noise"``, the paper's: the whole window is drawn
            from noise in ``steps`` steps and knows nothing of the input.
        anchor: That level, in spreads of the data.
        steps: Of the paper's sampler.
        network: ``"series"``, a U-Net in time, or ``"transformer"``, the paper's.
        width: Features of the network; ``multipliers``: of the U-Net's levels in units of it.
        layers: Of the transformer; ``heads``: of its attention.
        share: Share of the time points that the neighbour mask picks.
        criterion: How alike neighbours are: ``"pearson"``, ``"gradient"`` or ``"fixed"``.
        corr_threshold: Likeness above which a neighbour is hidden, too.
        most_neighbours: At most so many to either side.
        scope: What the neighbour mask hides from: ``"input"``, ``"query"`` or ``"key"``.
        hop: Time points between the windows that are scored.
        lag: Time points that a score may wait for further windows; None waits for all.
        pool: How channels become one score: ``"mean"``, ``"square"`` or ``"max"``.
        calibrate: Whether each channel is measured by what is normal for it.
        known: Share of the training windows in which some points are known.
        level_low: Smallest noise level trained at, ``level_high`` the largest.
        level_mean: Mean of the logarithm of the levels, ``level_spread`` its deviation.
        threshold: ``"conformal"``, ``"pot"`` or ``"quantile"``: from scores of normal data.
        alarm_rate: Share of normal time points that may be flagged.
        held_out: Share of the recordings that is not trained on but gives the threshold.
        most: Training windows at most, evenly spread.
        train_steps: Budget in optimiser steps; ``minutes`` or ``windows_seen`` take its place.
        batch: Windows per step; it, ``lr``, ``weight_decay``, ``warmup``, ``clip``, ``average``,
            ``validations``, ``precision`` and ``device``: see :class:`timeloom.train.Recipe`.
        seed: Of the weights and of all training.
    """

    window: int = 64
    mask: str = "comb"
    parts: int = 4
    block: int = 4
    start: str = "anchor"
    anchor: float = 2.0
    steps: int = 1
    network: str = "series"
    width: int = 48
    multipliers: str = "1,2"
    layers: int = 2
    heads: int = 4
    share: float = 0.05
    criterion: str = "pearson"
    corr_threshold: float = 0.7
    most_neighbours: int = 5
    scope: str = "input"
    hop: int = 8
    lag: int | None = None
    pool: str = "mean"
    calibrate: bool = True
    known: float = 0.7
    level_low: float = 0.02
    level_high: float = 20.0
    level_mean: float = -0.5
    level_spread: float = 1.2
    threshold: str = "conformal"
    alarm_rate: float = 0.01
    held_out: float = 0.2
    most: int = 20_000
    train_steps: int = 1_000
    minutes: float | None = None
    windows_seen: int | None = None
    batch: int = 64
    lr: float = 2e-3
    weight_decay: float = 1e-4
    warmup: float = 0.05
    clip: float = 1.0
    average: float | None = 6.94
    validations: int = 10
    precision: str = "no"
    device: str = "auto"
    seed: int = 0

    @classmethod
    def paper(cls, **overrides: Any) -> Self:
        """The published model: 500 steps from noise, so that no score looks at its window.

        Windows of 100 that do not overlap, one layer of 512 features, the neighbour mask on
        attention in training and scoring alike, the mean square of a channel's distance. Left out
        are a threshold read from the test scores and the best of 100 draws. The optimiser is
        Adam's: with the paper's SGD at 1e-4 the loss stays where it began.
        """
        values: dict[str, Any] = dict(
            window=100, mask="neighbour", scope="query", start="noise", steps=500
        )
        values |= dict(network="transformer", width=512, layers=1, heads=8, hop=100, lag=0)
        values |= dict(pool="square", calibrate=False, known=0.0, threshold="quantile", batch=256)
        values |= dict(train_steps=2_300, lr=1e-3, weight_decay=0.0, average=None)
        return cls(**{**values, **overrides})

    def training(
        self,
        windows: Recordings,
        y: ArrayLike | None = None,
        *,
        folder: str | Path | None = None,
        resume: bool = False,
    ) -> Iterator[Progress]:
        """Trains on normal recordings, then finds the threshold; yields how far it has come.

        Args:
            windows: A ``Series`` or several, an array (time, channel), or ``Windows``, which are
                put back where they were cut. NaN = not measured. Time points that are labelled as
                anomalies are left out, and said.
            y: None: what is labelled must be a ``Series`` or ``Windows`` of its own labels.
            folder: Where the run is kept; a killed run can go on from there.
            resume: Go on with the run in ``folder``.

        Raises:
            ValueError: If the recordings or a setting cannot be trained with, or ``folder`` was
                trained on other data.
        """
        if y is not None:
            raise ValueError("a detector learns without labels, so y must be left out.")
        check_ranges(self.settings)
        one_of("pool", self.pool, POOLS)
        length = windows.shape[0] if isinstance(windows, Windows) else self.window
        series = without_anomalies(as_recordings(windows)[0])
        check_channels(series, series[0].channels)
        kept, calibrating = parted(series, self.held_out, length, self.seed)
        cuts = training_windows(kept, length, self.most)
        self._learn(cuts)
        folder = self._begin_run(folder, resume, self.data_)
        yield from train(
            self,
            self._tensors(self._scaled(cuts.x)),
            recipe=Recipe(**{field.name: getattr(self, field.name) for field in fields(Recipe)}),
            seed=self.seed,
            folder=folder,
            resume=resume,
        )
        self._find_threshold(calibrating, kept)
        self._end_run(folder)

    def _learn(self, cuts: Windows) -> None:
        """Everything that is known before the first step."""
        self.data_, self.window_, self.channels_ = fingerprint(cuts), cuts.shape[0], cuts.channels
        comb(self.window_, self.block, self.parts)  # which says if they do not fit
        if self.hop > self.window_:
            raise ValueError(
                f"hop must be at most the window's {self.window_} time points, or some would have "
                f"no score; got {self.hop}."
            )
        self.scaler_ = Scaler().fit(cuts.x)
        level = np.maximum(np.abs(self.scaler_.center_), FAINT)
        # What never moved has no unit but its own, and still counts once it moves.
        still = self.scaler_.spread_ <= FAINT * level
        self.scaler_.spread_ = np.where(still, 1.0, self.scaler_.spread_)
        self._build()

    def _build(self) -> None:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(self.seed)
            self.model_ = Rebuilder(self.settings, len(self.channels_))
        self.usual_ = np.ones(len(self.channels_))

    def loss(self, model: Rebuilder, z: Tensor, measured: Tensor, *, rng: Draws) -> Tensor:
        """Mean square of what the network should have put out, over what was measured.

        ``z`` (window, channel, time) is scaled; ``measured``, of the same shape, is 1 where it was
        measured.
        """
        given = torch.zeros_like(measured)
        if self.known > 0:
            given = measured * hidden_points(z.shape, self.known, rng).to(z.device)
        return model.loss(z, measured, given, rng)

    def anomaly_scores(self, series: Recordings) -> Any:
        """(time,) how abnormal each time point is; higher is more so.

        Args:
            series: A ``Series`` or an array (time, channel); of several, a list comes back.

        Raises:
            ValueError: If a recording is shorter than a window or has other channels than the
                training data.
        """
        return self._each(series, self._points)

    def channel_scores(self, series: Recordings) -> Any:
        """(time, channel) how abnormal each channel is: 1 is the most that is usual for it.

        Arguments and errors as in :meth:`anomaly_scores`. A point that was not measured has 0.
        """
        return self._each(series, self._channels)

    def score_samples(self, series: Recordings) -> Any:
        """(time,) the negative of :meth:`anomaly_scores`, scikit-learn's sign."""
        return self._each(series, lambda one: -self._points(one))

    def predict(self, series: Recordings) -> Any:
        """(time,) 1 where the score is above ``threshold_``, else 0."""
        return self._each(
            series, lambda one: (self._points(one) > self.threshold_).astype(np.int64)
        )

    def stream(self, *, lag: int = 0, state: dict[str, Array] | None = None) -> Stream:
        """A scorer of rows as they arrive; ``state`` is that of an earlier one, to go on with.

        Args:
            lag: Rows that a score may wait for further windows; 0 answers at the first one.
            state: What :meth:`Stream.state` gave.
        """
        self._need_fit()
        return Stream(self, lag, state)

    @property
    def threshold_(self) -> float:
        """Score above which a time point is an alarm."""
        self._need_fit()
        return self.rule_.threshold_

    def ledger(self, lag: int | None) -> Ledger:
        """The empty sums of one recording's windows."""
        wait = self.window_ if lag is None else lag
        return Ledger(self.window_, self.hop, wait, len(self.channels_))

    def wrong(self, values: Array, at: Array, first: int) -> Array:
        """(window, time, channel) by how much windows are rebuilt wrongly; NaN: not measured.

        Args:
            values: (time, channel) in the units of the source, NaN = not measured.
            at: (window,) last time point of each window, counted from the recording's first.
            first: Time point of the recording that ``values`` begin at.
        """
        z = self._scaled(values)
        views = np.lib.stride_tricks.sliding_window_view(z, self.window_, axis=0)
        x = np.ascontiguousarray(views[at - first - self.window_ + 1].transpose(0, 2, 1))
        device = pick_device(self.device)
        model = self.model_.to(device).eval()
        parts = torch.from_numpy(comb(self.window_, self.block, self.parts)).to(device)
        size = max(1, CHUNK // (self.parts if self.mask == "comb" else 1))
        out = np.empty(x.shape)
        for begin in range(0, len(x), size):
            rows = slice(begin, begin + size)
            clean, measured = (part.to(device) for part in self._tensors(x[rows]))
            rebuilt = model.rebuilt(clean, measured, parts, at[rows].tolist()).mT.cpu().numpy()
            out[rows] = np.abs(rebuilt - x[rows])  # NaN stays NaN
        return out

    def _residuals(self, one: Series) -> Array:
        """(time, channel) by how much each point is rebuilt wrongly, over all its windows."""
        if len(one) < self.window_:
            name = f" '{one.name}'" if one.name else ""
            raise ValueError(
                f"a recording must be at least one window long, {self.window_} time points; "
                f"recording{name} has {len(one)}. Give a longer one, or train with shorter windows."
            )
        at = ends(0, len(one) - 1, self.window_, self.hop)
        at = at if at[-1] == len(one) - 1 else np.append(at, len(one) - 1)
        ledger, found = self.ledger(self.lag), []
        for rows in np.array_split(at, -(-len(at) // WINDOWS)):
            low = rows[0] - self.window_ + 1
            own = self.wrong(one.values[low : rows[-1] + 1], rows, low)
            for end, residual in zip(rows.tolist(), own, strict=True):
                ledger.add(end, residual)
            found.append(ledger.settled())
        return np.concatenate([*found, ledger.settled(all_of_them=True)])

    def measured_by_usual(self, residuals: Array) -> Array:
        """(time, channel) scores of residuals; 0 where nothing was measured."""
        return np.nan_to_num(residuals / self.usual_)

    def pooled(self, scores: Array) -> Array:
        """(time,) one score of (time, channel) scores."""
        if self.pool == "max":
            return scores.max(axis=1)
        if self.pool == "square":
            return np.sqrt(np.square(scores).mean(axis=1))
        return scores.mean(axis=1)

    def _channels(self, one: Series) -> Array:
        return self.measured_by_usual(self._residuals(one))

    def _points(self, one: Series) -> Array:
        return self.pooled(self._channels(one))

    def _find_threshold(self, calibrating: Sequence[Series], kept: Sequence[Series]) -> None:
        """What is usual in each channel, and from which score on it is an alarm."""
        long = [one for one in calibrating if len(one) >= self.window_]
        self.rule_ = rule_of(self.threshold, self.alarm_rate)
        residuals = [self._residuals(one) for one in long or kept if len(one) >= self.window_]
        if self.calibrate:
            usual = np.nanquantile(np.concatenate(residuals), 0.99, axis=0)
            self.usual_ = np.maximum(np.nan_to_num(usual, nan=1.0), LEAST)
        self.rule_.fit([self.pooled(self.measured_by_usual(own)) for own in residuals])
        self.notes_ = self.rule_.notes if long else (UNPARTED, *self.rule_.notes)

    def _each(self, series: Recordings, answer: Callable[[Series], Array]) -> Any:
        self._need_fit()
        found, single = as_recordings(series)
        check_channels(found, self.channels_)
        answers = [answer(one) for one in found]
        return answers[0] if single else answers

    def _scaled(self, x: Array) -> Array:
        z = self.scaler_.transform(np.asarray(x, np.float64))
        return np.clip(z, -CLIP, CLIP).astype(np.float32)

    def _tensors(self, z: Array) -> tuple[Tensor, Tensor]:
        measured = torch.from_numpy((~np.isnan(z)).astype(np.float32)).mT
        return torch.from_numpy(bridge(z)).mT.contiguous(), measured.contiguous()

    def _facts(self) -> dict[str, Any]:
        facts: dict[str, Any] = dict(data=self.data_, channels=list(self.channels_))
        facts["window"] = self.window_
        if hasattr(self, "rule_"):
            facts |= dict(rule=self.rule_.to_state()[0], notes=list(self.notes_))
        return facts

    def _arrays(self) -> dict[str, Array]:
        weights = {f"model/{k}": v.cpu().numpy() for k, v in self.model_.state_dict().items()}
        scale = {f"scaler/{k}": v for k, v in self.scaler_.state().items()}
        rule = {f"rule/{k}": v for k, v in self.rule_.to_state()[1].items()}
        return weights | scale | rule | {"usual": self.usual_}

    def _restore(self, facts: dict[str, Any], arrays: dict[str, Array]) -> Self:
        self.data_, self.channels_ = facts["data"], tuple(facts["channels"])
        self.window_, self.notes_ = facts["window"], tuple(facts["notes"])
        self.scaler_ = Scaler().restore(part_of(arrays, "scaler/"))
        self._build()
        weights = part_of(arrays, "model/")
        self.model_.load_state_dict({k: torch.from_numpy(v) for k, v in weights.items()})
        self.usual_ = arrays["usual"]
        self.rule_ = rule_from_state(facts["rule"], part_of(arrays, "rule/"))
        return self
