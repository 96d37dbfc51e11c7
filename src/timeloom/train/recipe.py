"""How to train: budget, batch, rates; every field is a setting of the methods."""

import math
from dataclasses import dataclass

__all__ = ["Recipe"]


@dataclass(frozen=True, slots=True)
class Recipe:
    """How to train; every field is a setting of the methods.

    Attributes:
        train_steps: Budget in optimiser steps.
        minutes: Budget in minutes of wall time; used where given, whatever ``train_steps`` says.
        windows_seen: Budget in windows, all processes together; used where given.
        batch: Windows per step, shared by all processes.
        lr: Peak learning rate of AdamW.
        weight_decay: Of AdamW.
        warmup: Share of the budget during which the rate rises linearly.
        clip: Largest norm of the gradient.
        average: Exponent of the power-law moving average of the weights (6.94 averages over
            about a tenth of the run; Karras et al. 2024); 0 is the plain mean over all steps,
            None no averaging.
        validations: How often the held-out loss is measured in the whole run.
        precision: ``"no"``, ``"bf16"`` or ``"fp16"``.
        device: ``"auto"``, ``"cpu"``, ``"cuda"`` or ``"mps"``.

    Raises:
        ValueError: If a field is outside what it may be.
    """

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

    def __post_init__(self) -> None:
        at_least = dict(train_steps=1, windows_seen=1, batch=2, validations=1)
        above_zero = ("minutes", "lr", "clip")
        for name, least in at_least.items():
            value = getattr(self, name)
            if value is not None and value < least:
                raise ValueError(f"{name} must be at least {least}; got {value}.")
        for name in above_zero:
            value = getattr(self, name)
            if value is not None and not value > 0:
                raise ValueError(f"{name} must be above 0; got {value}.")
        if not 0 <= self.warmup < 1 or self.weight_decay < 0 or (self.average or 0) < 0:
            raise ValueError(
                "warmup must be a share below 1, weight_decay and average at least 0; got "
                f"{self.warmup}, {self.weight_decay} and {self.average}."
            )
        if self.precision not in ("no", "bf16", "fp16"):
            raise ValueError(f"precision must be 'no', 'bf16' or 'fp16'; got {self.precision!r}.")

    def share(self, step: int, seconds: float) -> float:
        """How much of the budget is spent, in [0, 1]."""
        if self.minutes is not None:
            return min(1.0, seconds / (60 * self.minutes))
        if self.windows_seen is not None:
            return min(1.0, step * self.batch / self.windows_seen)
        return min(1.0, step / self.train_steps)

    def rate(self, share: float) -> float:
        """Learning rate at a share of the budget: linear warm-up, then a cosine to 0."""
        if share < self.warmup:
            return self.lr * max(share / self.warmup, 0.01)
        return self.lr * 0.5 * (1 + math.cos(math.pi * (share - self.warmup) / (1 - self.warmup)))
