"""The one training loop, as a generator that yields its progress."""

from timeloom.train.loop import Progress, train
from timeloom.train.recipe import Recipe

__all__ = ["Progress", "Recipe", "train"]
