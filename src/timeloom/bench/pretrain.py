"""How were the weights that ship made? ``python -m timeloom.bench.pretrain FOLDER`` repeats it.

``--ship TARGET`` then writes what goes into the package: the weights without the made-up sets'
tokens, and their model card.
"""

import argparse
import sys
from pathlib import Path
from typing import Any

import torch
from torch import nn

from timeloom.bench.corpus import CORPUS, LEFT_OUT, corpus, digest
from timeloom.data.atomic import atomic
from timeloom.data.windows import Windows
from timeloom.methods.imagenfew import ImagenFew
from timeloom.methods.prepare import one_of

__all__ = ["SETTINGS", "VARIANTS", "pretrain", "sets", "ship"]

CARD = "MODEL_CARD.md"
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


def ship(run: Path, target: Path) -> Path:
    """Writes the shipped form of a finished run: real sets only, and the card beside it.

    Args:
        run: Folder of the finished run.
        target: Folder of the package's weights.
    """
    model = ImagenFew.load(run, device="cpu")
    every = model.sets_
    names = [name for name in every if not name.startswith("synthetic")]
    rows = torch.tensor([every.index(name) for name in names])
    model.domains_ = model.domains_.keep(names)
    inner = model.model_
    inner.descriptions = inner.descriptions[rows]
    if inner.table is not None:
        inner.table = nn.Parameter(inner.table.data[rows])
    model.device = "auto"
    model.save(target)
    found = sets()
    with atomic(target / CARD) as path:
        path.write_text(_card(model, found, every, _bytes(target)), encoding="utf-8")
    return target


def _bytes(folder: Path) -> int:
    return sum(file.stat().st_size for file in folder.iterdir())


def _card(
    model: ImagenFew, found: dict[str, list[Windows]], every: tuple[str, ...], size: int
) -> str:
    made_up = sum(name.startswith("synthetic") for name in every)
    weights = sum(p.numel() for p in model.model_.denoiser.parameters())
    kinds = [
        f"| {name} | {licence} | {sum(_of(own, name) for own in found)} | "
        f"{sum(len(p) for own, parts in found.items() if _of(own, name) for p in parts):,} |"
        for name, licence in CORPUS.items()
    ]
    left = [f"| {name} | {why} |" for name, why in LEFT_OUT.items()]
    lines = [
        "# Model card: the few-shot generator that ships",
        "",
        "`timeloom.ImagenFew.pretrained()` loads it. It is meant to be adapted to a new data set "
        "from ten windows; what it draws without that looks like its own corpus.",
        "",
        f"- Network: 1-D U-Net of {weights:,} weights, width {model.width}, multipliers "
        f"{model.multipliers}; {size / 1e6:.1f} MB with the scales and tokens of {len(model.sets_)}"
        " real sets.",
        f"- Training: {model.train_steps:,} steps of {model.batch} windows, seed {model.seed}, "
        "one CPU core; `python -m timeloom.bench.pretrain FOLDER` repeats it. This is the small "
        "setting: no GPU was at hand. The setting for one is `--size gpu`.",
        f"- Corpus: {len(every) - made_up} real sets and {made_up} made-up domains "
        f"(`timeloom.data.synthetic`), lengths 24, 48 and 96; sha256 of all windows "
        f"`{digest(found)}`.",
        "- Licence of the weights: that of timeloom. The corpus holds only data whose licence lets "
        "what was learnt from them be passed on:",
        "",
        "| source | licence | sets | windows |",
        "|---|---|---|---|",
        *kinds,
        f"| made-up domains | ours | {made_up} | "
        f"{sum(len(p) for o, ps in found.items() if o.startswith('synthetic') for p in ps):,} |",
        "",
        "Left out:",
        "",
        "| data | why |",
        "|---|---|",
        *left,
        "",
        "Figures: `results/fewshot.md` (10, 25 and 50 windows of eight sets outside the corpus, "
        "against the same network from random weights). Not for decisions about people; windows "
        "of a few may be told from their neighbours (see the memorisation ratios there).",
        "",
    ]
    return "\n".join(lines)


def _of(own: str, source: str) -> bool:
    return own.split("-")[0].split("_")[0] == source.split("_")[0]


def main() -> None:
    """Reads the command line."""
    line = argparse.ArgumentParser(prog="python -m timeloom.bench.pretrain", description=__doc__)
    line.add_argument("folder", type=Path, help="run folder to write, or to go on with")
    line.add_argument("--size", default="cpu", help="cpu or gpu")
    line.add_argument("--variant", default="default", help=", ".join(VARIANTS))
    line.add_argument("--steps", type=int, help="another budget")
    line.add_argument("--ship", type=Path, metavar="TARGET", help="write the package's form too")
    given = line.parse_args()
    how = {} if given.steps is None else {"train_steps": given.steps}
    try:
        if not (given.folder / "weights.safetensors").exists():
            pretrain(given.folder, given.size, given.variant, **how)
        if given.ship is not None:
            ship(given.folder, given.ship)
    except ValueError as error:
        sys.exit(f"error: {error}")


if __name__ == "__main__":
    main()
