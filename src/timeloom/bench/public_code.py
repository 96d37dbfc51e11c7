"""How well do two public generators do on windows that we give them, for so many CPU seconds?

Their code is neither copied nor shipped: a user clones it, and a child process
(:mod:`timeloom.bench.public_child`) imports it from there. Diffusion-TS is MIT; ImagenTime states
no licence, so nothing of it may be passed on. The child is one process of one thread on the CPU,
and its own CPU clock keeps the budget.

Taken from the repositories: network, loss, optimiser, learning rate, clipping, moving average,
sampler, and every number in the settings file named in ``RIVALS``. Ours are three things:

- Windows come from us, scaled per channel by their own least and greatest value, to [-1, 1] for
  Diffusion-TS and to [0, 1] for ImagenTime, as both do with a whole file.
- A batch is at most as large as the set: Diffusion-TS drops the last, smaller batch of an epoch,
  so with fewer windows than its batch it would never begin.
- Training ends with the CPU seconds, not with the published number of steps.
"""

import json
import os
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["LENGTH", "RIVALS", "Outcome", "Rival", "clone_of", "train_and_sample"]

Array = NDArray[Any]

LENGTH = 24  # time steps of a window in the settings taken over


@dataclass(frozen=True, slots=True)
class Rival:
    """A public repository: where it is, which version was tried, and what must be in its clone.

    Attributes:
        clone: Name of the clone's folder.
        url: Where it is cloned from.
        commit: The version that our records speak of.
        setting: Its file of published settings.
        code: Files that are imported.
        samplers: ``"own"`` is the published one.
    """

    clone: str
    url: str
    commit: str
    setting: str
    code: tuple[str, ...]
    samplers: tuple[str, ...] = ("own",)


RIVALS = {
    "diffusion-ts": Rival(
        "Diffusion-TS",
        "https://github.com/Y-debug-sys/Diffusion-TS",
        "566307e6cf2d8095e58de4c6e3a6ae965b69b5b5",
        "Config/etth.yaml",
        ("engine/solver.py", "Models/interpretable_diffusion/gaussian_diffusion.py"),
        ("own", "fast"),
    ),
    # The repository has no setting for ETTh at 24 steps; that of stocks is its small one.
    "imagentime": Rival(
        "ImagenTime",
        "https://github.com/azencot-group/ImagenTime",
        "101696f180286bc0990ed58576b1891c9cca3e6a",
        "configs/unconditional/stocks.yaml",
        ("models/model.py", "models/sampler.py"),
    ),
}


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a public generator made of the windows, and what that cost.

    Attributes:
        samples: (window, time, channel), in the units of the windows given.
        train_seconds: CPU seconds from building the network to the end of training.
        train_steps: Steps of the optimiser.
        sample_seconds: CPU seconds of drawing all samples.
        parameters: Numbers that are trained.
        calls: Of the network, for one sample.
    """

    samples: Array
    train_seconds: float
    train_steps: int
    sample_seconds: float
    parameters: int
    calls: int


def clone_of(name: str, folder: Path) -> Path:
    """The clone of a rival below ``folder``.

    Raises:
        ValueError: If the rival is unknown, or its clone is missing or is something else.
    """
    if name not in RIVALS:
        raise ValueError(f"rival must be one of {', '.join(RIVALS)}; got {name!r}.")
    rival = RIVALS[name]
    clone = Path(folder).resolve() / rival.clone
    missing = [file for file in (*rival.code, rival.setting) if not (clone / file).is_file()]
    if missing:
        got = f"there is no {missing[0]}" if clone.is_dir() else "there is no such folder"
        raise ValueError(
            f"{name} must be cloned in {clone}; {got}. Run: git clone {rival.url} "
            f"{clone} && git -C {clone} checkout {rival.commit}"
        )
    return clone


def train_and_sample(
    name: str,
    folder: Path,
    windows: Array,
    count: int,
    *,
    cpu_seconds: float,
    seed: int,
    sampler: str = "own",
) -> Outcome:
    """Trains a public generator on windows and draws from it, in a process of its own.

    Args:
        name: ``"diffusion-ts"`` or ``"imagentime"``.
        folder: Where both repositories are cloned, each under its own name.
        windows: (window, time, channel), 24 time steps long, all finite.
        count: Windows to draw.
        cpu_seconds: Of training; the step in which they run out is finished, and one step is
            always made.
        seed: Of weights, order and noise.
        sampler: ``"own"``: 500 steps for Diffusion-TS, 18 Heun steps for ImagenTime. ``"fast"``:
            the 50-step DDIM of Diffusion-TS.

    Raises:
        ValueError: If the clone is missing, the windows are not as said, or a number makes no
            sense.
        RuntimeError: If the public code fails; with the end of what it said.
    """
    clone = clone_of(name, folder)
    x = np.asarray(windows, dtype=np.float64)
    _refuse(RIVALS[name], x, count, cpu_seconds, sampler)
    job = {"name": name, "clone": str(clone), "count": count, "seed": seed}
    with tempfile.TemporaryDirectory() as place:
        room = Path(place)
        np.save(room / "windows.npy", x)
        text = json.dumps({**job, "cpu_seconds": cpu_seconds, "sampler": sampler})
        (room / "job.json").write_text(text, encoding="utf-8")
        quiet = {"TQDM_DISABLE": "1", "PYTHONDONTWRITEBYTECODE": "1"}
        done = subprocess.run(
            [sys.executable, "-m", "timeloom.bench.public_child", place],
            capture_output=True,
            text=True,
            cwd=place,
            env={**os.environ, **quiet, "OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"},
        )
        if done.returncode:
            raise RuntimeError(f"{name} failed in {clone}: {done.stderr[-2000:]}")
        figures = json.loads((room / "figures.json").read_text(encoding="utf-8"))
        return Outcome(samples=np.load(room / "samples.npy"), **figures)


def _refuse(rival: Rival, x: Array, count: int, cpu_seconds: float, sampler: str) -> None:
    if x.ndim != 3 or x.shape[1] != LENGTH or 0 in x.shape:
        raise ValueError(
            f"windows must be (window, {LENGTH}, channel), as in the published settings; got "
            f"{x.shape}. Cut them anew."
        )
    if not np.isfinite(x).all():
        raise ValueError("windows must be finite; got NaN or infinity. Drop or fill these windows.")
    if count < 1 or not cpu_seconds > 0:
        raise ValueError(
            f"count must be at least 1 and cpu_seconds above 0; got {count} and {cpu_seconds}."
        )
    if sampler not in rival.samplers:
        known = " or ".join(repr(one) for one in rival.samplers)
        raise ValueError(f"sampler of {rival.clone} must be {known}; got {sampler!r}.")
