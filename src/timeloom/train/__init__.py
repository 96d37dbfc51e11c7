"""The one training loop, as a generator that yields its progress."""

from timeloom.train.loop import Progress, Recipe, train

__all__ = ["Progress", "Recipe", "train"]
