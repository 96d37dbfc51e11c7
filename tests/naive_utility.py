"""Slow, obvious versions of the scores of utility and of their bootstrap: loops, no cleverness."""

import math


def auroc(score, positive):
    """The share of (positive, negative) pairs in which the positive scores higher; ties half."""
    won, pairs = 0.0, 0
    for a, is_a in zip(score, positive, strict=True):
        for b, is_b in zip(score, positive, strict=True):
            if is_a and not is_b:
                pairs += 1
                won += 1.0 if a > b else 0.5 if a == b else 0.0
    return won / pairs if pairs else math.nan


def average_precision(score, positive):
    """Over falling thresholds: precision times the recall that is gained there."""
    total = sum(bool(one) for one in positive)
    if total in (0, len(positive)):
        return math.nan
    area, before = 0.0, 0
    for threshold in sorted(set(score), reverse=True):
        said = [one >= threshold for one in score]
        hit = sum(s and bool(p) for s, p in zip(said, positive, strict=True))
        area += (hit - before) / total * hit / sum(said)
        before = hit
    return area


def mean(values):
    """Mean of what is known."""
    known = [one for one in values if not math.isnan(one)]
    return sum(known) / len(known) if known else math.nan


def class_scores(said, truth, rare):
    """The five scores of classes, from lists of lists and of ints."""
    picked = [max(range(len(row)), key=lambda c, row=row: row[c]) for row in said]
    classes = sorted(set(truth))
    right = [a == b for a, b in zip(picked, truth, strict=True)]
    recall = [
        mean([float(r) for r, t in zip(right, truth, strict=True) if t == c]) for c in classes
    ]
    hit = sum(a == b == rare for a, b in zip(picked, truth, strict=True))
    either = picked.count(rare) + truth.count(rare)
    columns = [([row[c] for row in said], [t == c for t in truth]) for c in classes]
    return {
        "auroc": mean([auroc(*one) for one in columns]),
        "auprc": mean([average_precision(*one) for one in columns]),
        "accuracy": sum(right) / len(right),
        "balanced_accuracy": mean(recall),
        "minority_f1": 2 * hit / either if either else math.nan,
    }


def value_scores(said, truth):
    """The three scores of values."""
    wrong = [a - b for a, b in zip(said, truth, strict=True)]
    penalty = [math.exp(d / 10) - 1 if d > 0 else math.exp(-d / 13) - 1 for d in wrong]
    return {
        "rmse": math.sqrt(sum(d * d for d in wrong) / len(wrong)),
        "mae": sum(abs(d) for d in wrong) / len(wrong),
        "nasa": sum(penalty) / len(wrong),
    }


def bootstrap(score, arms, groups, rng, resamples):
    """2.5 % and 97.5 % of score(first) - score(second), over recordings and seeds, in pairs.

    ``arms`` are two lists (one per seed) of (said, truth) pairs of lists; ``score`` takes both.
    """
    names = sorted(set(groups))
    differences = []
    for _ in range(resamples):
        drawn = [names[k] for k in rng.integers(0, len(names), len(names))]
        rows = [i for name in drawn for i, one in enumerate(groups) if one == name]
        seeds = rng.integers(0, len(arms[0]), len(arms[0]))
        both = []
        for arm in arms:
            per_seed = []
            for k in seeds:
                said, truth = arm[k]
                per_seed.append(score([said[i] for i in rows], [truth[i] for i in rows]))
            both.append(sum(per_seed) / len(per_seed))
        differences.append(both[0] - both[1])
    differences.sort()
    at = [0.025 * (resamples - 1), 0.975 * (resamples - 1)]
    return [differences[round(k)] for k in at]
