"""Slow, obvious contrast, Fréchet distance and neighbourhoods."""

import math

import numpy as np
from scipy.linalg import sqrtm


def hierarchical_contrast(one, other):
    """The loss of TS2Vec, level by level, vector by vector; (window, feature, time) in."""
    losses = []
    while True:
        windows, _, times = one.shape
        instance, temporal = [], []
        for i in range(windows):
            for t in range(times):
                for mine, theirs in ((one, other), (other, one)):
                    anchor, partner = mine[i, :, t], theirs[i, :, t]
                    across = [theirs[j, :, t] for j in range(windows)]
                    across += [mine[j, :, t] for j in range(windows) if j != i]
                    instance.append(miss(anchor, partner, across))
                    along = [theirs[i, :, s] for s in range(times)]
                    along += [mine[i, :, s] for s in range(times) if s != t]
                    temporal.append(miss(anchor, partner, along))
        # With one time point left there is no other time to take for the right one.
        both = np.mean(instance) + (np.mean(temporal) if times > 1 else 0)
        losses.append(both / 2)
        if times == 1:
            return float(np.mean(losses))
        one, other = halved(one), halved(other)


def miss(anchor, partner, candidates):
    total = sum(math.exp(float(anchor @ one)) for one in candidates)
    return -math.log(math.exp(float(anchor @ partner)) / total)


def halved(x):
    pairs = x.shape[2] // 2
    return np.stack([x[:, :, 2 * t : 2 * t + 2].max(axis=2) for t in range(pairs)], axis=2)


def frechet_distance(one, other):
    """As written, with a matrix root."""
    first, second = np.cov(one.T), np.cov(other.T)
    apart = one.mean(axis=0) - other.mean(axis=0)
    root = np.real(sqrtm(first @ second))
    return float(apart @ apart + np.trace(first + second - 2 * root))


def neighbourhoods(real, synthetic, real_groups, synthetic_groups, k=5):
    """Precision, recall, density and coverage, pair by pair."""

    def distance(a, b):
        return math.sqrt(sum((p - q) ** 2 for p, q in zip(a, b, strict=True)))

    def reach(points, groups):
        return [
            sorted(
                distance(points[i], points[j]) for j in range(len(points)) if groups[j] != groups[i]
            )[k - 1]
            for i in range(len(points))
        ]

    real_reach, synthetic_reach = reach(real, real_groups), reach(synthetic, synthetic_groups)
    n, m = range(len(real)), range(len(synthetic))
    inside = [[distance(synthetic[j], real[i]) <= real_reach[i] for i in n] for j in m]
    precision = sum(any(row) for row in inside) / len(m)
    recall = sum(
        any(distance(real[i], synthetic[j]) <= synthetic_reach[j] for j in m) for i in n
    ) / len(n)
    density = sum(sum(row) for row in inside) / (k * len(m))
    coverage = sum(any(inside[j][i] for j in m) for i in n) / len(n)
    return precision, recall, density, coverage
