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

from timeloom.data.alarms import Rule, rule_of
from timeloom.data.scale import Scaler
from timeloom.data.windows import Series, Windows
from timeloom.diffusion.draws import Draws
from timeloom.methods.drawing import CHUNK, pick_device
from timeloom.methods.estimator import Estimator, fingerprint, part_of
from timeloom.methods.normal import (
    Recordings,
    as_recordings,
    check_channels,
    check_length,
    latest,
    parted,
    say_unmeasured,
    scaler_of,
    training_windows,
    without_anomalies,
)
from timeloom.methods.prepare import bridge, check_ranges, given_points, one_of, whole_numbers
from timeloom.methods.rebuild import Rebuilder
from timeloom.methods.references import REFERENCES, beside
from timeloom.methods.residuals import Ledger, check_hop, comb, recorded
from timeloom.methods.spans import Judge, Spans
from timeloom.methods.stream import Stream
from timeloom.train.loop import Progress, train
from timeloom.train.recipe import Recipe

__all__ = ["DDMT"]

Array = NDArray[Any]

CLIP = 10.0  # spreads of the training data beyond which a value says no more
NORMAL = 50_000  # rows that show what is normal
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
        spans: Time points over which errors are averaged, with commas; a score is the largest of
            its spans, each measured by what is normal for it.
        beside: What counts beside the error of the rebuilt: ``"step"``, the distance from the time
            point before, ``"level"``, that from the mean of the training data; with commas.
        pool: How channels become one score: ``"mean"``, ``"square"`` or ``"max"``.
        calibrate: Whether errors are measured by what is normal for them, see
            :class:`timeloom.methods.spans.Spans`.
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

    window: int = 32
    mask: str = "comb"
    parts: int = 4
    block: int = 4
    start: str = "anchor"
    anchor: float = 2.0
    steps: int = 1
    network: str = "series"
    width: int = 32
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
    spans: str = "1,16,64,256"
    beside: str = "step,level"
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
    train_steps: int = 400
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
        """The published model: 500 steps from noise, which see of a window only what to mask.

        Windows of 100 that do not overlap, one layer of 512 features, the neighbour mask on
        attention in training and scoring alike, the mean square of a channel's distance. Left out
        are a threshold read from the test scores and the best of 100 draws; the optimiser is Adam.
        """
        values: dict[str, Any] = dict(window=100, mask="neighbour", scope="query", start="noise")
        values |= dict(network="transformer", width=512, layers=1, heads=8, steps=500, hop=100)
        values |= dict(
            lag=0, spans="1", beside="", pool="square", calibrate=False, known=0.0, batch=256
        )
        values |= dict(threshold="quantile", train_steps=2_300, lr=1e-3, weight_decay=0.0)
        return cls(**{**values, "average": None, **overrides})

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
        self._find_normal(calibrating, series)
        self._end_run(folder)

    def _learn(self, cuts: Windows) -> None:
        """Everything that is known before the first step."""
        self.data_, self.window_, self.channels_ = fingerprint(cuts), cuts.shape[0], cuts.channels
        comb(self.window_, self.block, self.parts)  # which says if they do not fit
        check_hop(self.hop, self.window_)
        self.scaler_ = scaler_of(cuts.x)
        self._build()

    def _build(self) -> None:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(self.seed)
            self.model_ = Rebuilder(self.settings, len(self.channels_))

    def loss(self, model: Rebuilder, z: Tensor, measured: Tensor, *, rng: Draws) -> Tensor:
        """Mean square of what the network should have put out, over what was measured.

        ``z`` (window, channel, time) is scaled; ``measured``, of the same shape, is 1 where it was
        measured.
        """
        given = torch.zeros_like(measured)
        if self.known > 0:
            given = measured * given_points(z.shape, self.known, rng).to(z.device)
        return model.loss(z, measured, given, rng)

    def anomaly_scores(self, series: Recordings) -> Any:
        """(time,) how abnormal each time point is; 1 is the most that is usual.

        Args:
            series: A ``Series`` or an array (time, channel); of several, a list comes back.

        Raises:
            ValueError: If a recording is shorter than a window or has other channels than the
                training data.
        """
        return self._each(series, lambda one: self._scored(one)[0])

    def channel_scores(self, series: Recordings) -> Any:
        """(time, channel) how abnormal each channel is: 1 is the most that is usual for it.

        Arguments and errors as in :meth:`anomaly_scores`. What was not measured counts nothing.
        """
        return self._each(series, lambda one: self._scored(one)[1])

    def both_scores(self, series: Recordings) -> Any:
        """What :meth:`anomaly_scores` and :meth:`channel_scores` give, for the work of one."""
        return self._each(series, self._scored)

    def score_samples(self, series: Recordings) -> Any:
        """(time,) the negative of :meth:`anomaly_scores`, scikit-learn's sign."""
        return self._each(series, lambda one: -self._scored(one)[0])

    def predict(self, series: Recordings) -> Any:
        """(time,) 1 where the score is above ``threshold_``, else 0."""
        return self._each(series, lambda one: (self._scored(one)[0] > self.threshold_) * 1)

    def stream(self, *, lag: int = 0, state: dict[str, Array] | None = None) -> Stream:
        """A scorer of rows as they arrive; ``state`` is that of an earlier one, to go on with.

        Args:
            lag: Rows that a score may wait for further windows and spans; 0 answers at the first
                window.
            state: What :meth:`Stream.state` gave.
        """
        self._need_fit()
        return Stream(self, lag, state)

    @property
    def threshold_(self) -> float:
        """Score above which a time point of a whole recording is an alarm."""
        self._need_fit()
        return self.rule_.threshold_

    @property
    def rule_(self) -> Rule:
        """How ``threshold_`` was come by."""
        return self.judge(self.lag).rule

    @property
    def notes_(self) -> tuple[str, ...]:
        """What the user should know of the threshold."""
        return self.judge(self.lag).said

    def judge(self, lag: int | None) -> Judge:
        """What is normal for scores that may wait so long or, if that is not known, less long."""
        known = [one for one in self.judges_ if one.wait <= (np.inf if lag is None else lag)]
        learnt = max(known, key=lambda one: one.wait)
        return learnt._replace(spans=self._spans(lag).restore(learnt.spans.state()))

    def ledger(self, lag: int | None) -> Ledger:
        """The empty sums of one recording's windows."""
        return Ledger(self.window_, self.hop, self.window_ if lag is None else lag, self.columns)

    @property
    def columns(self) -> int:
        """Errors of one time point: of every view, of every channel."""
        return (1 + len(beside(self.beside))) * len(self.channels_)

    def wrong(self, values: Array, at: Array, first: int) -> Array:
        """(window, time, view x channel) by how much windows are wrong; NaN: not measured.

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
        return np.concatenate([out, *(REFERENCES[one](x) for one in beside(self.beside))], axis=2)

    def _errors(self, one: Series, lags: Sequence[int | None]) -> list[Array]:
        """For each lag (time, view x channel) errors, over all the windows that it waits for."""
        check_length(one, self.window_)
        return recorded(one.values, [self.ledger(lag) for lag in lags], self.wrong)

    def _scored(self, one: Series) -> tuple[Array, Array]:
        """(time,) and (time, channel) scores."""
        say_unmeasured(one)
        return self.judge(self.lag).spans.scores(self._errors(one, [self.lag])[0])

    def _spans(self, lag: int | None) -> Spans:
        widths, views = whole_numbers("spans", self.spans), 1 + len(beside(self.beside))
        return Spans(widths, lag, views, self.pool, self.calibrate)

    def _find_normal(self, calibrating: Sequence[Series], every: Sequence[Series]) -> None:
        """What is normal for errors, from ``every`` recording, and where alarms begin.

        A short recording says little of long spans, so none of it is kept from this.
        """
        lags = list(dict.fromkeys((self.lag, 0, self.hop)))
        long = [one for one in calibrating if len(one) >= self.window_]
        # Errors that are taken as they are need no data to show what is normal.
        more = latest(every, NORMAL, self.window_) if self.calibrate or not long else []
        held = [self._errors(one, lags) for one in long]
        own = [self._errors(one, lags) for one in more if len(one) >= self.window_] or held
        self.judges_ = []
        for place, lag in enumerate(lags):
            spans = self._spans(lag).fit([errors[place] for errors in own])
            scores = [spans.normal_scores(errors[place]) for errors in held or own]
            rule = rule_of(self.threshold, self.alarm_rate).fit(scores)
            self.judges_.append(Judge(spans, rule, () if held else (UNPARTED,)))

    def _each(self, series: Recordings, answer: Callable[[Series], Any]) -> Any:
        self._need_fit()
        found, single = as_recordings(series)
        check_channels(found, self.channels_)
        return answer(found[0]) if single else [answer(one) for one in found]

    def _scaled(self, x: Array) -> Array:
        z = self.scaler_.transform(np.asarray(x, np.float64))
        return np.clip(z, -CLIP, CLIP).astype(np.float32)

    def _tensors(self, z: Array) -> tuple[Tensor, Tensor]:
        measured = torch.from_numpy((~np.isnan(z)).astype(np.float32)).mT
        return torch.from_numpy(bridge(z)).mT.contiguous(), measured.contiguous()

    def _facts(self) -> dict[str, Any]:
        judges = [one.facts() for one in getattr(self, "judges_", ())]
        channels = list(self.channels_)
        return dict(data=self.data_, channels=channels, window=self.window_, judges=judges)

    def _arrays(self) -> dict[str, Array]:
        weights = {f"model/{k}": v.cpu().numpy() for k, v in self.model_.state_dict().items()}
        found = weights | {f"scaler/{k}": v for k, v in self.scaler_.state().items()}
        for place, one in enumerate(self.judges_):
            found |= {f"judge{place}/{key}": value for key, value in one.arrays().items()}
        return found

    def _restore(self, facts: dict[str, Any], arrays: dict[str, Array]) -> Self:
        self.data_, self.window_ = facts["data"], facts["window"]
        self.channels_ = tuple(facts["channels"])
        self.scaler_ = Scaler().restore(part_of(arrays, "scaler/"))
        self._build()
        weights = part_of(arrays, "model/")
        self.model_.load_state_dict({k: torch.from_numpy(v) for k, v in weights.items()})
        self.judges_ = [
            Judge.restored(self._spans(one["lag"]), one, part_of(arrays, f"judge{place}/"))
            for place, one in enumerate(facts["judges"])
        ]
        return self
