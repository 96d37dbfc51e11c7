"""``timeloom demo``: the whole flow on real data that comes with the package, in minutes.

NASA's C-MAPSS FD001: a hundred engines run until they fail. Real data are scarce where they matter
most, shortly before a failure; the demo makes more of them and says whether they are any good.
"""

import shlex
import shutil
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING, Annotated, Any

import typer

from timeloom.cli.evaluate import report_on
from timeloom.cli.inputs import check_output
from timeloom.cli.messages import show, writing
from timeloom.cli.progress import clock, follow, track

if TYPE_CHECKING:
    from timeloom.data.windows import Windows

__all__ = ["demo"]

DATA = "cmapss_fd001"
LENGTH = 48  # cycles per window
STRIDE = 2  # cycles between two windows: neighbours at 1 are nearly equal
TRAIN_MINUTES = 2.0  # the rest of five minutes goes to sampling and evaluation
LAST_CYCLES = 30  # before failure: where half of the generated windows lie
SHARE_LAST = 0.5
SEED = 0
SEEDS = 3  # of the evaluation
LIMIT = 1000  # windows per side and seed of the evaluation

QUICK_STRIDE = 24  # --quick shows that everything works, not how well
QUICK_MINUTES = 0.1
QUICK_SEEDS, QUICK_LIMIT = 2, 200


def demo(
    context: typer.Context,
    out: Annotated[
        Path, typer.Option("-o", "--out", metavar="FOLDER", help="Where everything is written.")
    ] = Path("timeloom-demo"),
    quick: Annotated[
        bool, typer.Option("--quick", help="Half a minute: shows that it works, not how well.")
    ] = False,
) -> None:
    """Fit, sample, evaluate and report on real data in the package: at most five minutes."""
    began = monotonic()
    check_output(out)
    run = out / "run"
    _clear(run)
    out.mkdir(parents=True, exist_ok=True)
    train, held_out = _engines(QUICK_STRIDE if quick else STRIDE)
    show(
        f"NASA C-MAPSS FD001, windows of {LENGTH} cycles x {train.shape[1]} sensors: "
        f"{len(train):,} from {len(set(train.series.tolist()))} engines to learn from, "
        f"{len(held_out):,} from {len(set(held_out.series.tolist()))} engines held out"
    )
    minutes = QUICK_MINUTES if quick else TRAIN_MINUTES
    show(f"1/3  fit diffmts on the remaining useful life, {clock(60 * minutes)} of training")
    synthetic = _make(train, minutes, run, out / "synthetic.parquet")
    show("3/3  evaluate against the engines held out")
    report_on(
        held_out,
        synthetic,
        train,
        task="regress",
        out=out / "report.html",
        seeds=range(SEED, SEED + (QUICK_SEEDS if quick else SEEDS)),
        limit=QUICK_LIMIT if quick else LIMIT,
        names=(f"diffmts, {minutes:g} minutes", f"{DATA}, engines held out"),
        made={"command": shlex.join(["timeloom", *(context.obj or ["demo"])])},
    )
    show(f"synthetic.parquet and run/ lie beside it; it all took {clock(monotonic() - began)}.")


def _engines(stride: int) -> "tuple[Windows, Windows]":
    """Windows of four fifths of the engines, and of the others."""
    from timeloom.data.sets import load_dataset
    from timeloom.data.windows import cut, split

    found = load_dataset(DATA)
    engines = found[0] if isinstance(found, tuple) else found
    train, held_out = split(cut(engines, LENGTH, stride), 0.8, 0.2, seed=SEED)
    return train, held_out


def _make(train: "Windows", minutes: float, run: Path, table: Path) -> "Windows":
    """Fits, and generates as many windows as there are in ``train``."""
    from timeloom.data.files import read_windows, write
    from timeloom.methods.diffmts import DiffMTS

    model = DiffMTS(minutes=minutes, seed=SEED)
    with writing(run):
        follow(model.training(train, folder=run), "     fit")
    show(f"2/3  sample {len(train):,} windows, half of them from the last {LAST_CYCLES} cycles")
    shards = model.shards(len(train), _asked_lives(train), seed=SEED)
    with writing(table):
        write(table, track(shards, "     sample", len(train)))
    return read_windows(table)


def _asked_lives(train: "Windows") -> Any:
    """Remaining lives to ask for: some as in training, the others from the last cycles."""
    import numpy as np

    rng = np.random.default_rng(SEED)
    lives = rng.choice(np.asarray(train.y, dtype=np.float64), len(train))
    last = rng.random(len(train)) < SHARE_LAST
    return np.where(last, rng.integers(0, LAST_CYCLES + 1, len(train)), lives)


def _clear(run: Path) -> None:
    """Removes the run of an earlier demo, and nothing that is not one.

    Raises:
        ValueError: If something else lies where the run is to be written.
    """
    if not run.exists():
        return
    if run.is_dir() and ((run / "settings.json").is_file() or not any(run.iterdir())):
        shutil.rmtree(run)
        return
    raise ValueError(f"{run} exists and is no run of a demo; choose another folder with -o.")
