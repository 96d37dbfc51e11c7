"""Windows as small square images, and back: columns of neighbouring time points."""

import math

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn
from torch.nn.functional import pad

__all__ = ["OVERLAPS", "DelayImage", "longest"]

OVERLAPS = ("last", "mean")


class DelayImage(nn.Module):
    """Folds each channel of a window into a square image, and unfolds it again.

    ``image[r, q] = x[q delay + r]`` for rows r below ``embedding`` and every column q that the
    window fills; one more column takes what is left and stays empty below. Pixels without a time
    point are 0. Unfolding a folded window gives it back exactly.
    Source: ImagenTime (arXiv 2410.19538), section 4.1.

    Args:
        length: Time points of a window.
        delay: Time points from one column to the next.
        embedding: Time points of a column, and the side of the image.
        overlap: What a time point that stands in several columns becomes when an image is unfolded:
            ``"last"``, what the last of them says, or ``"mean"``.
        compat: Whether ``mask`` forgets, as the released code, the empty pixels of the last column.

    Attributes:
        mask: (row, column) True where no time point stands.
        columns: Columns that hold time points.

    Raises:
        ValueError: If there is no time point, columns leave time points out, there are more of them
            than the image is wide, or ``overlap`` is neither of the two.
    """

    source: Tensor
    target: Tensor
    share: Tensor
    mask: Bool[Tensor, "side side"]

    def __init__(
        self,
        length: int,
        delay: int = 8,
        embedding: int = 8,
        *,
        overlap: str = "last",
        compat: bool = False,
    ) -> None:
        super().__init__()
        _check(length, delay, embedding, overlap)
        self.length, self.delay, self.embedding, self.overlap = length, delay, embedding, overlap
        self.compat, self.columns = compat, _columns(length, delay, embedding)
        rows, columns = torch.arange(embedding)[:, None], torch.arange(embedding)
        time = columns * delay + rows  # (row, column)
        filled = columns.expand_as(time) < self.columns
        empty = ~filled | (time >= length)
        # Where no time point stands, fold reads a zero that is put behind the last one.
        self.register_buffer("source", torch.where(empty, length, time).flatten(), persistent=False)
        self.register_buffer("mask", ~filled if compat else empty, persistent=False)
        target, share = self._where()
        self.register_buffer("target", target, persistent=False)
        self.register_buffer("share", share, persistent=False)

    def forward(
        self, x: Float[Tensor, "window channel time"]
    ) -> Float[Tensor, "window channel side side"]:
        """As :meth:`fold`."""
        return self.fold(x)

    def fold(
        self, x: Float[Tensor, "window channel time"]
    ) -> Float[Tensor, "window channel side side"]:
        """The image of each channel; 0 where no time point stands.

        Raises:
            ValueError: If windows have another length than this was made for.
        """
        if x.shape[2] != self.length:
            raise ValueError(
                f"this image holds windows of {self.length} time points; got {x.shape[2]}. Make a "
                f"DelayImage({x.shape[2]}) for them."
            )
        pixels = pad(x, (0, 1)).index_select(2, self.source)
        return pixels.unflatten(2, (self.embedding, self.embedding))

    def unfold(
        self, image: Float[Tensor, "window channel side side"]
    ) -> Float[Tensor, "window channel time"]:
        """The windows that images show; what stands on padding is not looked at."""
        pixels = image.flatten(2)
        if len(self.target) == 1:
            return pixels.index_select(2, self.target[0])
        # A place behind the last pixel stands for "no such column"; its share is 0.
        found = pad(pixels, (0, 1)).index_select(2, self.target.flatten())
        found = found.unflatten(2, self.target.shape)  # (window, channel, column, time)
        return (found * self.share.to(found.dtype)).sum(2)

    def _where(self) -> tuple[Tensor, Tensor]:
        """Pixels that show a time point, last column first, and what each counts: (k, time)."""
        time = torch.arange(self.length)
        last = (time // self.delay).clamp(max=self.columns - 1)
        depth = 1 if self.overlap == "last" else math.ceil(self.embedding / self.delay)
        column = last - torch.arange(depth)[:, None]
        row = time - column * self.delay
        seen = (column >= 0) & (row < self.embedding)
        pixel = torch.where(seen, row * self.embedding + column, self.embedding**2)
        return pixel, seen / seen.sum(0, keepdim=True)


def longest(delay: int = 8, embedding: int = 8) -> int:
    """The longest window that fits an image: its columns are at most as many as its rows."""
    if delay == embedding:
        return embedding**2
    # Overlapping columns always end in one that is not full.
    return delay * (embedding - 1) + embedding - 1


def _columns(length: int, delay: int, embedding: int) -> int:
    full = max(0, (length - embedding) // delay + 1)
    return full + (full * delay != length)


def _check(length: int, delay: int, embedding: int, overlap: str) -> None:
    if length < 1:
        raise ValueError(f"a window needs at least 1 time point to be folded; got {length}.")
    if delay < 1 or embedding < 1:
        raise ValueError(f"delay and embedding must be at least 1; got {delay} and {embedding}.")
    if delay > embedding:
        raise ValueError(
            f"delay {delay} is larger than embedding {embedding}: time points between two columns "
            "would be lost. Use a delay of at most the embedding."
        )
    if overlap not in OVERLAPS:
        raise ValueError(f"overlap must be 'last' or 'mean'; got {overlap!r}.")
    columns = _columns(length, delay, embedding)
    if columns > embedding:
        raise ValueError(
            f"{length} time points fill {columns} columns, more than the {embedding} of the image; "
            f"the longest window at delay {delay} and embedding {embedding} has "
            f"{longest(delay, embedding)}. Cut shorter windows, or use a larger embedding."
        )
