"""The training loop: batches in an order that a seed decides, progress yielded to the caller."""

import copy
import json
import math
import signal
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel

from timeloom.diffusion.draws import Draws, StepDraws
from timeloom.train.checkpoint import load_checkpoint, save_checkpoint
from timeloom.train.recipe import Recipe
from timeloom.train.source import Batch, Shuffled, Source

__all__ = ["Progress", "train"]


@runtime_checkable
class Trainable(Protocol):
    """What the loop needs of a method."""

    @property
    def model_(self) -> nn.Module:
        """What is trained."""
        ...

    @property
    def loss(self) -> Callable[..., Tensor]:
        """``loss(model, *batch, rng=draws)``: one number to be minimised, for one batch."""
        ...


@dataclass(frozen=True, slots=True)
class Progress:
    """What the loop yields.

    Attributes:
        step: Optimiser steps taken.
        seen: Windows seen, all processes together.
        share: Share of the budget spent, in [0, 1].
        loss: Mean training loss since the last report.
        validation: Latest held-out loss of the averaged weights; None before the first.
        best: Whether that was the lowest so far.
        lr: Learning rate.
        seconds: Training time so far, earlier parts of a resumed run counted in.
        left: Expected seconds to the end.
    """

    step: int
    seen: int
    share: float
    loss: float
    validation: float | None
    best: bool
    lr: float
    seconds: float
    left: float


class _Objective(nn.Module):
    """The method's loss as a module, so that gradients of several processes meet in one place."""

    def __init__(self, method: Trainable, model: nn.Module) -> None:
        super().__init__()
        self.model = model
        self._loss = method.loss

    def forward(self, batch: Batch, rng: Draws) -> Tensor:
        return self._loss(self.model, *batch, rng=rng)


def train(
    method: Trainable,
    data: Batch | Source,
    held_out: Batch | Sequence[Batch] | None = None,
    *,
    recipe: Recipe,
    seed: int = 0,
    folder: Path | None = None,
    resume: bool = False,
) -> Iterator[Progress]:
    """Trains ``method.model_`` on ``data``; afterwards it holds the best averaged weights.

    The order of windows depends on (seed, epoch), the randomness of a step on (seed, windows
    seen): a resumed run equals an unbroken one, and two processes equal one with the same batch.
    SIGINT and SIGTERM are answered at the end of a step: the state is saved, then
    KeyboardInterrupt is raised.

    Args:
        method: Has ``model_`` and ``loss``.
        data: Tensors with the same first axis, a batch is a row choice of each; or a source that
            says itself which windows a step takes.
        held_out: Such tensors, or several of them, from the training data but never trained on;
            choose the weights that are kept. None keeps the last ones.
        recipe: Budget, batch, rates.
        seed: Decides everything that is drawn.
        folder: Where ``train.jsonl`` and the checkpoint are written; None writes nothing.
        resume: Go on from the checkpoint in ``folder``; without one, start at the beginning.

    Yields:
        Progress, about two hundred times in a run.

    Raises:
        ValueError: If the batch cannot be shared by the processes, or the checkpoint belongs to
            another run.
    """
    run = _Run(method, data, held_out, recipe, seed, folder)
    if resume:
        run.restore()
    with _stop_signals() as stopped:
        while run.spent < 1:
            report = run.advance()
            if stopped:
                run.save()
                raise KeyboardInterrupt
            if report is not None:
                yield report
    run.finish()


class _Run:
    """The state of one training run."""

    def __init__(
        self,
        method: Trainable,
        data: Batch | Source,
        held_out: Batch | Sequence[Batch] | None,
        recipe: Recipe,
        seed: int,
        folder: Path | None,
    ) -> None:
        # Imported here, since sampling needs no such thing and it takes a second.
        from accelerate import Accelerator

        cpu = recipe.device == "cpu"
        self.machine = Accelerator(cpu=cpu, mixed_precision=recipe.precision)
        ranks = self.machine.num_processes
        if recipe.batch % ranks:
            raise ValueError(
                f"batch must be a multiple of the {ranks} processes; got {recipe.batch}."
            )
        self.method, self.recipe, self.seed, self.folder = method, recipe, seed, folder
        self.model = method.model_.to(self.machine.device)
        optimizer = torch.optim.AdamW(
            self.model.parameters(), lr=recipe.lr, weight_decay=recipe.weight_decay
        )
        self.objective, self.optimizer = self.machine.prepare(
            _Objective(method, self.model), optimizer
        )
        self.average = AveragedModel(self.model, multi_avg_fn=_power_average(recipe.average))
        self.best = copy.deepcopy(self.average.module)
        self.source = Shuffled(data, seed) if isinstance(data, tuple) else data
        # Windows of several shapes are held out as several batches.
        self.held_out = [held_out] if isinstance(held_out, tuple) else held_out
        self.step = self.reported = 0
        self.seconds, self.saved_at = 0.0, time.monotonic()
        self.spent = 0.0  # share of the budget
        self.validation: float | None = None
        self.lowest = math.inf
        self.losses: list[Tensor] = []

    @property
    def seen(self) -> int:
        return self.step * self.recipe.batch

    def _agree(self) -> float:
        """How much of the budget is spent, the same number in every process."""
        share = self.recipe.share(self.step, self.seconds)
        if self.recipe.minutes is None or self.machine.num_processes == 1:
            return share
        # Clocks differ, yet all processes must take the same rate and stop at the same step.
        mine = torch.tensor(share, device=self.machine.device)
        return float(torch.as_tensor(self.machine.reduce(mine, "mean")))

    def advance(self) -> Progress | None:
        """One optimiser step; a report where one is due."""
        began = time.monotonic()
        share = self.spent
        for group in self.optimizer.param_groups:
            group["lr"] = self.recipe.rate(share)
        rank, ranks = self.machine.process_index, self.machine.num_processes
        rng = StepDraws(self.seed, self.seen, rank, ranks)
        mine = self.source.take(self.seen, self.recipe.batch, rank, ranks)
        batch = tuple(part.to(self.machine.device) for part in mine)
        self.model.train()
        self.optimizer.zero_grad()
        loss = self.objective(batch, rng)
        self.machine.backward(loss)
        self.machine.clip_grad_norm_(self.objective.parameters(), self.recipe.clip)
        self.optimizer.step()
        self.average.update_parameters(self.model)
        self.losses.append(loss.detach())
        self.step += 1
        self.seconds += time.monotonic() - began
        began = time.monotonic()
        now = self.spent = self._agree()
        best = self._validate() if self._crossed(share, now, self.recipe.validations) else False
        self.seconds += time.monotonic() - began
        # The first step is reported too: it is the first sign of life.
        if best or self.step == 1 or now >= 1 or self._crossed(share, now, 200):
            return self._report(now, best)
        return None

    @staticmethod
    def _crossed(before: float, after: float, marks: int) -> bool:
        return int(before * marks) != int(after * marks)

    @torch.no_grad()
    def _validate(self) -> bool:
        """Measures the averaged weights on the held-out part, with the same noise every time."""
        model = self.average.module
        if self.held_out is None:
            self.best.load_state_dict(model.state_dict())
            return False
        model.eval()
        total, count = 0.0, 0
        pieces = [
            tuple(part[rows].to(self.machine.device) for part in one)
            for one in self.held_out
            for rows in torch.arange(len(one[0])).split(512)
        ]
        for i, batch in enumerate(pieces):
            with self.machine.autocast():
                loss = self.method.loss(model, *batch, rng=StepDraws(self.seed, i))
            total, count = total + float(loss) * len(batch[0]), count + len(batch[0])
        self.validation = total / count
        if self.validation < self.lowest:
            self.lowest = self.validation
            self.best.load_state_dict(model.state_dict())
            return True
        return False

    def _report(self, share: float, best: bool) -> Progress:
        loss = torch.stack(self.losses).mean()
        self.losses = []
        report = Progress(
            self.step,
            self.seen,
            share,
            float(torch.as_tensor(self.machine.reduce(loss, "mean"))),
            self.validation,
            best,
            self.recipe.rate(share),
            self.seconds,
            self.seconds * (1 - share) / max(share, 1e-9),
        )
        if self.folder is not None and self.machine.is_main_process:
            with open(self.folder / "train.jsonl", "a") as file:
                file.write(json.dumps(asdict(report)) + "\n")
        if time.monotonic() - self.saved_at > 15:
            self.save()
        return report

    def save(self) -> None:
        self.saved_at = time.monotonic()
        if self.folder is None or not self.machine.is_main_process:
            return
        lowest = None if math.isinf(self.lowest) else self.lowest
        counters: dict[str, Any] = dict(
            step=self.step,
            seconds=self.seconds,
            validation=self.validation,
            lowest=lowest,
            losses=[float(loss) for loss in self.losses],
        )
        save_checkpoint(self.folder, self._parts(), self.optimizer, counters)

    def restore(self) -> None:
        if self.folder is None:
            raise ValueError("resume needs the folder of the run; got None.")
        counters = load_checkpoint(self.folder, self._parts(), self.optimizer)
        log = self.folder / "train.jsonl"
        lines = log.read_text().splitlines() if log.exists() else []
        step = 0
        if counters is not None:
            step = self.step = counters["step"]
            self.seconds, self.validation = counters["seconds"], counters["validation"]
            self.spent = self._agree()
            self.lowest = math.inf if counters["lowest"] is None else counters["lowest"]
            self.losses = [torch.tensor(x, device=self.machine.device) for x in counters["losses"]]
        if self.machine.is_main_process:
            # What was logged after the checkpoint happens again.
            kept = [line for line in lines if _step_of(line) <= step]
            log.write_text("".join(line + "\n" for line in kept))

    def finish(self) -> None:
        """Hands the weights that are kept back to the method."""
        chosen = self.best if self.held_out is not None else self.average.module
        self.model.load_state_dict(chosen.state_dict())
        self.model.eval()

    def _parts(self) -> dict[str, nn.Module]:
        return {"model": self.model, "average": self.average, "best": self.best}


def _power_average(exponent: float | None) -> Any:
    def update(averaged: list[Tensor], current: list[Tensor], count: Tensor | int) -> None:
        old = 0.0 if exponent is None else (1 - 1 / (float(count) + 1)) ** (exponent + 1)
        for mean, new in zip(averaged, current, strict=True):
            mean.lerp_(new, 1 - old)

    return update


def _step_of(line: str) -> float:
    try:
        return float(json.loads(line)["step"])
    except (json.JSONDecodeError, KeyError):
        return math.inf  # a line that a kill cut short


@contextmanager
def _stop_signals() -> Iterator[list[int]]:
    """Collects SIGINT and SIGTERM instead of being torn apart in mid-step by them."""
    got: list[int] = []
    if threading.current_thread() is not threading.main_thread():
        yield got
        return
    both = (signal.SIGINT, signal.SIGTERM)
    before = [signal.signal(number, lambda number, _: got.append(number)) for number in both]
    try:
        yield got
    finally:
        for number, handler in zip(both, before, strict=True):
            signal.signal(number, handler)
