"""What is said of recordings: plain values, and the same as lines of text."""

from dataclasses import dataclass

__all__ = ["Channel", "Description", "Labels", "Times"]


@dataclass(frozen=True, slots=True)
class Channel:
    """One channel over all series; figures are in its own unit and leave out NaN and inf.

    Attributes:
        name: What the source calls it.
        low: Smallest value; NaN where nothing was measured, as for the next two.
        mean: Mean value.
        high: Largest value.
        missing: Share of time points that were not measured.
        infinite: Number of values that are inf.
        constant: Whether all values are the same.
    """

    name: str
    low: float
    mean: float
    high: float
    missing: float
    infinite: int
    constant: bool


@dataclass(frozen=True, slots=True)
class Labels:
    """What the labels are.

    Attributes:
        name: What the source calls the label.
        kind: ``"class"`` or ``"value"``.
        classes: Each class and how often it occurs, in ascending order; empty for values.
        counted: What is counted: ``"series"`` where each has one label, else ``"time points"``.
        low: Smallest value; None for classes.
        high: Largest value; None for classes.
        missing: Number of time points without a label.
    """

    name: str
    kind: str
    classes: tuple[tuple[str, int], ...]
    counted: str
    low: float | None
    high: float | None
    missing: int


@dataclass(frozen=True, slots=True)
class Times:
    """What the time stamps say, over all series.

    Attributes:
        step: The usual (median) step, as text in the source's unit.
        gaps: Number of steps longer than 1.5 times the usual one.
        longest: The longest step, as text.
        duplicates: Number of time stamps equal to the one before.
        backwards: Number of time stamps before the one before.
    """

    step: str
    gaps: int
    longest: str
    duplicates: int
    backwards: int


@dataclass(frozen=True, slots=True)
class Description:
    """What :func:`timeloom.data.describe` found.

    Attributes:
        series: Number of series.
        points: Number of time points, all series together.
        lengths: Smallest, median and largest number of time points of a series.
        channels: One entry per channel.
        labels: What the labels are, or None.
        times: What the time stamps say, or None.
        problems: One sentence per thing that is wrong, with what to do about it.
    """

    series: int
    points: int
    lengths: tuple[int, float, int]
    channels: tuple[Channel, ...]
    labels: Labels | None
    times: Times | None
    problems: tuple[str, ...]

    def lines(self) -> list[str]:
        """The description as plain text, line by line."""
        low, middle, high = self.lengths
        out = [
            f"{self.series} series, {self.points} time points "
            f"(shortest {low}, median {middle:g}, longest {high}), {len(self.channels)} channels"
        ]
        width = max(len(channel.name) for channel in self.channels)
        for one in self.channels:
            notes = [f"{one.missing:.1%} missing"] if one.missing else []
            notes += ["constant"] if one.constant else []
            notes += [f"{one.infinite} infinite"] if one.infinite else []
            figures = f"{one.low:.6g} to {one.high:.6g}, mean {one.mean:.6g}"
            out.append("; ".join([f"  {one.name:<{width}}  {figures}", *notes]))
        out.append(_label_line(self.labels))
        if self.times is not None:
            out.append(
                f"time: usual step {self.times.step}, {self.times.gaps} gaps (longest step "
                f"{self.times.longest}), {self.times.duplicates} duplicates"
            )
        return out + [f"problem: {sentence}" for sentence in self.problems]

    def __str__(self) -> str:
        return "\n".join(self.lines())


def _label_line(labels: Labels | None) -> str:
    if labels is None:
        return "label: none"
    if labels.kind == "value":
        return f"label '{labels.name}': values from {labels.low:.6g} to {labels.high:.6g}"
    shown = ", ".join(f"{name}: {count}" for name, count in labels.classes)
    return f"label '{labels.name}': {len(labels.classes)} classes ({labels.counted}: {shown})"
