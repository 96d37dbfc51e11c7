"""What is known of a data set before a byte of it is read."""

from dataclasses import dataclass

__all__ = ["Info"]


@dataclass(frozen=True, slots=True)
class Info:
    """What a data set is, whose it is, and how it is split.

    Attributes:
        name: What it is called here, and the folder it lies in.
        title: What it is, in a few words.
        channels: Channels per time point, as loaded by default.
        length: Time points per series, or how many there are.
        split: Which part trains and which part tests, and who says so.
        label: What is predicted and its unit; None where a set has no label.
        licence: The terms of its publisher.
        redistribution: Whether it may be passed on.
        citation: What to cite.
        source: Where it is published.
        files: The publisher's files that belong into the folder.
        aliases: Other names that mean it.
    """

    name: str
    title: str
    channels: int
    length: str
    split: str
    label: str | None
    licence: str
    redistribution: str
    citation: str
    source: str
    files: tuple[str, ...]
    aliases: tuple[str, ...] = ()
