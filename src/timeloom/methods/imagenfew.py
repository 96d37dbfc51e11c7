"""ImagenFew: one generator for many data sets, adapted to a new one from ten windows.

Source: "Time Series Generation Under Data Scarcity: A Unified Generative Modeling Approach",
NeurIPS 2025, arXiv 2505.20446.
"""

import copy
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Self

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor

from timeloom.data.windows import Windows, concatenate
from timeloom.diffusion.draws import Draws
from timeloom.methods.condition import Condition
from timeloom.methods.domains import Domains
from timeloom.methods.estimator import Estimator, as_windows, fingerprint, mixed, part_of
from timeloom.methods.fewshot import TokenDenoiser, as_sets, describe, masked_loss, tokened
from timeloom.methods.fewshot_drawer import Drawer
from timeloom.methods.fewshot_training import ADAPT, PAPER, adaptable, learn, way_of
from timeloom.methods.prepare import check_fit, check_ranges, hold_out
from timeloom.train.loop import Progress

__all__ = ["ImagenFew"]

Sets = Mapping[str, Windows | Sequence[Windows]]


@dataclass(kw_only=True, eq=False)
class ImagenFew(Estimator):
    """Generates windows like those of any data set it was pre-trained on or adapted to.

    Every set has its own scale, its own white coordinates (:class:`timeloom.data.frame.Frame`)
    and a token that the network is told; the network is shared. The defaults are ours;
    :meth:`paper` holds the paper's.

    Args:
        network: ``"series"``: 1-D convolutions at full resolution; ``"image"``: the paper's U-Net
            on delay images, for up to 64 time points.
        channel_map: How channels enter: as ``"principal"`` components of each set, by kernels
            resized to their number (``"dynamic"``, the paper's), or ``"padded"`` up to ``most``.
        whitening: How far the spectrum of a set is made white, 0 to 1.
        tokens: Whether the network is told which set it looks at.
        token_width: Numbers of a token.
        token_drop: Share of training steps in which a set's token is left out, so that a new set
            can be met with its description alone.
        most: Components with weights of their own; the rest follows the Gaussian law of the set.
        width: Features of the first level of the network.
        multipliers: Features of its levels in units of ``width``.
        kernel: Time points of a convolution, odd.
        attention: Whether its coarsest level attends over time.
        known: Share of training windows of which some points are given, for imputing.
        rules: Whether orders, identities and bounds between channels that hold in all training
            windows are kept, by projection inside the sampler.
        scale: Scaling of channels: ``"standard"``, ``"minmax"``, ``"robust"``, ``"quantile"``.
        data_spread: Standard deviation of the data that the preconditioning assumes.
        level_low: Smallest noise level sampled at, ``level_high`` the largest; ``level_rho`` is
            how levels crowd towards the smallest.
        level_mean: Mean of the logarithm of the levels trained at, ``level_spread`` its deviation.
        sample_step: Rule of the sampler, see :class:`timeloom.DiffMTS`.
        sample_steps: Steps of the sampler; network calls too, except for ``"heun"``.
        balance: How sets share the steps of pre-training: 1 by their windows, 0 all alike.
        rank: Of the change that adapting with ``how="low_rank"`` makes.
        held_out: Share of the training windows that chooses the weights that are kept.
        train_steps: Budget in optimiser steps; ``minutes`` or ``windows_seen`` take its place.
        batch: Windows per step; it, ``lr``, ``weight_decay``, ``warmup``, ``clip``, ``average``,
            ``validations``, ``precision`` and ``device``: see :class:`timeloom.train.Recipe`.
        seed: Of the weights and of all training.
    """

    network: str = "series"
    channel_map: str = "principal"
    whitening: float = 0.5
    tokens: bool = True
    token_width: int = 64
    token_drop: float = 0.2
    most: int = 32
    width: int = 48
    multipliers: str = "1,2"
    kernel: int = 3
    attention: bool = True
    known: float = 0.3
    rules: bool = True
    scale: str = "standard"
    data_spread: float = 1.0
    level_low: float = 0.005
    level_high: float = 20.0
    level_rho: float = 7.0
    level_mean: float = -0.8
    level_spread: float = 1.6
    sample_step: str = "dpmpp_2m"
    sample_steps: int = 12
    balance: float = 0.5
    rank: int = 4
    held_out: float = 0.0
    train_steps: int = 4000
    minutes: float | None = None
    windows_seen: int | None = None
    batch: int = 64
    lr: float = 2e-3
    weight_decay: float = 1e-4
    warmup: float = 0.05
    clip: float = 1.0
    average: float | None = 6.94
    validations: int = 20
    precision: str = "no"
    device: str = "auto"
    seed: int = 0

    @classmethod
    def paper(cls, **overrides: Any) -> Self:
        """The paper's settings: delay image 8 x 8, U-Net of 6.75 million weights, 36 Heun steps.

        Channels are made standard, as its z-scored sets are; attention has a head at 8 x 8, where
        the released code loses it.
        """
        return cls(**{**PAPER, **overrides})

    @classmethod
    def pretrained(cls, **how: Any) -> Self:
        """The generator that comes with the package, to be adapted; ``how`` as in :meth:`load`."""
        from timeloom.methods.pretrained import FEWSHOT

        return cls.load(FEWSHOT, **how)

    def training(
        self,
        windows: Sets | Windows | ArrayLike,
        y: ArrayLike | None = None,
        *,
        folder: str | Path | None = None,
        resume: bool = False,
    ) -> Iterator[Progress]:
        """Pre-trains on one or many sets, and yields how far it has come.

        Args:
            windows: ``{"name": windows}``; of a set with windows of several lengths, a list of
                them. Numbers of channels and lengths may differ between sets. Plain windows are
                one set, named ``data``.
            y: None: labels are no conditions here; give every class a name of its own.
            folder: Where the run is kept; a killed run can go on from there.
            resume: Go on with the run in ``folder``.

        Raises:
            ValueError: If the windows or a setting cannot be trained with, or if ``folder`` was
                trained on other data.
        """
        sets = as_sets(windows, y)
        check_ranges(self.settings)
        self.domains_ = Domains(self.settings)
        self.data_ = mixed(f"{n} {fingerprint(part)}" for n, own in sets.items() for part in own)
        kept, held = {}, {}
        for name, parts in sets.items():
            for part in parts:
                check_fit(part, keep_constant=True)
            self.domains_.learn(name, parts)
            both = [hold_out(part, self.held_out, self.seed) for part in parts]
            kept[name] = [a for a, _ in both]
            held[name] = [b for _, b in both if b is not None]
        about = torch.stack([describe(domain.longest) for domain in self.domains_.values()])
        self.model_ = tokened(self.settings, self.domains_.lengths, about)
        folder = self._begin_run(folder, resume, self.data_)
        yield from learn(self, (kept, held), folder, resume)
        self._end_run(folder)

    def adapt(self, few: Windows | ArrayLike, **how: Any) -> Self:
        """A new generator for a new set; the arguments and errors are those of :meth:`adapting`."""
        new, progress = self.adapting(few, **how)
        for _ in progress:
            pass
        return new

    def adapting(
        self,
        few: Windows | ArrayLike,
        *,
        name: str = "new",
        how: str = "auto",
        steps: int | None = None,
        folder: str | Path | None = None,
        resume: bool = False,
        **settings: Any,
    ) -> tuple[Self, Iterator[Progress]]:
        """A new generator, and the iterator that trains it; this one stays as it is.

        Args:
            few: At least 4 windows of any length and channels; ten or more are better.
            name: What the new set is called.
            how: What is trained: ``"full"``, all weights; ``"token"``, the new token alone;
                ``"low_rank"``, a change of rank ``rank`` of every matrix, biases and the token;
                ``"auto"`` is low rank below 20 windows, which all weights would learn by heart.
            steps: Budget in optimiser steps.
            folder: Where the new run is kept; a killed run can go on from there.
            resume: Go on with the run in ``folder``.
            settings: Of training, in place of the defaults of adapting: ``lr``, ``batch``,
                ``minutes``, ``held_out``, ``seed`` and the like.

        Raises:
            ValueError: If there are too few windows, none varies, the name is taken, or a setting
                would change the network.
        """
        self._need_fit()
        few = as_windows(few)
        how = way_of(how, len(few), self.tokens)
        self.domains_.check_new(name, few)
        check_fit(few, keep_constant=True)
        new = self._copy(settings | ({} if steps is None else {"train_steps": steps}))
        new.domains_.learn(name, [few])
        new.data_ = mixed((self.data_, name, fingerprint(few)))
        new.model_.add(describe(new.domains_[name].longest), new.seed)
        return new, new._adapting(few, how, folder, resume)

    def _adapting(
        self, few: Windows, how: str, folder: str | Path | None, resume: bool
    ) -> Iterator[Progress]:
        name = self.sets_[-1]
        kept, held = hold_out(few, self.held_out, self.seed)
        folder = self._begin_run(folder, resume, self.data_)
        both = {name: [kept]}, {} if held is None else {name: [held]}
        yield from learn(self, both, folder, resume, how)
        self._end_run(folder)

    def loss(
        self, model: TokenDenoiser, z: Tensor, measured: Tensor, which: Tensor, *, rng: Draws
    ) -> Tensor:
        """Mean square of what the network should have put out, over what was measured.

        ``z`` (window, channel, time) is scaled; ``measured``, of the same shape, is 1 where it was
        measured; ``which`` (window,) says which set they all are of.
        """
        turn = self.domains_[self.sets_[int(which[0])]].map(z.shape[2])
        return masked_loss(model, turn, (z, measured, which), self.known, self.token_drop, rng)

    def sample(
        self,
        count: int,
        *,
        name: str | None = None,
        length: int | None = None,
        seed: int = 0,
        steps: int | None = None,
        step: str | None = None,
    ) -> Windows:
        """Generates windows; window i depends on (seed, i) only.

        Args:
            count: How many.
            name: Which set's; the one added last where None.
            length: Time points; the longest that was learned from where None. A longer one is
                chained, see :meth:`extend`.
            seed: Of the noise.
            steps: Steps of the sampler; ``sample_steps`` where None.
            step: Rule of the sampler; ``sample_step`` where None.

        Raises:
            ValueError: If there is no such set, or the sampler's settings are not possible.
        """
        parts = self.shards(
            count, name=name, length=length, seed=seed, steps=steps, step=step, size=count
        )
        return concatenate(parts)

    def shards(
        self,
        count: int,
        y: None = None,
        *,
        name: str | None = None,
        seed: int = 0,
        steps: int | None = None,
        step: str | None = None,
        size: int = 2048,
        **how: Any,
    ) -> Iterator[Windows]:
        """As :meth:`sample`, in parts of ``size``: memory does not grow with ``count``."""
        if y is not None:
            raise ValueError("this generator knows sets, not labels; name a set by name=.")
        yield from self._drawer(name, steps, step).windows(count, seed=seed, size=size, **how)

    def impute(
        self,
        windows: Windows | ArrayLike,
        *,
        name: str | None = None,
        seed: int = 0,
        steps: int | None = None,
    ) -> Windows:
        """Fills NaN with values that fit what was measured, which comes back unchanged.

        To forecast, leave the end of the windows NaN.

        Args:
            windows: Windows of a length that the set was learned at, with the set's channels.
            name: Which set they are of; the one added last where None.
            seed: Of the noise: another seed gives another possible filling.
            steps: Steps of the sampler.

        Raises:
            ValueError: If the windows do not fit the set.
        """
        draw, windows = self._drawer(name, steps, None), as_windows(windows)
        draw.domain.check_shape(windows, exact=True)
        filled = draw(np.arange(len(windows)), windows.shape[0], seed=seed, known=windows.x)
        return replace(windows, x=np.where(np.isnan(windows.x), filled, windows.x))

    def extend(
        self,
        windows: Windows | ArrayLike,
        length: int,
        *,
        name: str | None = None,
        seed: int = 0,
        steps: int | None = None,
    ) -> Windows:
        """Goes on with windows until they have ``length`` time points.

        Half a training window is drawn at a time, given the half before it, so that no seam is
        left.

        Args:
            windows: At least half as long as the windows that the set was learned from.
            length: Time points of what comes back; it begins with ``windows`` as they are.
            name: Which set they are of; the one added last where None.
            seed: Of the noise: another seed gives another possible future.
            steps: Steps of the sampler.

        Raises:
            ValueError: If the windows do not fit the set, or are longer than ``length``.
        """
        draw, windows = self._drawer(name, steps, None), as_windows(windows)
        draw.domain.check_shape(windows, exact=False)
        if length < windows.shape[0]:
            raise ValueError(
                f"length must be at least that of the windows, {windows.shape[0]}; got {length}."
            )
        x = draw.extended(windows.x, np.arange(len(windows)), length, seed=seed)
        return replace(windows, x=x)

    @property
    def sets_(self) -> tuple[str, ...]:
        """The sets that were trained on, in order; the last is the one sampled by default."""
        self._need_fit()
        return tuple(self.domains_)

    @property
    def tokens_(self) -> dict[str, NDArray[np.float32]]:
        """The token (number,) of every set; empty vectors where there are none."""
        self._need_fit()
        return dict(zip(self.sets_, self.model_.tokens(), strict=True))

    @property
    def condition_(self) -> Condition:
        """Labels are no conditions here."""
        return Condition("none")

    def _copy(self, settings: dict[str, Any]) -> Self:
        """As this one, with other settings of training."""
        new = type(self)(**{**self.settings, **ADAPT, **adaptable(settings)})
        check_ranges(new.settings)
        new.domains_, new.model_ = self.domains_.copy(), copy.deepcopy(self.model_).cpu()
        return new

    def _drawer(self, name: str | None, steps: int | None, step: str | None) -> Drawer:
        self._need_fit()
        name = self.domains_.named(name)
        return Drawer(
            model=self.model_,
            domain=self.domains_[name],
            index=self.sets_.index(name),
            step=self.sample_step if step is None else step,
            steps=self.sample_steps if steps is None else steps,
            device=self.device,
        )

    def _facts(self) -> dict[str, Any]:
        return dict(data=self.data_, sets=self.domains_.facts())

    def _arrays(self) -> dict[str, NDArray[Any]]:
        state = self.model_.state_dict()
        arrays = {f"model/{name}": value.cpu().numpy() for name, value in state.items()}
        return arrays | self.domains_.arrays()

    def _restore(self, facts: dict[str, Any], arrays: dict[str, NDArray[Any]]) -> Self:
        self.data_ = facts["data"]
        self.domains_ = Domains(self.settings).restore(facts["sets"], arrays)
        weights = part_of(arrays, "model/")
        about = torch.from_numpy(weights["descriptions"])
        # One length: an image network, which is built for one, can have been adapted to another.
        self.model_ = tokened(self.settings, self.domains_.lengths[:1], about)
        self.model_.load_state_dict({k: torch.from_numpy(v) for k, v in weights.items()})
        return self
