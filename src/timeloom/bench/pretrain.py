"""How were the weights that ship made? ``python -m timeloom.bench.pretrain FOLDER`` repeats it."""

import argparse
import sys
from pathlib import Path
from typing import Any

from timeloom.bench.corpus import corpus
from timeloom.data.windows import Windows
from timeloom.methods.imagenfew import ImagenFew
from timeloom.methods.prepare import one_of

__all__ = ["SETTINGS", "pretrain", "sets"]

LENGTHS, DOMAINS, CAP = (24, 48, 96), 200, 800
THINNED = 4  # one in so many of the longest windows, which cost most

SETTINGS: dict[str, dict[str, Any]] = {
    # What ships: about forty minutes of one core.
    "cpu": dict(width=64, train_steps=26_000, device="cpu"),
    # The plan for a GPU: wider, deeper, ten times the windows.
    "gpu": dict(width=96, multipliers="1,2,2", train_steps=100_000, batch=256, precision="bf16"),
}
VARIANTS: dict[str, dict[str, Any]] = {
    "default": {},
    "no_token": dict(tokens=False),
    "dynamic": dict(channel_map="dynamic"),
    "padded": dict(channel_map="padded"),
    "narrow": dict(width=32),
    "wide": dict(width=96),
}


def sets() -> dict[str, list[Windows]]:
    """The corpus as it is trained on."""
    found = corpus(LENGTHS, domains=DOMAINS, cap=CAP)
    longest = max(LENGTHS)
    return {
        name: [part if part.shape[0] < longest else part[::THINNED] for part in parts]
        for name, parts in found.items()
    }


def pretrain(folder: Path, size: str = "cpu", variant: str = "default", **how: Any) -> ImagenFew:
    """Pre-trains on the corpus; a run that was stopped goes on.

    Args:
        folder: The run folder.
        size: ``"cpu"``, the setting that ships, or ``"gpu"``.
        variant: One of ``VARIANTS``: the arms of ``timeloom bench fewshot``.
        how: Further settings.

    Raises:
        ValueError: If there is no such size or variant, or the corpus is not here.
    """
    one_of("size", size, tuple(SETTINGS))
    one_of("variant", variant, tuple(VARIANTS))
    model = ImagenFew(**{**SETTINGS[size], **VARIANTS[variant], **how})
    told = 0.0
    for now in model.training(sets(), folder=folder, resume=(folder / "settings.json").exists()):
        if now.seconds - told > 30 or now.share >= 1:
            told = now.seconds
            print(f"step {now.step}, loss {now.loss:.4f}, {now.left:.0f} s left", flush=True)
    return model


def main() -> None:
    """Reads the command line."""
    line = argparse.ArgumentParser(prog="python -m timeloom.bench.pretrain", description=__doc__)
    line.add_argument("folder", type=Path, help="run folder to write, or to go on with")
    line.add_argument("--size", default="cpu", help="cpu or gpu")
    line.add_argument("--variant", default="default", help=", ".join(VARIANTS))
    line.add_argument("--steps", type=int, help="another budget")
    given = line.parse_args()
    how = {} if given.steps is None else {"train_steps": given.steps}
    try:
        pretrain(given.folder, given.size, given.variant, **how)
    except ValueError as error:
        sys.exit(f"error: {error}")


if __name__ == "__main__":
    main()
