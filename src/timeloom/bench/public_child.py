"""What the child of ``public_code`` runs: a public generator's own code, on our windows.

``python -m timeloom.bench.public_child FOLDER`` does the job that lies in FOLDER, and leaves
samples and figures there.

What an import asks for and training does not need is replaced, in this process alone. Where they
are not installed: ``einops`` (five patterns of Diffusion-TS), ``ema_pytorch`` (the moving average
with the warm-up of version 0.2) and ``torchaudio`` (of no use to the delay embedding). Always:
ImagenTime's ``utils.utils_data``, which reads data sets by files that its repository lacks, and,
without an accelerator, ``Tensor.cuda``, which ImagenTime calls at the end of its sampler.
"""

import copy
import importlib
import importlib.util
import json
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from timeloom.bench.public_code import LENGTH, RIVALS

__all__ = ["Average", "Budget", "rewrite"]

Array = NDArray[Any]

CHUNK = 256  # windows drawn at once
FAST = 50  # steps of Diffusion-TS's short sampler
NEVER = sys.maxsize


class Budget:
    """CPU seconds to be spent, from now on.

    Args:
        seconds: How many.
        clock: What tells the time; without it the CPU time of this process.
    """

    def __init__(self, seconds: float, clock: Callable[[], float] = time.process_time) -> None:
        self.seconds, self.clock = seconds, clock
        self.began = clock()

    def spent(self) -> float:
        """Seconds spent so far."""
        return self.clock() - self.began

    def batches(
        self, x: Array, size: int, rng: np.random.Generator, *, per_step: int, whole: bool
    ) -> Iterator[Array]:
        """Yields batches epoch after epoch, and ends after the step in which the budget runs out.

        Args:
            x: (window, time, channel).
            size: Windows in a batch, at most; smaller sets make smaller batches.
            rng: Of the order.
            per_step: Batches in a step; a step once begun is served whole, the first one always.
            whole: Leaves out the smaller batch at the end of an epoch.
        """
        size, given = min(size, len(x)), 0
        while True:
            order = rng.permutation(len(x))
            for first in range(0, len(x) - (size - 1 if whole else 0), size):
                if given and given % per_step == 0 and self.spent() >= self.seconds:
                    return
                given += 1
                yield x[order[first : first + size]]


@dataclass(frozen=True, slots=True)
class _Trained:
    network: Any  # whose parameters and calls are counted
    drawing: Any  # the copy of it that draws
    steps: int
    seconds: float
    draw: Callable[[int], Any]  # count -> (window, time, channel)


class _Spent(Exception):
    """Ends a loop that is not ours."""


class _Loader:
    """Batches in the place of a data loader, for a trainer that would begin it again for ever."""

    def __init__(self, batches: Iterator[Array]) -> None:
        self.given = batches

    def __iter__(self) -> Iterator[Any]:
        import torch

        for batch in self.given:
            yield torch.as_tensor(batch, dtype=torch.float32)
        raise _Spent


def _diffusion_ts(job: dict[str, Any], x: Array) -> _Trained:
    _stand_in("einops", rearrange=rewrite, reduce=rewrite, repeat=rewrite)
    _stand_in("ema_pytorch", EMA=Average)
    public, io = (importlib.import_module(one) for one in ("engine.solver", "Utils.io_utils"))
    config = io.load_yaml_config(str(Path(job["clone"]) / RIVALS[job["name"]].setting))
    config["model"]["params"].update(seq_length=LENGTH, feature_size=x.shape[2])
    if job["sampler"] == "fast":
        config["model"]["params"]["sampling_timesteps"] = FAST
    solver = config["solver"]
    # Where the trainer would write, if it ever came to that.
    solver.update(max_epochs=NEVER, save_cycle=NEVER, results_folder=str(Path.cwd() / "kept"))
    budget = Budget(job["cpu_seconds"])
    model = io.instantiate_from_config(config["model"])
    batches = budget.batches(
        2 * x - 1,
        config["dataloader"]["batch_size"],
        np.random.default_rng(job["seed"]),
        per_step=solver["gradient_accumulate_every"],
        whole=True,
    )
    trainer = public.Trainer(config, None, model, {"dataloader": _Loader(batches)})
    try:
        trainer.train()
    except _Spent:
        seconds = budget.spent()
    else:
        raise RuntimeError("training ended before the budget did")
    average = trainer.ema.ema_model
    return _Trained(
        model, average.model, trainer.step, seconds, lambda n: (average.generate_mts(n) + 1) / 2
    )


def _imagentime(job: dict[str, Any], x: Array) -> _Trained:
    import torch
    import yaml

    if not torch.cuda.is_available():
        torch.Tensor.cuda = lambda self: self  # pyright: ignore
    _stand_in("torchaudio", transforms=_stand_in("torchaudio.transforms"))
    _stand_in("utils.utils_data", always=True, MinMaxScaler=None, MinMaxArgs=None)
    nets, sampling = (importlib.import_module(f"models.{one}") for one in ("model", "sampler"))
    text = (Path(job["clone"]) / RIVALS[job["name"]].setting).read_text(encoding="utf-8")
    config = SimpleNamespace(**{**yaml.safe_load(text), "input_channels": x.shape[2]})
    # The sampler sets up betas, from the defaults of the command line, and never looks at them.
    config.device, config.beta1, config.betaT, config.deterministic = "cpu", 1e-5, 1e-2, False
    budget = Budget(job["cpu_seconds"])
    model = nets.ImagenTime(args=config, device="cpu").train()
    rates = {"lr": config.learning_rate, "weight_decay": config.weight_decay}
    optimiser, steps = torch.optim.AdamW(model.parameters(), **rates), 0
    order = np.random.default_rng(job["seed"])
    for batch in budget.batches(x, config.batch_size, order, per_step=1, whole=False):
        optimiser.zero_grad()
        loss, _ = model.loss_fn(model.ts_to_img(torch.as_tensor(batch, dtype=torch.float32)))
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimiser.step()
        model.on_train_batch_end()
        steps += 1
    seconds = budget.spent()
    side = config.img_resolution
    process = sampling.DiffusionProcess(config, model.net, (x.shape[2], side, side))

    def draw(count: int) -> Any:
        model.eval()
        with torch.no_grad(), model.ema_scope():
            return model.img_to_ts(process.sampling(sampling_number=count))

    return _Trained(model, model.net, steps, seconds, draw)


DRIVERS = {"diffusion-ts": _diffusion_ts, "imagentime": _imagentime}


def _work(room: Path) -> None:
    """Does the job that lies in ``room``, and leaves samples and figures there."""
    import torch

    job = json.loads((room / "job.json").read_text(encoding="utf-8"))
    x = np.load(room / "windows.npy")
    sys.path.insert(0, job["clone"])
    # Their code draws from the global generator; this process has no other use for it.
    torch.manual_seed(job["seed"])
    torch.set_num_threads(1)
    low, width = x.min((0, 1)), np.ptp(x, (0, 1))
    trained = DRIVERS[job["name"]](job, (x - low) / np.where(width > 0, width, 1))
    calls = []
    trained.drawing.register_forward_pre_hook(lambda *_: calls.append(1))
    began, count = time.process_time(), job["count"]
    sizes = [min(CHUNK, count - first) for first in range(0, count, CHUNK)]
    drawn = np.concatenate([np.asarray(trained.draw(size).cpu()) for size in sizes])
    figures = {
        "train_seconds": trained.seconds,
        "train_steps": trained.steps,
        "sample_seconds": time.process_time() - began,
        "parameters": sum(p.numel() for p in trained.network.parameters() if p.requires_grad),
        "calls": len(calls) // len(sizes),
    }
    np.save(room / "samples.npy", low + drawn.astype(np.float64) * width)
    (room / "figures.json").write_text(json.dumps(figures), encoding="utf-8")


def _stand_in(name: str, *, always: bool = False, **holds: Any) -> ModuleType:
    """Puts a module of these names where an import looks first, if there is no real one."""
    if not always and importlib.util.find_spec(name.partition(".")[0]) is not None:
        return importlib.import_module(name)
    module = ModuleType(name)
    vars(module).update(holds)
    sys.modules[name] = module
    return module


def rewrite(x: Any, pattern: str, *_: str, **sizes: int) -> Any:
    """The five patterns that Diffusion-TS asks of einops."""
    known = {
        "b ... -> b (...)": lambda: x.reshape(len(x), -1),
        "b f t d -> b t d": lambda: x.sum(1),
        "b f d -> b f () d": lambda: x.unsqueeze(2),
        "t -> () () t ()": lambda: x[None, None, :, None],
        "f -> b f d": lambda: x[None, :, None].expand(sizes["b"], -1, sizes["d"]),
    }
    if pattern not in known:
        raise ImportError(f"{pattern!r} needs einops: pip install einops")
    return known[pattern]()


class Average:
    """The moving average of ema_pytorch: a copy for 100 steps, then a decay that grows to beta."""

    def __init__(self, model: Any, beta: float, update_every: int) -> None:
        self.model, self.beta, self.every, self.step = model, beta, update_every, 0
        self.ema_model = copy.deepcopy(model).requires_grad_(False)

    def to(self, _: Any) -> "Average":
        """Stays where the model is."""
        return self

    def update(self) -> None:
        """Takes the model's weights in, at one call in ``update_every``."""
        step, self.step = self.step, self.step + 1
        if step % self.every:
            return
        decay = min(self.beta, 1 - (1 + max(step - 100, 0)) ** (-2 / 3))
        both = zip(self.ema_model.parameters(), self.model.parameters(), strict=True)
        for kept, new in both:
            kept.data.lerp_(new.data, 1 - decay)


if __name__ == "__main__":
    _work(Path(sys.argv[1]))
