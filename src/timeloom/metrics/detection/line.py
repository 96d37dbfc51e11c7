"""What the lines of the detection metrics have in common, so that each says only what differs."""

from collections.abc import Callable
from typing import Any

from timeloom.metrics.metric import Metric

__all__ = ["FLAGS", "SCORES", "line"]

FLAGS = ("labels", "flags")
SCORES = ("labels", "scores")
SHARE = {"better": "higher", "unit": "share", "about": "use", "far": 0.02, "ideal": 1.0}


def line(
    name: str,
    function: Callable[..., Any],
    meaning: str,
    *,
    needs: tuple[str, ...] = FLAGS,
    smallest: int = 1,
    **other: Any,
) -> Metric:
    """A metric's line: a share, higher is better, from labels and flags, unless it says otherwise.

    Args:
        name: As for :class:`~timeloom.metrics.metric.Metric`, and so are all others.
        function: Labels and scores or flags in.
        meaning: One plain sentence.
        needs: What ``function`` is given: ``FLAGS`` or ``SCORES``, and more.
        smallest: Fewest events, over all recordings; fewest normal time points for the metrics
            that need no event (``NO_EVENT``).
        other: Any other attribute of a metric.
    """
    how = {**SHARE, **other}
    return Metric(name, function, meaning=meaning, needs=needs, smallest=smallest, **how)
