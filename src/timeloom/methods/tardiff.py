"""TarDiff: steers a fitted generator to the windows that a classifier learns most from.

Source: "TarDiff: Target-Oriented Diffusion Guidance for Synthetic Electronic Health Record Time
Series Generation", arXiv 2504.17613.
"""

import copy
import time
from collections.abc import Iterator
from dataclasses import KW_ONLY, dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor, nn

from timeloom.data.windows import Windows, concatenate
from timeloom.diffusion.gradients import class_gradients, gradient_norms, influence
from timeloom.diffusion.guide import Influence
from timeloom.methods.classifier import ChannelFirst, auroc, build, check, train_classifier
from timeloom.methods.estimator import Estimator, as_windows, fingerprint, part_of
from timeloom.methods.guidance import check_apart, check_settings, parts, shares_of
from timeloom.methods.prepare import bridge
from timeloom.methods.settings import read_run
from timeloom.methods.strength import TOO_MANY, agreement, choose_scale, said_outside
from timeloom.train.loop import Progress
from timeloom.train.reader import outputs_of

__all__ = ["TarDiff"]

Array = NDArray[Any]

AGREE = 0.99  # cosine of the quick gradient with the exact one, below which the exact one is used
COMPARED = 128  # unguided windows that are drawn where guided ones leave the data's range
GENERATOR = "generator"  # its run, inside the run folder


@dataclass(eq=False)
class TarDiff(Estimator):
    """Draws windows whose training gradient points where a classifier still errs.

    A guidance set of real windows says where: the mean gradient of its loss. While the generator
    samples, every window is pushed so that its own training gradient points more along that one;
    neither generator nor classifier is trained again. See :class:`timeloom.diffusion.guide.
    Influence` for the push and its strength.

    Args:
        generator: A fitted generator of classes, such as :class:`DiffMTS`.
        classifier: ``"resnet"`` or ``"gru"``: trained in the fit, in the generator's scaled space;
            or any torch module, already trained, that reads scaled windows (window, time, channel)
            and returns logits (window, class), classes as in ``generator.condition_.classes``.
        scale: Strength; 0 is the generator itself. ``"auto"``: the one of ``0, 0.1, 0.3, 0.6`` that
            helps a classifier most on guidance windows; 0 unless better by two standard errors.
        source: Whose loss is to fall: every class's alike (``"balanced"``), that of the rarest
            class (``"minority"``), or of ``"all"`` guidance windows as they are, as in the paper.
            Where one class is rare, ``"all"`` is the frequent one's and harms (docs/journal.md).
        strength: ``"relative"``: ``scale`` is a share of the noise that remains; ``"absolute"``:
            the paper's, added to what a step arrives at (there 100).
        at: The gradient is taken at the ``"clean"`` estimate or, as in the paper, the ``"noisy"``
            window.
        last: Share of the steps, the last ones, that are guided.
        pool: Windows drawn for each that is kept, the one of the highest influence: selection.
        validation: Share of the training windows that becomes the guidance set, where none is
            given and the classifier is trained here.
        train_steps: Steps of the classifier.
        balance: Whether the classifier is trained on every class equally often.
        seed: Of the parting and the classifier.
    """

    generator: Any
    classifier: str | nn.Module = "resnet"
    scale: float | str = "auto"
    _: KW_ONLY
    source: str = "balanced"
    strength: str = "relative"
    at: str = "clean"
    last: float = 1.0
    pool: int = 1
    validation: float = 0.25
    train_steps: int = 400
    balance: bool = True
    seed: int = 0

    def training(
        self,
        windows: Windows | ArrayLike,
        y: ArrayLike | None = None,
        *,
        guidance: Windows | None = None,
        test: Windows | None = None,
        folder: str | Path | None = None,
        resume: bool = False,
    ) -> Iterator[Progress]:
        """Trains the classifier where it is named, then computes the guidance gradients.

        Args:
            windows: Labelled training windows. With a classifier that is already trained and no
                ``guidance``, they are the guidance set.
            y: Labels (window,) beside a plain array.
            guidance: Labelled real windows that the classifier does not train on.
            test: The windows that will be tested on: guidance must share none with them.
            folder: Where the run is kept.
            resume: Accepted for a folder that was begun; a fit begins anew: it takes seconds, with
                ``scale="auto"`` some minutes.

        Yields:
            Progress: after the classifier, and at the end.

        Raises:
            ValueError: If the generator knows no classes, labels are missing or unknown, a class
                has fewer than 5 windows, the classifier does not fit, or guidance windows are
                among ``test``.
        """
        began = time.monotonic()
        check_settings(self.settings, self.generator)
        learn, aside = parts(self.settings, self.generator, as_windows(windows, y), guidance)
        check_apart(aside, test)
        self.data_ = fingerprint(learn if learn is not None else aside)
        self.shape_, self.channels_ = self.generator.shape_, self.generator.channels_
        self.label_name_, self.condition_ = aside.label_name, self.generator.condition_
        self.classes_ = tuple(self.condition_.classes)
        folder = self._begin_run(folder, resume, self.data_)
        held = self._tensors(aside)
        told = held[1] if learn is None else self._tensors(learn)[1]
        self.common_ = torch.bincount(told, minlength=len(self.classes_))
        self._learn_classifier(learn, held)
        yield self._progress(began, 0.5 if self.scale == "auto" else 0.9)
        self._learn_gradients(held)
        self.low_, self.high_ = self._range(aside if learn is None else concatenate([learn, aside]))
        self.scales_: list[dict[str, float]] = []
        self.scale_ = 0.0 if self.scale == "auto" else float(self.scale)
        if self.scale == "auto":
            self.scale_, self.scales_ = choose_scale(self, learn, aside)
        self._end_run(folder)
        yield self._progress(began, 1.0)

    def sample(
        self,
        count: int,
        y: ArrayLike | None = None,
        *,
        seed: int = 0,
        scale: float | None = None,
        **how: Any,
    ) -> Windows:
        """Generates windows; window i depends on (seed, i) only.

        Args:
            count: How many.
            y: The class of all, or (window,) one per window.
            seed: Of the noise, which is the generator's: scale 0 gives its windows.
            scale: Strength; the fitted one where None.
            how: What the generator's ``sample`` takes besides: steps, step, guidance.

        Returns:
            Windows in the units of the training data, with the labels that were asked for.

        Raises:
            ValueError: If no label is asked for, or one that is unknown.
        """
        return concatenate(self.shards(count, y, seed=seed, scale=scale, size=count, **how))

    def shards(
        self,
        count: int,
        y: ArrayLike | None = None,
        *,
        seed: int = 0,
        scale: float | None = None,
        size: int = 2048,
        **how: Any,
    ) -> Iterator[Windows]:
        """As :meth:`sample`, in parts of ``size``: memory does not grow with ``count``."""
        self._need_fit()
        if y is None:
            raise ValueError(
                "TarDiff needs the class of the windows to be drawn; give y, one class of "
                f"{', '.join(map(str, self.classes_))} for all or one per window "
                "(--y, --per-class or --like on the command line)."
            )
        if count < 1:
            raise ValueError(f"the number of windows must be at least 1; got {count}.")
        labels = self.condition_.asked(y, count)
        scale = float(self.scale_ if scale is None else scale)
        if not np.isfinite(scale):
            raise ValueError(f"scale must be a finite number; got {scale}.")
        push = self.push(scale)
        drawn = self.generator.shards(
            count * self.pool,
            np.repeat(labels, self.pool),
            seed=seed,
            push=push,
            size=max(1, size) * self.pool,
            **how,
        )
        outside = np.zeros(2)
        for part in drawn:
            kept = part if self.pool == 1 else self._best(part)
            outside += self._outside(kept), kept.x.size
            yield kept
        if push is not None and outside[0] > TOO_MANY * outside[1]:
            # What the generator does by itself is not the push's fault.
            rows = np.linspace(0, count - 1, min(count, COMPARED)).astype(int)
            plain = concatenate(self.generator.shards(len(rows), labels[rows], seed=seed, **how))
            own = self._outside(plain) / plain.x.size
            said_outside(float(outside[0] / outside[1]), own, scale)

    def push(self, scale: float) -> Influence | None:
        """The push of a strength; None for 0."""
        if scale == 0:
            return None
        how: dict[str, Any] = dict(strength=self.strength, at=self.at, last=self.last)
        return Influence(self.model_, self.toward_, scale=scale, exact=self.exact_, **how)

    def influence(self, windows: Windows | ArrayLike, y: ArrayLike | None = None) -> Array:
        """How much training on each window would lower the guidance loss.

        Args:
            windows: Labelled windows, real or synthetic.
            y: Labels (window,) beside a plain array.

        Returns:
            (window,) cosines from -1 to 1 between each window's own gradient and that of the
            guidance loss: above 0 it helps, below it hurts. Wrong labels show in it only where
            those of the guidance windows are right.

        Raises:
            ValueError: If the windows do not fit, or labels are missing or unknown.
        """
        x, told = self._read(as_windows(windows, y))
        return influence(self.model_, self.toward_, x, told).numpy().astype(np.float64)

    def gradient_norms(self, windows: Windows | ArrayLike, y: ArrayLike | None = None) -> Array:
        """(window,) length of the gradient of each window's own loss; arguments as above.

        Rare classes have long ones for the mere reason that they are rare: beside them belongs
        what a constant predictor has, see :func:`timeloom.advice.advise`.
        """
        return gradient_norms(self.model_, *self._read(as_windows(windows, y))).numpy()

    def predict_proba(self, windows: Windows | ArrayLike) -> Array:
        """(window, class) what the classifier says, classes as in ``classes_``."""
        self._need_fit()
        x = self._scaled(as_windows(windows))
        return outputs_of(self.model_, x).double().softmax(dim=1).numpy()

    def save(self, folder: str | Path) -> Path:
        """As every method's; the generator's run lies in ``generator`` inside the folder."""
        self._need_fit()
        self.generator.save(Path(folder) / GENERATOR)
        return super().save(folder)

    @classmethod
    def load(cls, folder: str | Path, **how: Any) -> Self:
        """As every method's; ``device=`` and ``net=`` are handed on to the generator's."""
        from timeloom.methods import load

        read_run(folder)
        inner = {name: how.pop(name) for name in ("device", "net") if name in how}
        if "generator" not in how:
            how["generator"] = load(Path(folder) / GENERATOR, **inner)
        return super().load(folder, **how)

    def _facts(self) -> dict[str, Any]:
        facts = dict(length=self.shape_[0], channels=list(self.channels_), data=self.data_)
        facts |= dict(label_name=self.label_name_, classes=list(self.classes_))
        if hasattr(self, "scale_"):
            facts |= dict(scale=self.scale_, scales=self.scales_, exact=self.exact_)
            facts |= dict(validation_auroc=self.validation_auroc_)
        return facts

    def _arrays(self) -> dict[str, Array]:
        state = self.classifier_.state_dict()
        arrays = {f"classifier/{name}": value.cpu().numpy() for name, value in state.items()}
        arrays |= dict(gradients=self.gradients_.numpy(), counts=self.counts_.numpy())
        arrays |= dict(common=self.common_.numpy())
        return arrays | dict(low=self.low_, high=self.high_)

    def _restore(self, facts: dict[str, Any], arrays: dict[str, Array]) -> Self:
        self.shape_ = (facts["length"], len(facts["channels"]))
        self.channels_, self.label_name_ = tuple(facts["channels"]), facts["label_name"]
        self.data_, self.classes_ = facts["data"], tuple(facts["classes"])
        self.condition_ = self.generator.condition_
        self.scale_, self.scales_ = facts["scale"], facts["scales"]
        self.exact_, self.validation_auroc_ = facts["exact"], facts["validation_auroc"]
        if isinstance(self.classifier, str):
            net = build(self.classifier, self.shape_[1], len(self.classes_), self.seed)
        else:
            net = copy.deepcopy(self.classifier).float().cpu()
        weights = part_of(arrays, "classifier/")
        try:
            net.load_state_dict({k: torch.from_numpy(v) for k, v in weights.items()})
        except RuntimeError as error:
            raise ValueError(
                "classifier must be the module that the run was fitted with; the one given does "
                f"not take its weights ({str(error).splitlines()[-1].strip()})."
            ) from error
        self.classifier_ = net.eval().requires_grad_(True)
        self.model_ = ChannelFirst(self.classifier_)
        self.gradients_ = torch.from_numpy(arrays["gradients"])
        self.counts_, self.common_ = (torch.from_numpy(arrays[k]) for k in ("counts", "common"))
        self.low_, self.high_ = arrays["low"], arrays["high"]
        self._aim()
        return self

    def _progress(self, began: float, share: float) -> Progress:
        seconds = time.monotonic() - began
        left = seconds * (1 - share) / share
        steps = self.train_steps if isinstance(self.classifier, str) else 0
        loss = 1 - self.validation_auroc_
        return Progress(steps, steps * 128, share, loss, loss, True, 0.0, seconds, left)

    def _learn_classifier(self, learn: Windows | None, held: tuple[Tensor, Tensor]) -> None:
        count = len(self.classes_)
        if isinstance(self.classifier, str):
            net = build(self.classifier, self.shape_[1], count, self.seed)
            how: dict[str, Any] = dict(steps=self.train_steps, balance=self.balance)
            train = self._tensors(learn) if learn is not None else held
            turned = (train[0].mT, train[1]), (held[0].mT, held[1])
            train_classifier(net, *turned, classes=count, seed=self.seed, **how)
        else:
            net = copy.deepcopy(self.classifier).float().cpu()
            check(net, held[0].mT, count)
        self.classifier_ = net.eval().requires_grad_(True)
        self.model_ = ChannelFirst(self.classifier_)
        said = outputs_of(self.model_, held[0]).numpy()
        self.validation_auroc_ = auroc(said, held[1].numpy())

    def _learn_gradients(self, held: tuple[Tensor, Tensor]) -> None:
        x, y = held
        self.gradients_ = class_gradients(self.model_, x, y, len(self.classes_))
        self.counts_ = torch.bincount(y, minlength=len(self.classes_))
        self._aim()
        self.exact_ = agreement(self.model_, self.toward_, x, y) < AGREE

    def _aim(self) -> None:
        """Puts the classes' gradients together as ``source`` says."""
        shares = shares_of(self.source, self.counts_, self.common_)
        self.toward_ = shares.to(self.gradients_) @ self.gradients_

    def _best(self, part: Windows) -> Windows:
        """Of every ``pool`` windows the one of the highest influence."""
        scores = self.influence(part).reshape(-1, self.pool)
        rows = np.arange(len(scores)) * self.pool + scores.argmax(axis=1)
        kept = part[rows]
        return Windows(
            kept.x,
            kept.y,
            part.series[rows] // self.pool,
            channels=kept.channels,
            label_name=kept.label_name,
        )

    def _range(self, windows: Windows) -> tuple[Array, Array]:
        """Lowest and highest value per channel, a tenth of the way wider."""
        flat = windows.x.reshape(-1, self.shape_[1])
        low, high = np.nanmin(flat, axis=0), np.nanmax(flat, axis=0)
        return low - 0.1 * (high - low), high + 0.1 * (high - low)

    def _outside(self, windows: Windows) -> int:
        # What has diverged to NaN is outside too.
        return int((~((windows.x >= self.low_) & (windows.x <= self.high_))).sum())

    def _read(self, windows: Windows) -> tuple[Tensor, Tensor]:
        self._need_fit()
        if windows.y is None:
            raise ValueError("every window needs its class; name the label's column.")
        return self._tensors(windows)

    def _scaled(self, windows: Windows) -> Tensor:
        if windows.shape != self.shape_:
            raise ValueError(
                f"windows must be as the generator's, (time, channel) {self.shape_}; got "
                f"{windows.shape}."
            )
        x = bridge(self.generator.scaler_.transform(windows.x).astype(np.float32))
        return torch.from_numpy(x).mT.contiguous()

    def _tensors(self, windows: Windows) -> tuple[Tensor, Tensor]:
        labels = self.generator.condition_.asked(windows.y, len(windows))
        told = self.generator.condition_.told(labels, len(windows))
        return self._scaled(windows), torch.from_numpy(told).long()
