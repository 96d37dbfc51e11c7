"""How ImagenFew trains: what adapting may change, the paper's settings, and the way to the loop."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import fields
from pathlib import Path
from typing import Any, Protocol

import torch
from torch import Tensor

from timeloom.data.windows import Windows
from timeloom.methods.domains import Domains
from timeloom.methods.fewshot import TokenDenoiser
from timeloom.methods.low_rank import freeze_but, low_rank, merge
from timeloom.methods.prepare import one_of
from timeloom.train.loop import Progress, Trainable, train
from timeloom.train.recipe import Recipe
from timeloom.train.source import Batch, Mixture

__all__ = ["ADAPT", "PAPER", "adaptable", "changed", "learn", "way_of"]

VALIDATED = 512  # noisy copies of held-out windows; a few windows once would choose by chance
# Of adapting, where nothing else is asked for.
ADAPT: dict[str, Any] = dict(train_steps=300, batch=32, lr=2e-3, validations=10)
ADAPT |= dict(minutes=None, windows_seen=None, held_out=0.0)
WAYS = ("auto", "full", "low_rank", "token")  # of adapting
# Below so many windows all weights together learn them by heart: chosen on four sets that no bench
# holds (docs/journal.md).
BY_HEART = 20
PAPER: dict[str, Any] = dict(
    network="image", channel_map="dynamic", multipliers="1,2,2,4", width=32
)
PAPER |= dict(whitening=0.0, data_spread=0.5, rules=False, known=0.0, token_width=128)
PAPER |= dict(level_low=0.002, level_high=80.0, level_mean=-1.2, level_spread=1.2)
PAPER |= dict(sample_step="heun", sample_steps=36, lr=1e-4, weight_decay=1e-5, token_drop=0.0)


class Learner(Trainable, Protocol):
    """What is trained here: a method with settings and sets."""

    domains_: Domains
    seed: int
    rank: int
    balance: float

    @property
    def model_(self) -> TokenDenoiser:
        """The network with its tokens."""
        ...

    @property
    def settings(self) -> dict[str, Any]:
        """By name."""
        ...


def way_of(how: str, count: int, tokens: bool) -> str:
    """What adapting to so many windows trains: "full", "low_rank" or "token".

    Raises:
        ValueError: If there is no such way.
    """
    one_of("how", how, WAYS if tokens else WAYS[:-1])
    if how != "auto":
        return how
    return "low_rank" if count < BY_HEART else "full"


def adaptable(settings: dict[str, Any]) -> dict[str, Any]:
    """The settings, if adapting may change them.

    Raises:
        ValueError: If one belongs to the pre-trained network.
    """
    free = {field.name for field in fields(Recipe)}
    free |= {"held_out", "seed", "rank", "known", "token_drop", "sample_step", "sample_steps"}
    for key in settings:
        if key not in free:
            raise ValueError(
                f"adapting can change {', '.join(sorted(free))}; got {key}, which belongs to the "
                "pre-trained network."
            )
    return settings


@contextmanager
def changed(model: TokenDenoiser, how: str, rank: int, seed: int) -> Iterator[None]:
    """Inside, training changes what ``how`` says; afterwards ``model`` is a plain network again.

    Args:
        model: Whose last token is that of the new set.
        how: ``"full"``, ``"token"`` or ``"low_rank"``, see :meth:`ImagenFew.adapting`.
        rank: Of a low-rank change.
        seed: Of its first numbers.
    """
    table = model.table
    others = torch.empty(0) if table is None else table.detach()[:-1].clone()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        if how == "low_rank":
            low_rank(model, rank)
        elif how == "token" and table is not None:
            freeze_but(model, table)
    try:
        yield
    finally:
        merge(model)
        if how == "token" and table is not None:
            # Weight decay moves the tokens of other sets too, though no window asks for them.
            table.data[:-1] = others.to(table)


def learn(
    method: Learner,
    parts: tuple[dict[str, list[Windows]], dict[str, list[Windows]]],
    folder: Path | None,
    resume: bool,
    how: str = "full",
) -> Iterator[Progress]:
    """Trains on windows by the name of their set; those of the second part choose the weights.

    ``how`` says what is trained: ``"full"``, or a way of :meth:`ImagenFew.adapting`.
    """
    kept, held = ([_tensors(method, *one) for one in _each(part)] for part in parts)
    settings = method.settings
    with changed(method.model_, how, method.rank, method.seed):
        yield from train(
            method,
            Mixture(kept, method.seed, method.balance) if len(kept) > 1 else kept[0],
            [repeated(part, VALIDATED) for part in held] or None,
            recipe=Recipe(**{field.name: settings[field.name] for field in fields(Recipe)}),
            seed=method.seed,
            folder=folder,
            resume=resume,
        )


def _each(part: dict[str, list[Windows]]) -> list[tuple[str, Windows]]:
    return [(name, windows) for name, own in part.items() for windows in own]


def _tensors(method: Learner, name: str, windows: Windows) -> Batch:
    z, measured = method.domains_[name].tensors(windows.x)
    return z, measured, torch.full((len(z),), list(method.domains_).index(name))


def repeated(batch: tuple[Tensor, ...], least: int) -> tuple[Tensor, ...]:
    """The same windows over and over until there are ``least`` of them."""
    times = -(-least // len(batch[0]))
    return tuple(part.repeat(times, *[1] * (part.ndim - 1)) for part in batch)
