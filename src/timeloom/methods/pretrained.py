"""Where the weights that come with the package lie."""

from pathlib import Path

__all__ = ["FEWSHOT"]

FEWSHOT = Path(__file__).parent / "weights" / "imagenfew"
