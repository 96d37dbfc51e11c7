"""One encoder per set of training windows: trained once, kept in memory and in the user's cache."""

import hashlib
import os
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from timeloom.nets.context import ContextEncoder

__all__ = ["cache_folder", "encoder_for", "read_contexts"]

Array = NDArray[Any]

MOST = 5_000  # training windows that an encoder is fitted on
STEPS = 100  # of its training; twice as many order faults and floors no better
KEPT = 64  # encoders in the user's cache, half a megabyte each; those unused for longest go
REMEMBERED = 4  # encoders in memory
BYTES = 2**27  # of vectors in memory: those of one evaluation

_encoders: dict[str, "ContextEncoder"] = {}
_vectors: dict[str, Array] = {}


def cache_folder() -> Path:
    """Where encoders are kept: ``encoders`` in the user's cache for timeloom."""
    from platformdirs import user_cache_path

    return user_cache_path("timeloom", appauthor=False) / "encoders"


def read_contexts(train: Array, *sides: Array) -> tuple[float, list[Array]]:
    """The vectors of windows, as read by the encoder of ``train``.

    Vectors that were just read are remembered: an evaluation asks for the same real windows again
    and again.

    Args:
        train: (window, time, channel): every window that the generator was trained on, so that
            held-out windows are as new to the encoder as synthetic ones.
        sides: Each (window, time, channel). NaN = not measured.

    Returns:
        The total variance of the training windows' vectors, and for each of ``sides`` its vectors
        (window, feature) in float64.

    Raises:
        ValueError: If ``train`` holds fewer than two windows, or a channel without any value.
    """
    key, encoder = _key_and_encoder(train, 0, None, None)
    return float(encoder.variance), [_remembered(key, encoder, side) for side in sides]


def encoder_for(
    train: Array, *, seed: int = 0, steps: int | None = None, folder: Path | None = None
) -> "ContextEncoder":
    """The encoder of these training windows, trained now if it never was.

    Its key is made of the windows it is fitted on (at most 5,000, drawn by a fixed seed), the
    settings and ``ENCODER_VERSION``. A file that is absent, damaged or of another version is no
    error: the encoder is trained anew. Where nothing can be written it is kept in memory alone.

    Args:
        train: (window, time, channel). NaN = not measured.
        seed: Of the training; not that of an evaluation, whose seeds share one encoder.
        steps: Optimisation steps; 100 if None.
        folder: Where encoders are kept; :func:`cache_folder` if None.

    Raises:
        ValueError: If ``train`` holds fewer than two windows, or a channel without any value.
    """
    return _key_and_encoder(train, seed, steps, folder)[1]


def _key_and_encoder(
    train: Array, seed: int, steps: int | None, folder: Path | None
) -> tuple[str, "ContextEncoder"]:
    from timeloom.nets.context import (
        ENCODER_VERSION,
        ContextEncoder,
        depth_for,
        fit_encoder,
    )

    steps = STEPS if steps is None else steps
    windows = _some(np.asarray(train))
    key = _fingerprint(windows, ENCODER_VERSION, seed, steps)
    if key not in _encoders:
        path = (cache_folder() if folder is None else folder) / f"{key}.safetensors"
        _, length, channels = windows.shape
        encoder = _load(path, ContextEncoder(channels, depth_for(length)))
        if encoder is None:
            encoder = fit_encoder(_tensor(windows), seed=seed, steps=steps)
            _save(path, encoder)
        while len(_encoders) >= REMEMBERED:
            del _encoders[next(iter(_encoders))]
        _encoders[key] = encoder
    return key, _encoders[key]


def _remembered(key: str, encoder: "ContextEncoder", windows: Array) -> Array:
    name = _fingerprint(windows, key)
    if name not in _vectors:
        found = encoder.encode(_tensor(windows)).numpy()
        while _vectors and found.nbytes + sum(one.nbytes for one in _vectors.values()) > BYTES:
            del _vectors[next(iter(_vectors))]
        _vectors[name] = found
    return _vectors[name].astype(np.float64)


def _some(train: Array) -> Array:
    if len(train) <= MOST:
        return train
    # Sorted, so that what is mapped from a file is read from front to back.
    return train[np.sort(np.random.default_rng(0).choice(len(train), MOST, replace=False))]


def _fingerprint(windows: Array, *about: Any) -> str:
    digest = hashlib.sha256(repr((*about, windows.shape, windows.dtype.str)).encode())
    digest.update(np.ascontiguousarray(windows).tobytes())
    return digest.hexdigest()[:32]


def _tensor(windows: Array) -> Any:
    import torch

    # A copy: arrays may be read-only or have negative strides, which torch does not take.
    return torch.tensor(np.ascontiguousarray(windows)).transpose(1, 2)


def _load(path: Path, encoder: "ContextEncoder") -> "ContextEncoder | None":
    """``encoder`` with the weights of a file; None where there is no file that fits."""
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        weights = load_file(path)
        encoder.load_state_dict(weights)
    except (OSError, SafetensorError, RuntimeError):
        return None
    if not all(bool(one.isfinite().all()) for one in weights.values()):
        return None
    with suppress(OSError):
        os.utime(path)
    return encoder.eval().requires_grad_(False)


def _save(path: Path, encoder: "ContextEncoder") -> None:
    from safetensors.torch import save_file

    from timeloom.data.atomic import atomic

    # A cache is a convenience: a full disk or a home that is read-only must not stop a measurement.
    with suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True)
        files = sorted(path.parent.glob("*.safetensors"), key=lambda one: one.stat().st_mtime)
        for old in files[: max(0, len(files) + 1 - KEPT)]:
            old.unlink(missing_ok=True)
        with atomic(path) as temporary:
            save_file(encoder.state_dict(), temporary)
