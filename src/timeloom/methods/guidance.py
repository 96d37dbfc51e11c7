"""What TarDiff may be asked, and which real windows guide it: checked before any training."""

from typing import Any

import numpy as np
import torch
from torch import Tensor

from timeloom.data.overlap import shared
from timeloom.data.windows import Windows
from timeloom.methods.classifier import KINDS, check_kind, set_aside
from timeloom.methods.estimator import OWN
from timeloom.methods.prepare import one_of

__all__ = ["check_apart", "check_settings", "parts", "shares_of"]

FEWEST = 5  # training windows of a class


def check_settings(settings: dict[str, Any], generator: Any) -> None:
    """Refuses a generator without classes, and settings that are not possible.

    Raises:
        ValueError: If there is one.
    """
    condition = getattr(generator, "condition_", None)
    if condition is None:
        raise ValueError("the generator is not fitted yet; fit it first, then TarDiff.")
    if condition.kind != "class":
        trained = "values" if condition.kind == "value" else "windows without labels"
        raise ValueError(
            f"TarDiff needs a generator of classes; this one was trained on {trained}. Fit it on "
            "windows with classes (condition='class')."
        )
    kind = settings["classifier"]
    if not (isinstance(kind, str) and kind.startswith(OWN)):
        check_kind(kind)
    one_of("source", settings["source"], ("all", "minority", "balanced"))
    one_of("strength", settings["strength"], ("relative", "absolute"))
    one_of("at", settings["at"], ("clean", "noisy"))
    last, pool, steps, scale = (settings[k] for k in ("last", "pool", "train_steps", "scale"))
    if not 0 < last <= 1:
        raise ValueError(f"last must be a share above 0, up to 1; got {last}.")
    if pool < 1 or steps < 1:
        raise ValueError(f"pool and train_steps must be at least 1; got {pool} and {steps}.")
    if scale != "auto" and (isinstance(scale, str) or not np.isfinite(scale)):
        raise ValueError(f"scale must be a finite number or 'auto'; got {scale!r}.")


def parts(
    settings: dict[str, Any], generator: Any, windows: Windows, guidance: Windows | None
) -> tuple[Windows | None, Windows]:
    """(training windows or None, guidance windows).

    A classifier that is trained in the fit leaves ``validation`` of the windows for guidance; for
    one that is trained already all are guidance, where none are given by themselves.

    Raises:
        ValueError: If they do not fit the generator, or a class has too few.
    """
    check_windows(windows, generator, "training", FEWEST)
    if guidance is not None:
        check_windows(guidance, generator, "guidance", 1)
        return windows, guidance
    if settings["classifier"] in KINDS:
        return set_aside(windows, settings["validation"], settings["seed"])
    if settings["scale"] == "auto":
        raise ValueError(
            "scale='auto' tries strengths on training windows; give fit the training windows and "
            "guidance= others, or a number as scale."
        )
    return None, windows


def check_windows(windows: Windows, generator: Any, name: str, fewest: int) -> None:
    """Refuses windows of another shape, without classes, or with too few of one.

    Raises:
        ValueError: If they are such.
    """
    if windows.shape != generator.shape_:
        raise ValueError(
            f"{name} windows must be as the generator's, (time, channel) {generator.shape_}; got "
            f"{windows.shape}."
        )
    unnamed = tuple(f"c{i}" for i in range(windows.shape[1]))  # as plain arrays come
    if windows.channels not in (generator.channels_, unnamed):
        wanted = generator.channels_
        same = set(windows.channels) == set(wanted)
        advice = f"order them, --channels {','.join(wanted)}" if same else "rename them"
        raise ValueError(
            f"{name} windows must have the generator's channels {', '.join(wanted)}, in this "
            f"order; got {', '.join(windows.channels)}: {advice}."
        )
    if windows.y is None:
        raise ValueError(f"{name} windows need a class each; name the label's column.")
    labels = generator.condition_.asked(windows.y, len(windows))
    counts = {label: int((labels == label).sum()) for label in generator.condition_.classes}
    rare = min(counts, key=lambda label: counts[label])
    if counts[rare] < fewest:
        raise ValueError(
            f"every class needs at least {fewest} {name} windows; class {rare!r} has "
            f"{counts[rare]}. Record more of them, or leave the class out of the generator too."
        )


def shares_of(source: str, counts: Tensor, common: Tensor) -> Tensor:
    """(class,) how much the gradient of each class counts.

    Args:
        source: As :class:`timeloom.methods.tardiff.TarDiff` has it.
        counts: Guidance windows per class.
        common: Training windows per class, by which the rarest is told.

    Raises:
        ValueError: If the guidance set holds no window of a class that counts.
    """
    if source == "all":
        return counts / counts.sum()
    if source == "minority":
        shares = torch.zeros(len(counts))
        shares[int(common.argmin())] = 1.0
    else:
        shares = torch.full((len(counts),), 1 / len(counts))
    if bool(((shares > 0) & (counts == 0)).any()):
        raise ValueError(
            f"source={source!r} needs guidance windows of every class that counts; there are "
            f"{counts.tolist()} by class. Give more, or source='all'."
        )
    return shares


def check_apart(guidance: Windows, test: Windows | None) -> None:
    """Refuses guidance windows that are among the test windows, or overlap them.

    Raises:
        ValueError: If some do.
    """
    both = 0 if test is None else int(shared(guidance, test).sum())
    if both:
        raise ValueError(
            f"guidance windows must not be among the test windows; {both} of {len(guidance)} are, "
            "or overlap them. Take them from the training data."
        )
