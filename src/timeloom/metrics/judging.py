"""Judges that learn to read the class or the value of a window.

``fit_judge`` fits one for a fixed number of steps on one set of windows and chooses it on another;
``train_judge`` is the recurrent judge of the papers, which chooses on a part of its own windows.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.special import log_softmax, softmax
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, mse_loss

from timeloom.metrics.discriminator import folds_by_group, standardise
from timeloom.nets.gru import GRUReader
from timeloom.nets.judge import Judge
from timeloom.nets.random_convolutions import RandomConvolutions
from timeloom.nets.resnet import ResNet
from timeloom.train.reader import outputs_of, train_reader

__all__ = ["JUDGES", "Fitted", "Training", "fit_judge", "represent", "train_judge"]

Array = NDArray[Any]

BATCH = 256
RATE = 2e-3  # Adam's; Source: the judges of Diff-MTS (arXiv 2407.11501)
FOLDS = 5  # one of them is for choosing the epoch
JUDGES = ("resnet", "gru", "kernels")
NETS = {"resnet": ResNet, "gru": GRUReader}
STRENGTHS = np.logspace(-4, 3, 8)  # of the ridge, per training window; see _fit_ridge
SHARPNESS = np.logspace(0, 2, 9)  # of class probabilities made from a ridge's outputs


@dataclass(frozen=True)
class Training:
    """How a judge is made, the same in every arm that is compared.

    Attributes:
        kind: ``"resnet"`` (about 72,000 parameters), ``"gru"`` (28,000), both trained by Adam; or
            ``"kernels"``: random convolutions and a ridge in closed form, without any step.
        steps: Optimisation steps of a network.
        batch: Windows per step; where there are fewer, some come twice.
        rate: Highest learning rate; it falls to 0 along a cosine.
        checks: How often the network is tried on the windows that it is chosen on.
        kernels: Number of random convolutions.

    Raises:
        ValueError: If there is no such judge or nothing would be trained.
    """

    kind: str = "resnet"
    steps: int = 300
    batch: int = 128
    rate: float = 2e-3
    checks: int = 15
    kernels: int = 300

    def __post_init__(self) -> None:
        if self.kind not in JUDGES:
            raise ValueError(f"the judge must be one of {', '.join(JUDGES)}; got {self.kind!r}.")
        if min(self.steps, self.batch, self.checks, self.kernels) < 1:
            raise ValueError("steps, batch, checks and kernels must all be at least 1.")


class Fitted(NamedTuple):
    """A judge: ``read`` windows, after ``steps`` steps, ``chosen`` at a step or ridge strength."""

    read: Callable[[Any], Array]
    steps: int
    chosen: float


def represent(how: Training, by: Array, seed: int) -> Callable[[Array], Tensor]:
    """What the judge of ``how`` reads of standardised windows; ``by`` the real training ones."""
    if how.kind != "kernels":
        return lambda x: torch.as_tensor(x).transpose(1, 2)
    convolutions = RandomConvolutions(
        torch.as_tensor(by).transpose(1, 2), count=how.kernels, seed=seed
    )
    return lambda x: convolutions(torch.as_tensor(x).transpose(1, 2))


def fit_judge(
    how: Training,
    learn: tuple[Tensor, Array],
    choose: tuple[Tensor, Array],
    *,
    classes: int | None,
    seed: int,
) -> Fitted:
    """Fits a judge on some windows and chooses it on others.

    A network takes ``how.steps`` steps, however many windows there are, and its weights are those
    of the check with the smallest loss on ``choose``. Of the ridge the strength is chosen there,
    by squared error, and how sharply its outputs become probabilities, by likelihood.

    Args:
        how: Kind and budget.
        learn: What :func:`represent` makes of the training windows, and their labels: values, or
            classes from 0 to ``classes`` - 1.
        choose: The same of the windows that it is chosen on.
        classes: Number of classes; None: labels are values.
        seed: First weights and order.

    Returns:
        The judge; ``read`` turns what :func:`represent` returns into values (window,) or class
        probabilities (window, class).
    """
    fit = _fit_ridge if how.kind == "kernels" else _fit_network
    return fit(how, learn, choose, classes, seed)


def _fit_network(
    how: Training,
    learn: tuple[Tensor, Array],
    choose: tuple[Tensor, Array],
    classes: int | None,
    seed: int,
) -> Fitted:
    with torch.random.fork_rng(devices=[]):  # gives the global generator back untouched
        torch.manual_seed(seed)
        net = NETS[how.kind](learn[0].shape[1], classes or 1)
    loss = mse_loss if classes is None else cross_entropy
    (x, y), check = (_targets(*side, classes) for side in (learn, choose))
    chosen = train_reader(
        net,
        x,
        y,
        loss=loss,
        steps=how.steps,
        batch=how.batch,
        rate=how.rate,
        seed=seed,
        checks=how.checks,
        score=lambda now: float(loss(outputs_of(now, check[0]), check[1])),
    )

    def read(new: Tensor) -> Array:
        out = outputs_of(net, new).double()
        return out[:, 0].numpy() if classes is None else out.softmax(dim=1).numpy()

    return Fitted(read, how.steps, float(chosen))


def _targets(x: Tensor, told: Array, classes: int | None) -> tuple[Tensor, Tensor]:
    if classes is None:
        return x, torch.as_tensor(told.astype(np.float32))[:, None]
    return x, torch.as_tensor(told).long()


def _fit_ridge(
    how: Training,
    learn: tuple[Tensor, Array],
    choose: tuple[Tensor, Array],
    classes: int | None,
    seed: int,
) -> Fitted:
    """Ridge regression of values, or of one indicator per class; ``how`` and ``seed`` unused.

    Strengths are multiples of the features' mean variance where that is above 1, as it is of
    windows far beyond the real ones that features are standardised by: beside 1e16 a fixed strength
    would be lost in rounding. Where no system can be solved the mean label is said.
    """
    from scipy.linalg import cho_factor, cho_solve

    x, check = (one[0].double().numpy() for one in (learn, choose))
    told, check_told = (
        one[1].astype(np.float64)[:, None] if classes is None else np.eye(classes)[one[1]]
        for one in (learn, choose)
    )
    middle, level = x.mean(axis=0), told.mean(axis=0)
    x, told = x - middle, told - level
    gram, pull = x.T @ x, x.T @ told
    unit = max(1.0, float(np.trace(gram)) / (len(gram) * len(x))) * len(x)
    found: list[tuple[float, float, Array]] = []
    for strength in STRENGTHS:
        try:
            solver = cho_factor(gram + strength * unit * np.eye(len(gram)))
        except np.linalg.LinAlgError:
            continue
        weight = cho_solve(solver, pull)
        error = float(np.mean(((check - middle) @ weight + level - check_told) ** 2))
        found.append((error, strength, weight))
    nothing = (float("inf"), float("inf"), np.zeros_like(pull))  # a ridge without end
    _, strength, weight = min([*found, nothing], key=lambda one: one[:2])

    def output(new: Array) -> Array:
        return (new - middle) @ weight + level

    sharp = 1.0 if classes is None else _sharpness(output(check), choose[1])

    def read(new: Tensor) -> Array:
        out = output(new.double().numpy())
        return out[:, 0] if classes is None else softmax(sharp * out, axis=1)

    return Fitted(read, 0, float(strength))


def _sharpness(out: Array, told: Array) -> float:
    """What a ridge's outputs are multiplied by before the softmax that gives probabilities."""
    rows = np.arange(len(told))
    losses = [-float(np.mean(log_softmax(k * out, axis=1)[rows, told])) for k in SHARPNESS]
    return float(SHARPNESS[int(np.argmin(losses))])


def train_judge(
    x: Array,
    y: Array,
    *,
    outputs: int = 1,
    seed: int = 0,
    groups: Array | None = None,
    epochs: int = 6,
) -> Callable[[Array], Array]:
    """Trains an LSTM; the epoch that counts is chosen on a fifth of the training windows.

    Args:
        x: (window, time, channel) in any units. NaN = not measured; the judge sees the mean there.
        y: (window,) values, or classes from 0 to ``outputs`` - 1.
        outputs: 1 for a value, else one per class.
        seed: First weights, order, and the fifth.
        groups: (window,) recordings, so that the fifth holds whole ones; None where unknown.
        epochs: Passes over the other four fifths; the rate falls to 0 over them.

    Returns:
        A function from windows to values (window,), in the unit of ``y``, or to scores of the
        classes (window, class).
    """
    if groups is not None and len(np.unique(groups)) < FOLDS:
        groups = None
    held = folds_by_group(groups, len(x), FOLDS, seed) == 0
    level, unit = (float(np.mean(y)), float(np.std(y)) or 1.0) if outputs == 1 else (0.0, 1.0)
    windows = torch.as_tensor(standardise(x, by=x)[0])
    told = torch.as_tensor(np.asarray((y - level) / unit, dtype=np.float32))[:, None]
    target, loss = (told, mse_loss) if outputs == 1 else (torch.as_tensor(y).long(), cross_entropy)
    with torch.random.fork_rng(devices=[]):  # gives the global generator back untouched
        torch.manual_seed(seed)
        judge = Judge(x.shape[2], x.shape[1], outputs)
    learn, check = (torch.as_tensor(np.flatnonzero(rows)) for rows in (~held, held))
    best, kept = float("inf"), judge.state_dict()
    for _ in _epochs(judge, windows, target, learn, loss, epochs, seed):
        now = float(loss(outputs_of(judge, windows[check]), target[check]))
        if now < best:
            best, kept = now, {k: v.clone() for k, v in judge.state_dict().items()}
    judge.load_state_dict(kept)

    def read(new: Array) -> Array:
        out = outputs_of(judge, torch.as_tensor(standardise(new, by=x)[0])).numpy()
        return out[:, 0].astype(np.float64) * unit + level if outputs == 1 else out

    return read


def _epochs(
    judge: nn.Module, x: Tensor, y: Tensor, learn: Tensor, loss: Any, epochs: int, seed: int
) -> Any:
    """Trains, and stops after every pass so that the caller can look."""
    rng = torch.Generator().manual_seed(seed)
    batches = -(-len(learn) // BATCH)
    optimiser = torch.optim.Adam(judge.parameters(), lr=RATE)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, epochs * batches)
    for _ in range(epochs):
        judge.train()
        for rows in learn[torch.randperm(len(learn), generator=rng)].split(BATCH):
            optimiser.zero_grad()
            loss(judge(x[rows]), y[rows]).backward()
            nn.utils.clip_grad_norm_(judge.parameters(), 1.0)
            optimiser.step()
            schedule.step()
        yield
