"""What a killed run goes on from: one file, written atomically, with no pickle in it."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from timeloom.data.atomic import atomic

__all__ = ["forget", "load_checkpoint", "save_checkpoint"]

NAME = "checkpoint.safetensors"


def save_checkpoint(
    folder: Path,
    parts: dict[str, nn.Module],
    optimizer: torch.optim.Optimizer,
    counters: dict[str, Any],
) -> None:
    """Writes modules, the optimiser's state and counters (JSON values) to ``folder``."""
    tensors = {
        f"{part}/{name}": value
        for part, module in parts.items()
        for name, value in module.state_dict().items()
    }
    tensors |= {f"optimizer/{i}/{key}": value for i, key, value in _moments(optimizer)}
    tensors = {name: value.detach().cpu().contiguous() for name, value in tensors.items()}
    with atomic(folder / NAME) as path:
        save_file(tensors, path, metadata={"counters": json.dumps(counters)})


def load_checkpoint(
    folder: Path, parts: dict[str, nn.Module], optimizer: torch.optim.Optimizer
) -> dict[str, Any] | None:
    """Restores what :func:`save_checkpoint` wrote and returns the counters; None without one.

    Raises:
        ValueError: If the file does not fit the modules, or is not a checkpoint.
    """
    path = folder / NAME
    if not path.exists():
        return None
    try:
        with safe_open(path, framework="pt") as file:
            counters = json.loads(file.metadata()["counters"])
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        for part, module in parts.items():
            prefix = f"{part}/"
            own = {k.removeprefix(prefix): v for k, v in tensors.items() if k.startswith(prefix)}
            module.load_state_dict(own)
        _restore_moments(optimizer, tensors)
    except Exception as error:
        raise ValueError(
            f"{path} should be a checkpoint of this very run; it does not fit ({error}). "
            "Give the settings the run was begun with, or start anew in another folder."
        ) from error
    return counters


def forget(folder: Path) -> None:
    """Removes the checkpoint of a run that has ended."""
    (folder / NAME).unlink(missing_ok=True)


def _moments(optimizer: torch.optim.Optimizer) -> Iterator[tuple[int, str, Tensor]]:
    for i, state in optimizer.state_dict()["state"].items():
        for key, value in state.items():
            yield i, key, torch.as_tensor(value)


def _restore_moments(optimizer: torch.optim.Optimizer, tensors: dict[str, Tensor]) -> None:
    whole = optimizer.state_dict()
    whole["state"] = {}
    for name, value in tensors.items():
        if name.startswith("optimizer/"):
            _, i, key = name.split("/")
            whole["state"].setdefault(int(i), {})[key] = value
    optimizer.load_state_dict(whole)
