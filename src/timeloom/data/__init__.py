"""Recordings in, windows out: what was measured, how it is cut, scaled, hidden, read and written.

``windows`` holds the two nouns and how one becomes the other, ``scale`` and ``mask`` what a method
does to them, ``files`` the doors, ``describe`` what is in a file and what is wrong with it, and
``sets`` the public data sets. Nothing here needs torch; pandas, pyarrow and scipy are imported
where they are used.
"""

from timeloom.data.describe import describe
from timeloom.data.description import Description
from timeloom.data.files import read, read_windows, write
from timeloom.data.scale import Scaler
from timeloom.data.windows import Series, Windows, cut, split, stitch

__all__ = [
    "Description",
    "Scaler",
    "Series",
    "Windows",
    "cut",
    "describe",
    "read",
    "read_windows",
    "split",
    "stitch",
    "write",
]
