"""Slow, obvious versions of what the library does fast; the tests compare the two."""

import math

import numpy as np


def cut(series, length, stride):
    """(windows, labels, series, starts) as lists, one loop per question."""
    windows, labels, owners, starts = [], [], [], []
    for number, one in enumerate(series):
        begin = 0
        places = []
        while begin + length <= len(one.values):
            places.append(begin)
            begin += stride
        if places[-1] + length < len(one.values):
            places.append(len(one.values) - length)
        for place in places:
            windows.append([list(one.values[place + i]) for i in range(length)])
            labels.append(one.label if np.ndim(one.label) == 0 else one.label[place + length - 1])
            owners.append(number)
            starts.append(place)
    return windows, labels, owners, starts


def stitch(scores, owners, starts):
    """{series: [mean at every time point]}, NaN where no window lies or nothing was measured."""
    found = {}
    for window, owner, start in zip(scores, owners, starts, strict=True):
        points = found.setdefault(owner, {})
        for i, value in enumerate(window):
            points.setdefault(start + i, [])
            if not math.isnan(value):
                points[start + i].append(value)
    out = {}
    for owner, points in found.items():
        out[owner] = []
        for place in range(max(points) + 1):
            seen = points.get(place, [])
            out[owner].append(sum(seen) / len(seen) if seen else math.nan)
    return out


def run_lengths(row, value):
    """Lengths of the unbroken stretches of ``value`` in ``row``, from left to right."""
    lengths, current = [], 0
    for one in row:
        if one == value:
            current += 1
        elif current:
            lengths.append(current)
            current = 0
    if current:
        lengths.append(current)
    return lengths
