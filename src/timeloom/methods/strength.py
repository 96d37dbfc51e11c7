"""How strongly to guide: what helps a classifier on validation, and when it is too much."""

import copy
import warnings
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from timeloom.data.windows import Windows
from timeloom.diffusion.gradients import class_gradients
from timeloom.diffusion.guide import Influence
from timeloom.methods.classifier import auroc, build, mean_loss, set_aside
from timeloom.train.reader import outputs_of, train_reader

if TYPE_CHECKING:
    from timeloom.methods.tardiff import TarDiff

__all__ = ["SCALES", "TOO_MANY", "agreement", "choose_scale", "said_outside"]

Array = NDArray[Any]

SCALES = (0.0, 0.1, 0.3, 0.6)
SURE = 2.0  # standard errors by which a strength must be better than none
JUDGES = 3  # classifiers per strength, with other first weights and orders
MOST = 512  # synthetic windows that a strength is tried with
TOO_MANY = 0.05  # share of values driven out of the data's range that is worth a word
TRIED = 64  # windows on which the two ways to the gradient are compared


def agreement(classifier: nn.Module, toward: Tensor, x: Tensor, y: Tensor) -> float:
    """The lowest cosine, over some windows, of the quick gradient with the exact one.

    Windows whose gradient is next to nothing are not counted: they are pushed wherever rounding
    says, either way.
    """
    rows = torch.linspace(0, len(x) - 1, min(TRIED, len(x))).long()
    x, cond = x[rows], y[rows].float()
    quick, exact = (
        Influence(classifier, toward, scale=1.0, exact=how).gradient(x, cond).flatten(1)
        for how in (False, True)
    )
    size = exact.norm(dim=1)
    counts = size > 1e-6 * size.max()
    cosine = torch.cosine_similarity(quick.double(), exact.double(), dim=1)
    return float(cosine[counts].min()) if bool(counts.any()) else 1.0


def choose_scale(
    method: "TarDiff", learn: Windows | None, guidance: Windows
) -> tuple[float, list[dict[str, float]]]:
    """The strength whose windows help a classifier most, on real windows it did not learn from.

    The guidance set is parted in two, class by class: one half gives the gradient, the other the
    score (the paper's Guidance-Val and Evaluation-Val). Every strength gets the same noise, the
    same classes (as many of each as of the most frequent one), and classifiers of the same
    first weights, steps and order. A strength above 0 is chosen only where its mean AUROC is
    better than that of 0 by more than two standard errors of the paired difference (over the
    classifiers: of how few guidance windows there are they know nothing). With fewer than two
    guidance windows of a class there are no halves: 0 is kept, and said.

    Returns:
        The strength, and per strength its ``scale``, ``auroc`` and the ``error`` of its
        difference from 0.

    Raises:
        ValueError: If there are no training windows.
    """
    if learn is None:
        raise ValueError("a strength can be chosen only where there are training windows.")
    if int(method.counts_.min()) < 2:
        warnings.warn(
            "scale='auto' needs two guidance windows of every class to try strengths; there are "
            f"{method.counts_.tolist()} by class, so the scale is 0. Give a number as scale, or "
            "more windows.",
            stacklevel=4,
        )
        return 0.0, []
    gives, scores = set_aside(guidance, 0.5, method.seed)
    trial = copy.copy(method)
    x, y = trial._tensors(gives)
    trial.gradients_ = class_gradients(trial.model_, x, y, len(trial.classes_))
    trial.counts_ = torch.bincount(y, minlength=len(trial.classes_))
    trial._aim()
    real, held = trial._tensors(learn), trial._tensors(scores)
    labels = _missing(real[1], trial.classes_)
    found = [_helped(trial, scale, labels, real, held) for scale in SCALES]
    said = []
    for scale, areas in zip(SCALES, found, strict=True):
        gain = np.subtract(areas, found[0])
        error = float(gain.std(ddof=1) / np.sqrt(len(gain)))
        said.append({"scale": scale, "auroc": float(np.mean(areas)), "error": error})
    best = max(said, key=lambda one: one["auroc"])
    sure = best["auroc"] - said[0]["auroc"] > SURE * best["error"]
    return (best["scale"] if sure else 0.0), said


def said_outside(share: float, unguided: float, scale: float) -> None:
    """Warns of windows that guidance has driven out of the range of the real ones.

    Args:
        share: Of the guided values, beyond the range by more than a tenth of it.
        unguided: The same of unguided ones.
        scale: The strength.
    """
    if share > unguided + TOO_MANY + 1e-9:
        warnings.warn(
            f"{share:.1%} of the guided values lie beyond the range of the real windows by more "
            f"than a tenth of it (unguided: {unguided:.1%}): scale={scale:g} is too strong; take "
            "a smaller one.",
            stacklevel=3,
        )


def _missing(y: Tensor, classes: tuple[Any, ...]) -> Array:
    """Labels that bring every class to the size of the most frequent, at least a third each."""
    counts = torch.bincount(y, minlength=len(classes)).tolist()
    wanted = [max(max(counts) - count, max(counts) // 3) for count in counts]
    shrink = min(1.0, MOST / sum(wanted))
    wanted = [max(1, round(count * shrink)) for count in wanted]
    return np.repeat(np.array(classes), wanted)


def _helped(
    method: "TarDiff",
    scale: float,
    labels: Array,
    real: tuple[Tensor, Tensor],
    held: tuple[Tensor, Tensor],
) -> list[float]:
    """AUROC on ``held`` of classifiers of real and synthetic windows, one per seed."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        made = method._tensors(method.sample(len(labels), labels, scale=scale, seed=method.seed))
    x, y = (torch.cat(pair) for pair in zip(real, made, strict=True))
    kind = method.classifier if isinstance(method.classifier, str) else "resnet"
    areas = []
    for seed in range(JUDGES):
        net = build(kind, method.shape_[1], len(method.classes_), seed)
        train_reader(net, x.mT, y, loss=mean_loss, steps=method.train_steps, seed=seed)
        areas.append(auroc(outputs_of(net, held[0].mT).numpy(), held[1].numpy()))
    return areas
