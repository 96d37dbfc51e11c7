"""Slow, obvious versions of the detection metrics, and the seeded series they are tried on."""

import math

import numpy as np


def series(recipe):
    """(labels, scores, flags, line) of a recipe: {n, seed, kind, events, decimals}.

    ``kind`` is "random" (uniform scores), "lifted" (uniform, higher in events), "shifted" (higher
    a few points after events begin) or "sine" (distance from a sine that events disturb).
    ``decimals`` rounds the scores, so that few decimals make many ties. The upper tenth of the
    scores is flagged.
    """
    n, kind = recipe["n"], recipe["kind"]
    rng = np.random.default_rng(recipe["seed"])
    labels = np.zeros(n, dtype=int)
    for begin, length in recipe["events"]:
        labels[begin : begin + length] = 1
    noise = rng.random(n)
    wave = np.sin(np.arange(n) * 2 * math.pi / 25)
    line = wave + 0.3 * noise + labels * rng.random(n)
    scores = {
        "random": noise,
        "lifted": noise + 0.4 * labels,
        "shifted": noise + 0.4 * np.roll(labels, 5),
        "sine": np.abs(line - wave),
    }[kind]
    scores = np.round(scores, recipe["decimals"])
    flags = (scores > np.sort(scores)[-max(n // 10, 2)]).astype(int)
    return labels, scores, flags, np.round(line, 6)


def runs(mask):
    """[(begin, last)] of unbroken runs, both inclusive."""
    found, begin = [], None
    for place, one in enumerate([*mask, 0]):
        if one and begin is None:
            begin = place
        elif not one and begin is not None:
            found.append((begin, place - 1))
            begin = None
    return found


def soft_labels(labels, buffer, flavour):
    """Labels with slopes of buffer // 2 points, and the runs of what is softened (joined)."""
    n, half = len(labels), buffer // 2
    soft = [float(one) for one in labels]
    regions = []
    for begin, last in runs(labels):
        right = half - 1 if flavour == "aeon" and half else half
        for d in range(1, half + 1):
            if begin - d >= 0:
                soft[begin - d] += math.sqrt(1 - d / buffer)
        for d in range(1, right + 1):
            if last + d < n:
                soft[last + d] += math.sqrt(1 - d / buffer)
        if regions and regions[-1][2] + half >= begin - half:
            regions[-1][1], regions[-1][2] = min(last + right, n - 1), last
        else:
            regions.append([max(begin - half, 0), min(last + right, n - 1), last])
    return [min(one, 1.0) for one in soft], [(a, b) for a, b, _ in regions]


def vus(labels, scores, window, flavour, thresholds=250):
    """(roc, pr): every threshold by hand, every buffer by hand."""
    n = len(labels)
    ranked = sorted(scores, reverse=True)
    if thresholds is None:
        levels = sorted(set(scores), reverse=True)
    else:
        levels = [ranked[int(i)] for i in np.linspace(0, n - 1, thresholds)]
    roc, pr = [], []
    for buffer in range(window + 1):
        soft, regions = soft_labels(labels, buffer, flavour)
        curve = [(0.0, 0.0, 1.0)]
        for level in levels:
            flagged = [score >= level for score in scores]
            true = sum(y for y, on in zip(soft, flagged, strict=True) if on)
            if flavour == "aeon":
                held = (sum(labels) + sum(soft)) / 2
            else:
                beside = sum(
                    y for y, z, on in zip(soft, labels, flagged, strict=True) if on and not z
                )
                held = (2 * sum(labels) + beside) / 2
            hit = sum(any(flagged[a : b + 1]) for a, b in regions) / len(regions)
            false = (sum(flagged) - true) / (n - held)
            false = min(false, 1) if flavour == "aeon" else false
            curve.append((min(true / held, 1) * hit, false, true / sum(flagged)))
        steps = list(zip(curve[:-1], curve[1:], strict=True))
        if flavour == "aeon":
            pr.append(sum((b[0] - a[0]) * (a[2] + b[2]) / 2 for a, b in steps))
        else:
            pr.append(sum((b[0] - a[0]) * b[2] for a, b in steps))
        steps.append((curve[-1], (1.0, 1.0, 0.0)))
        roc.append(sum((b[1] - a[1]) * (a[0] + b[0]) / 2 for a, b in steps))
    return sum(roc) / len(roc), sum(pr) / len(pr)


def period(line, default=125):
    """Lag of the highest local maximum of the autocorrelation, lags 4 to 399."""
    line = [one - sum(line) / len(line) for one in line]
    memory = [
        sum(a * b for a, b in zip(line, line[lag:], strict=False)) / sum(a * a for a in line)
        for lag in range(min(401, len(line)))
    ][3:]
    peaks = [
        (memory[i], i)
        for i in range(1, len(memory) - 1)
        if memory[i - 1] < memory[i] > memory[i + 1]
    ]
    best = max(peaks)[1] if peaks else 0
    return best + 3 if 3 <= best <= 300 else default


def f1(labels, flags):
    """F1 over points."""
    true = sum(a and b for a, b in zip(labels, flags, strict=True))
    return 2 * true / (sum(labels) + sum(flags)) if true else 0.0


def adjusted(labels, flags, percent=0.0):
    """Flags, with every event filled of which more than ``percent`` per cent is flagged."""
    out = list(flags)
    for begin, last in runs(labels):
        share = 100 * sum(flags[begin : last + 1]) / (last - begin + 1)
        if share > percent:
            out[begin : last + 1] = [1] * (last - begin + 1)
    return out


def range_scores(labels, flags, alpha, bias, pieces):
    """(precision, recall) of Tatbul et al., position by position."""

    def weight(place, length, bias):
        if bias == "front":
            return length - place + 1
        if bias == "back":
            return place
        if bias == "middle":
            return place if place <= length / 2 else length - place + 1
        return 1

    def covered(own, other, bias):
        out = []
        for begin, last in own:
            length = last - begin + 1
            total = mine = 0.0
            touching = [(a, b) for a, b in other if a <= last and b >= begin]
            for place in range(1, length + 1):
                one = weight(place, length, bias)
                total += one
                if any(a <= begin + place - 1 <= b for a, b in touching):
                    mine += one
            share = mine / total
            out.append(share / len(touching) if pieces and len(touching) > 1 else share)
        return out

    events, alarms = runs(labels), runs(flags)
    precision = covered(alarms, events, "flat")
    recall = covered(events, alarms, bias)
    recall = [alpha * (one > 0) + (1 - alpha) * one for one in recall]
    return sum(precision) / len(alarms), sum(recall) / len(events)


def affiliation(labels, flags, cells=40):
    """(precision, recall) of Huet et al., time points cut into cells: about 1/cells off."""
    n = len(labels)
    time = (np.arange(n * cells) + 0.5) / cells
    flagged = time[np.repeat(np.asarray(flags, dtype=bool), cells)]
    events = [(begin, last + 1) for begin, last in runs(labels)]
    precisions, recalls = [], []
    for number, (begin, end) in enumerate(events):
        low = (events[number - 1][1] + begin) / 2 if number else 0
        high = (end + events[number + 1][0]) / 2 if number + 1 < len(events) else n
        zone = time[(time > low) & (time < high)]
        near = flagged[(flagged > low) & (flagged < high)]
        if not len(near):
            recalls.append(0.0)
            continue
        away = np.maximum(np.maximum(begin - zone, zone - end), 0)
        own = np.maximum(np.maximum(begin - near, near - end), 0)
        precisions.append(np.mean([np.mean(away >= one) for one in own]))
        chances = []
        for point in zone[(zone > begin) & (zone < end)]:
            nearest = np.abs(near - point).min()
            chances.append(np.mean(np.abs(zone - point) >= nearest))
        recalls.append(np.mean(chances))
    return float(np.mean(precisions)), float(np.mean(recalls))
