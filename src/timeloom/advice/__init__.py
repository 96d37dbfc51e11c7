"""Will synthetic windows help my data? A verdict with reasons, before any generator is trained.

``advise`` asks five questions of labelled windows: is there something to learn (``cross``, with the
cheap ``probe`` and folds from ``layout``), are the classes uneven and rare windows hard
(``gradients``), would more data help and could the test set show it (``headroom``), is something
wrong with the windows (``feasible``), and what to do (``verdict``). ``simulated`` draws windows of
known difficulty.
"""

from timeloom.advice.advise import advise
from timeloom.advice.answer import Advice
from timeloom.advice.simulated import simulated

__all__ = ["Advice", "advise", "simulated"]
