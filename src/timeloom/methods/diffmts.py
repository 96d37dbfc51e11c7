"""Diff-MTS: windows for a given label or value.

Source: Ren et al., "Diff-MTS: Temporal-Augmented Conditional Diffusion-Based AIGC for Industrial
Time Series Toward the Large Model Era", IEEE Transactions on Cybernetics 54(12), 2024,
arXiv 2407.11501.
"""

from collections.abc import Iterator
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any, Self

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor, nn

from timeloom.data.scale import Scaler
from timeloom.data.windows import Windows, concatenate
from timeloom.diffusion.denoise import Denoiser
from timeloom.diffusion.draws import Draws
from timeloom.diffusion.sample import Push
from timeloom.methods.condition import Condition
from timeloom.methods.drawing import Drawing
from timeloom.methods.estimator import Estimator, as_windows, fingerprint, part_of
from timeloom.methods.mmd import AdaptiveWeight, WeightedDenoiser, alike, conditional_mmd, gate
from timeloom.methods.prepare import (
    bridge,
    check_fit,
    check_ranges,
    hold_out,
    leading_spread,
    one_of,
    schedule_of,
    whole_numbers,
)
from timeloom.nets.trend_unet import TrendUNet
from timeloom.train.loop import Progress, train
from timeloom.train.ranks import together
from timeloom.train.recipe import Recipe

__all__ = ["DiffMTS"]


@dataclass(kw_only=True, eq=False)
class DiffMTS(Estimator):
    """Generates windows for a class or a value, by diffusion with a temporal-decomposition U-Net.

    The defaults are ours; :meth:`paper` holds the paper's.

    Args:
        schedule: ``"karras"`` (noise levels, 12 steps), ``"cosine"`` or ``"linear"`` (betas).
        diffusion_steps: Steps of the beta schedules; the paper's 500.
        beta_first: First beta of ``"linear"``.
        beta_last: Last beta of ``"linear"``.
        level_high: Largest noise level of ``"karras"`` that is sampled at, in units of the
            scaled data. None: five times the largest spread of the windows in any direction.
        level_mean: Mean of the logarithm of the levels trained at.
        level_spread: Standard deviation of it.
        level_rho: Spacing of the levels sampled at; None is the one that suits ``"hybrid_2m"``,
            7 is EDM's, for the other rules.
        target: What the network predicts: ``"karras"``, ``"noise"``, ``"velocity"``, ``"clean"``.
        width: Features of the first level of the network.
        multipliers: Features of its levels in units of ``width``.
        trend: Whether its bottleneck takes trend and peak apart (TDR).
        trend_window: Time points that are pooled for it.
        trend_parts: ``"both"``, ``"trend"`` or ``"peak"``: for ablations.
        mmd: ``"adaptive"`` (learned weight, the paper's), ``"fixed"`` or ``"none"``: the Ada-MMD
            term. Ours is none: on FD001 at 24 points the three differ by less than the spread of
            three seeds (RMSE 15.8, 15.8, 16.0 ± .3) and it costs a tenth of a step.
        mmd_weight: The fixed weight, or what the learned one stays below.
        mmd_on: What is compared: ``"output"`` of the network and its target (with target="noise"
            the noises, as in the paper), or the ``"clean"`` estimate and the windows.
        mmd_gate: Only times whose share of signal variance lies below this take part; 1 is all.
        mmd_condition: Compare jointly with the condition; False is the paper's Eq. 11.
        mmd_bandwidth: How near two values, scaled to [0, 1], count as alike there.
        condition: ``"auto"``, ``"class"``, ``"value"`` or ``"none"``: what labels are.
        drop: Share of windows whose condition is hidden in training, for guidance.
        guidance: Weight of classifier-free guidance; 0 halves the cost of sampling.
        scale: Scaling of channels: ``"standard"``, ``"minmax"``, ``"robust"``, ``"quantile"``.
        keep_constant: Accept channels that never change; they come back as their constant.
        sample_step: Rule of the sampler: ``"hybrid_2m"``, ``"trig_2m"``, ``"dpmpp_2m"``,
            ``"heun"``, ``"ddim"``, ``"ddpm"`` or
            ``"ddpm_beta"`` (the larger variance, as the authors' code).
        sample_steps: Steps of the sampler.
        held_out: Share of the training windows that chooses the weights that are kept.
        train_steps: Budget in optimiser steps; ``minutes`` or ``windows_seen`` take its place.
        batch: Windows per step; it, ``lr``, ``weight_decay``, ``warmup``, ``clip``, ``average``,
            ``validations``, ``precision`` and ``device``: see :class:`timeloom.train.Recipe`.
        seed: Of the weights and of all training.
        net: A network of one's own, called ``net(x, t, cond)`` with x (window, channel, time).
    """

    schedule: str = "karras"
    diffusion_steps: int = 500
    beta_first: float = 1e-4
    beta_last: float = 0.028
    level_high: float | None = None
    level_mean: float = -0.2
    level_spread: float = 1.6
    level_rho: float | None = None
    target: str = "karras"
    width: int = 32
    multipliers: str = "1,2,2"
    trend: bool = True
    trend_window: int = 3
    trend_parts: str = "both"
    mmd: str = "none"
    mmd_weight: float = 0.2
    mmd_on: str = "clean"
    mmd_gate: float = 1.0
    mmd_condition: bool = True
    mmd_bandwidth: float = 0.15
    condition: str = "auto"
    drop: float = 0.2
    guidance: float = 0.2
    scale: str = "standard"
    keep_constant: bool = False
    sample_step: str = "hybrid_2m"
    sample_steps: int = 12
    held_out: float = 0.1
    train_steps: int = 4000
    minutes: float | None = None
    windows_seen: int | None = None
    batch: int = 128
    lr: float = 2e-3
    weight_decay: float = 1e-4
    warmup: float = 0.05
    clip: float = 1.0
    average: float | None = 6.94
    validations: int = 20
    precision: str = "no"
    device: str = "auto"
    seed: int = 0
    net: nn.Module | None = None

    @classmethod
    def paper(cls, **overrides: Any) -> Self:
        """The paper's settings: 500 ancestral steps, min-max scaling, Ada-MMD between noises.

        Linear betas are the released code's (the paper's: ``schedule="cosine"``). The learned
        weight stays inside (0, mmd_weight), since Eq. 11 as printed drives it to 1.
        """
        values: dict[str, Any] = dict(
            schedule="linear",
            target="noise",
            scale="minmax",
            mmd_on="output",
            mmd_condition=False,
            sample_step="ddpm_beta",
            sample_steps=500,
            batch=256,
            average=None,
            mmd="adaptive",
        )
        return cls(**{**values, **overrides})

    def training(
        self,
        windows: Windows | ArrayLike,
        y: ArrayLike | None = None,
        *,
        folder: str | Path | None = None,
        resume: bool = False,
    ) -> Iterator[Progress]:
        """Trains, and yields how far it has come, about two hundred times.

        Args:
            windows: ``Windows``, or an array (window, time, channel). NaN = not measured: such
                points are bridged in what the network sees and left out of the loss.
            y: Labels (window,) beside a plain array.
            folder: Where the run is kept; a killed run can go on from there.
            resume: Go on with the run in ``folder``.

        Raises:
            ValueError: If the windows, the labels or a setting cannot be trained with, or if
                ``folder`` was trained on other data.
        """
        windows = as_windows(windows, y)
        check_ranges(self.settings)
        check_fit(windows, keep_constant=self.keep_constant)
        self._learn(windows)
        folder = self._begin_run(folder, resume, self.data_)
        kept, held_out = hold_out(windows, self.held_out, self.seed)
        yield from train(
            self,
            self._tensors(kept),
            None if held_out is None else self._tensors(held_out),
            recipe=self._recipe(),
            seed=self.seed,
            folder=folder,
            resume=resume,
        )
        self._end_run(folder)

    def loss(
        self, model: WeightedDenoiser, x: Tensor, measured: Tensor, cond: Tensor, *, rng: Draws
    ) -> Tensor:
        """``(1 - w)·L_noise + w·MMD²``; the noise loss alone where ``model`` is not training.

        ``model`` is ``model_`` or its averaged copy; ``x`` (window, channel, time) is scaled;
        ``measured``, of the same shape, is 1 where it was measured; ``cond`` (window,) is what the
        network is told, NaN = none.
        """
        # The one place where a condition is dropped.
        hidden = (rng.uniform((len(cond),)) < self.drop).to(cond.device)
        told = torch.where(hidden, torch.nan, cond)
        pair = model.denoiser.pair(x, told, rng)
        wrong = (pair.output - pair.target).square() * measured
        noise_loss = wrong.sum() / measured.sum().clamp(min=1)
        if self.mmd == "none" or not model.training:
            return noise_loss
        compared = (pair.estimate, x) if self.mmd_on == "clean" else (pair.output, pair.target)
        compared = tuple(part * measured for part in compared)
        kind = self.condition_.kind if self.mmd_condition else "none"
        got, wanted, everyone, signal = (together(v) for v in (*compared, told, pair.signal))
        given = alike(everyone, kind, self.mmd_bandwidth) * gate(signal, self.mmd_gate)
        discrepancy = conditional_mmd(got, wanted, given)
        if model.weight is None:
            return (1 - self.mmd_weight) * noise_loss + self.mmd_weight * discrepancy
        return model.weight(noise_loss, discrepancy)

    def sample(
        self,
        count: int,
        y: ArrayLike | None = None,
        *,
        seed: int = 0,
        steps: int | None = None,
        step: str | None = None,
        guidance: float | None = None,
        extrapolate: bool = False,
        push: Push | None = None,
    ) -> Windows:
        """Generates windows; window i depends on (seed, i) only.

        Args:
            count: How many.
            y: One label for all or one per window; None draws from the training labels.
            seed: Of the noise.
            steps: Steps of the sampler; ``sample_steps`` where None.
            step: Rule of the sampler; ``sample_step`` where None.
            guidance: Weight of the guidance; ``guidance`` of the constructor where None.
            extrapolate: Allow values outside the trained range.
            push: Changes every clean estimate, see :func:`timeloom.diffusion.sample.sample`.

        Returns:
            Windows in the units of the training data, with the labels that were asked for.

        Raises:
            ValueError: If the labels or the sampler's settings are not possible.
        """
        how: dict[str, Any] = dict(steps=steps, step=step, guidance=guidance, push=push)
        return concatenate(
            self.shards(count, y, seed=seed, extrapolate=extrapolate, size=count, **how)
        )

    def shards(
        self,
        count: int,
        y: ArrayLike | None = None,
        *,
        seed: int = 0,
        steps: int | None = None,
        step: str | None = None,
        guidance: float | None = None,
        extrapolate: bool = False,
        push: Push | None = None,
        size: int = 2048,
    ) -> Iterator[Windows]:
        """As :meth:`sample`, in parts of ``size``: memory does not grow with ``count``."""
        self._need_fit()
        if count < 1:
            raise ValueError(f"the number of windows must be at least 1; got {count}.")
        labels = self.condition_.asked(y, count, seed=seed, extrapolate=extrapolate)
        draw = self._drawing(steps, step, guidance)
        for start in range(0, count, size):
            items = np.arange(start, min(start + size, count))
            own = None if labels is None else labels[items]
            x = draw(items, self.condition_.told(own, len(items)), seed=seed, push=push)
            yield Windows(x, own, items, channels=self.channels_, label_name=self.label_name_)

    def impute(
        self,
        windows: Windows | ArrayLike,
        y: ArrayLike | None = None,
        *,
        seed: int = 0,
        steps: int | None = None,
    ) -> Windows:
        """Fills NaN with values that fit what was measured, which comes back unchanged.

        Args:
            windows: Windows of the trained length and channels; labels, where present, guide.
            y: Labels (window,) beside a plain array.
            seed: Of the noise: another seed gives another possible filling.
            steps: Steps of the sampler.

        Raises:
            ValueError: If the windows do not fit what was trained.
        """
        self._need_fit()
        windows = as_windows(windows, y)
        if windows.shape != self.shape_:
            raise ValueError(
                f"this run was trained on windows of (time, channel) {self.shape_}; got "
                f"{windows.shape}."
            )
        labels = None
        if windows.y is not None and self.condition_.kind != "none":
            labels = self.condition_.asked(windows.y, len(windows), extrapolate=True)
        told = self.condition_.told(labels, len(windows))
        draw = self._drawing(steps, None, None)
        filled = draw(np.arange(len(windows)), told, seed=seed, known=windows.x)
        return replace(windows, x=np.where(np.isnan(windows.x), filled, windows.x))

    def _learn(self, windows: Windows) -> None:
        """Everything that is known before the first step."""
        self.condition_ = Condition.learn(windows, self.condition)
        self.scaler_ = Scaler(self.scale).fit(windows.x)
        self.shape_ = windows.shape
        self.channels_, self.label_name_ = windows.channels, windows.label_name
        self.data_ = fingerprint(windows)
        widest = leading_spread(self.scaler_.transform(windows.x))
        self.high_ = self.level_high or max(20.0, 5 * widest)
        self._build()

    def _build(self) -> None:
        classes = len(self.condition_.classes) or None
        net = self.net
        if net is None:
            # Weights are drawn from a generator of their own: nothing seeds globally.
            with torch.random.fork_rng(devices=[]):
                torch.manual_seed(self.seed)
                net = TrendUNet(
                    self.shape_[1],
                    classes,
                    width=self.width,
                    multipliers=whole_numbers("multipliers", self.multipliers),
                    trend=self.trend,
                    trend_window=self.trend_window,
                    trend_parts=self.trend_parts,
                )
        one_of("mmd", self.mmd, ("adaptive", "fixed", "none"))
        one_of("mmd_on", self.mmd_on, ("output", "clean"))
        weight = AdaptiveWeight(self.mmd_weight) if self.mmd == "adaptive" else None
        denoiser = Denoiser(net, schedule_of(self.settings, self.high_), self.target)
        self.model_ = WeightedDenoiser(denoiser, weight)

    def _recipe(self) -> Recipe:
        return Recipe(**{field.name: getattr(self, field.name) for field in fields(Recipe)})

    def _tensors(self, windows: Windows) -> tuple[Tensor, Tensor, Tensor]:
        """(x, measured, cond) as the network takes them: the one turn into channel-first."""
        x = self.scaler_.transform(windows.x).astype(np.float32)
        measured = torch.from_numpy(~np.isnan(x)).to(torch.float32)
        x = torch.from_numpy(bridge(x))
        told = torch.from_numpy(self.condition_.told(windows.y, len(windows)))
        return x.mT.contiguous(), measured.mT.contiguous(), told

    def _drawing(self, steps: int | None, step: str | None, guidance: float | None) -> Drawing:
        weight = self.guidance if guidance is None else guidance
        return Drawing(
            denoiser=self.model_.denoiser,
            scaler=self.scaler_,
            shape=self.shape_,
            step=self.sample_step if step is None else step,
            steps=self.sample_steps if steps is None else steps,
            # Without labels both branches would be the same call.
            guidance=0.0 if self.condition_.kind == "none" else weight,
            device=self.device,
        )

    def _facts(self) -> dict[str, Any]:
        facts = dict(length=self.shape_[0], channels=list(self.channels_), data=self.data_)
        facts |= dict(label_name=self.label_name_, level_high=self.high_)
        return facts | self.condition_.facts()

    def _arrays(self) -> dict[str, NDArray[Any]]:
        arrays = {f"scaler/{name}": value for name, value in self.scaler_.state().items()}
        state = self.model_.state_dict()
        arrays |= {f"model/{name}": value.cpu().numpy() for name, value in state.items()}
        return arrays | self.condition_.arrays()

    def _restore(self, facts: dict[str, Any], arrays: dict[str, NDArray[Any]]) -> Self:
        self.shape_ = (facts["length"], len(facts["channels"]))
        self.channels_, self.label_name_ = tuple(facts["channels"]), facts["label_name"]
        self.data_, self.high_ = facts["data"], facts["level_high"]
        self.condition_ = Condition.restore(facts, arrays)
        self.scaler_ = Scaler(self.scale).restore(part_of(arrays, "scaler/"))
        self._build()
        weights = part_of(arrays, "model/")
        self.model_.load_state_dict({k: torch.from_numpy(v) for k, v in weights.items()})
        return self
