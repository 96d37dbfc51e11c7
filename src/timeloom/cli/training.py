"""What the verbs that train share: checks before, progress meanwhile, and how to go on after."""

import shlex
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from timeloom.cli.inputs import check_output
from timeloom.cli.messages import leads, say, show, writing
from timeloom.cli.progress import clock, follow

if TYPE_CHECKING:
    from timeloom.data.windows import Windows
    from timeloom.train import Progress

__all__ = ["check_budget", "check_new_run", "run_to_end", "say_labels_unused"]

BEGUN = {"settings.json", "train.jsonl"}  # what a run holds before anything was learned


def check_budget(steps: int | None, minutes: float | None) -> None:
    """Refuses two budgets for one training.

    Raises:
        ValueError: If both are given.
    """
    if steps is not None and minutes is not None:
        raise ValueError(
            "--steps and --minutes are two budgets for one training; give one of them."
        )


def check_new_run(run: Path, resume: bool) -> None:
    """Finds at once that ``run`` cannot be written, or holds something already.

    Raises:
        ValueError: If it is so.
    """
    check_output(run)
    # The other processes of one launch may find what the first has just begun to write.
    if resume or not leads() or not run.exists():
        return
    if not run.is_dir():
        raise ValueError(f"-o must name a folder; {run} is a file.")
    if any(run.iterdir()):
        raise ValueError(
            f"{run} exists already; go on with it by --resume, or choose another folder with -o."
        )


def say_labels_unused(windows: "Windows") -> None:
    """Says what becomes of labels where a method learns sets."""
    if windows.y is not None:
        say(
            f"label '{windows.label_name}' is not learned: imagenfew knows sets by their names; "
            "give every class as DATA of its own"
        )


def run_to_end(
    begin: Callable[[], Iterable["Progress"]],
    run: Path,
    *,
    arguments: list[str],
    resume: bool,
    kept: str = "what was learned is saved",
    done: Callable[[], None] = lambda: None,
) -> int:
    """Trains to the end, or says how to go on.

    Args:
        begin: Gives the iterator that trains.
        run: The folder that is written.
        arguments: The command line that is running.
        resume: Whether it goes on with a run.
        kept: What is kept where it is stopped.
        done: Shows what has been found, once it is done.

    Returns:
        The exit status.
    """
    try:
        with writing(run):
            last = follow(begin())
    except KeyboardInterrupt:
        again = arguments if resume else [*arguments, "--resume"]
        say(f"stopped; {kept}. Go on with: timeloom {shlex.join(again)}")
        return 130
    except ValueError:
        if not resume:
            _remove_begun(run)
        raise
    done()
    if last is not None:
        show(f"trained {last.step:,} steps in {clock(last.seconds)}; the run is in {run}")
    return 0


def _remove_begun(run: Path) -> None:
    """Leaves nothing of a run that was refused: the corrected command finds its folder free."""
    if not leads() or not run.is_dir() or not {path.name for path in run.iterdir()} <= BEGUN:
        return
    for path in run.iterdir():
        path.unlink()
    run.rmdir()
