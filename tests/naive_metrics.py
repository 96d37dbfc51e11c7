"""Slow, obvious versions of the metrics, in loops."""

from itertools import combinations

import numpy as np


def correlation(x, a, b):
    pairs = [(w[t, a], w[t, b]) for w in x for t in range(len(w))]
    pairs = np.array([p for p in pairs if not np.isnan(p).any()])
    return np.corrcoef(pairs.T)[0, 1]


def cross_correlation_error(real, synthetic):
    count = real.shape[2]
    apart = [
        abs(correlation(real, a, b) - correlation(synthetic, a, b))
        for a in range(count)
        for b in range(a + 1, count)
    ]
    return np.mean(apart)


def autocorrelation(x, c, lag):
    values = [v for w in x for v in w[:, c] if not np.isnan(v)]
    mean, power = np.mean(values), np.var(values)
    products = [
        (w[t, c] - mean) * (w[t + lag, c] - mean)
        for w in x
        for t in range(len(w) - lag)
        if not np.isnan(w[t, c]) and not np.isnan(w[t + lag, c])
    ]
    return np.mean(products) / power


def autocorrelation_error(real, synthetic):
    return np.mean(
        [
            abs(autocorrelation(real, c, k) - autocorrelation(synthetic, c, k))
            for c in range(real.shape[2])
            for k in range(1, min(real.shape[1] - 1, 24) + 1)
        ]
    )


def marginal_distance(real, synthetic):
    """For samples of one size the distance is that of the sorted values."""
    distances = []
    for c in range(real.shape[2]):
        one, other = np.sort(real[:, :, c].ravel()), np.sort(synthetic[:, :, c].ravel())
        distances.append(np.mean(np.abs(one - other)) / one.std())
    return np.mean(distances)


def near_copy_share(synthetic, train, held_out):
    spread = train.std(axis=(0, 1))

    def nearest(window):
        return min(np.sqrt(np.mean(((window - other) / spread) ** 2)) for other in train)

    limit = np.quantile([nearest(w) for w in held_out], 0.01)
    return np.mean([nearest(w) <= limit for w in synthetic])


def nearest_neighbour_ratio(synthetic, train, held_out):
    spread = train.std(axis=(0, 1))

    def nearest(window):
        return min(np.sqrt(np.mean(((window - other) / spread) ** 2)) for other in train)

    return np.median([nearest(w) for w in synthetic]) / np.median([nearest(w) for w in held_out])


def measured(x, c):
    return [v for w in x for v in w[:, c] if not np.isnan(v)]


def l_ratios(values):
    """Means over all subsets of two, three and four of combinations of their ordered members."""

    def mean(size, weights):
        return np.mean([np.dot(weights, sorted(s)) for s in combinations(values, size)]) / size

    scale = mean(2, [-1, 1])
    return mean(3, [1, -2, 1]) / scale, mean(4, [-1, 3, -3, 1]) / scale


def shape_errors(real, synthetic):
    apart = [
        np.abs(np.subtract(l_ratios(measured(real, c)), l_ratios(measured(synthetic, c))))
        for c in range(real.shape[2])
    ]
    return np.mean(apart, axis=0)


def spread_ratios(real, synthetic):
    return [
        abs(np.log(np.std(measured(synthetic, c)) / np.std(measured(real, c))))
        for c in range(real.shape[2])
    ]


def steps(x):
    return np.array([[w[t + 1] - w[t] for t in range(len(w) - 1)] for w in x])


def mdd(real, synthetic):
    found = []
    for c in range(real.shape[2]):
        low, high = min(measured(real, c)), max(measured(real, c))
        for t in range(1, real.shape[1]):
            one, other = (
                [(v - low) / (high - low) for v in x[:, t, c] if not np.isnan(v)]
                for x in (real, synthetic)
            )
            width = (max(one) - min(one)) / 50
            total = 0
            for k in range(50):
                left, right = min(one) + k * width, min(one) + (k + 1) * width
                share = [
                    sum(left <= v < right or (k == 49 and v >= right and v <= max(one)) for v in x)
                    / len(x)
                    for x in (one, other)
                ]
                total += abs(share[0] - share[1]) / width
            found.append(total / 50)
    return np.mean(found)


def correlational_score(real, synthetic):
    count = real.shape[2]
    return sum(
        abs(correlation(real, a, b) - correlation(synthetic, a, b)) / 10
        for a in range(count)
        for b in range(a)
    )


def lagged(x, a, b, lag):
    mean = [np.mean(measured(x, c)) for c in (a, b)]
    products = [
        (w[t, a] - mean[0]) * (w[t + lag, b] - mean[1])
        for w in x
        for t in range(len(w) - lag)
        if not np.isnan(w[t, a]) and not np.isnan(w[t + lag, b])
    ]
    return np.mean(products) / np.std(measured(x, a)) / np.std(measured(x, b))


def lagged_correlation_error(real, synthetic):
    return np.mean(
        [
            abs(lagged(real, a, b, k) - lagged(synthetic, a, b, k))
            for a in range(real.shape[2])
            for b in range(real.shape[2])
            for k in range(1, min(real.shape[1] - 1, 8) + 1)
            if a != b
        ]
    )


def acd(real, synthetic):
    found = []
    for c in range(real.shape[2]):
        lags = range(1, min(real.shape[1], 64))
        apart = [autocorrelation(real, c, k) - autocorrelation(synthetic, c, k) for k in lags]
        found.append(np.sqrt(sum(a**2 for a in apart)))
    return np.mean(found)


def power(x, c, f):
    """Mean over windows of the squared Fourier sum at ``f`` cycles per window."""
    found = []
    for w in x:
        values, length = np.array(w[:, c]), len(w)
        known = [t for t in range(length) if not np.isnan(values[t])]
        if not known:
            continue
        for t in range(length):
            if t not in known:
                before = [s for s in known if s < t]
                after = [s for s in known if s > t]
                if before and after:
                    a, b = before[-1], after[0]
                    values[t] = w[a, c] + (w[b, c] - w[a, c]) * (t - a) / (b - a)
                else:
                    values[t] = w[before[-1] if before else after[0], c]
        values -= values.mean()
        total = 0
        for t in range(length):
            taper = np.sin(np.pi * (t + 1) / (length + 1)) ** 2
            total += taper * values[t] * np.exp(-2j * np.pi * f * t / length)
        found.append(abs(total) ** 2)
    return np.mean(found)


def spectral_distance(real, synthetic):
    found = []
    for c in range(real.shape[2]):
        frequencies = range(1, real.shape[1] // 2 + 1)
        one, other = ([power(x, c, f) for f in frequencies] for x in (real, synthetic))
        quiet = 1e-6 * np.mean(one)
        for p, q in zip(one, other, strict=True):
            found.append(10 * abs(np.log10((q + quiet) / (p + quiet))))
    return np.mean(found)


def difference_autocorrelation_error(real, synthetic):
    one, other = steps(real), steps(synthetic)
    return np.mean(
        [
            abs(autocorrelation(one, c, 1) - autocorrelation(other, c, 1))
            for c in range(real.shape[2])
        ]
    )


def time_asymmetry(x, c, lag):
    moves = [w[t + lag, c] - w[t, c] for w in x for t in range(len(w) - lag)]
    moves = [m for m in moves if not np.isnan(m)]
    net = sum(m > 0 for m in moves) - sum(m < 0 for m in moves)
    return net / len(moves), sum(moves) / sum(abs(m) for m in moves)


def time_asymmetry_error(real, synthetic):
    found = []
    for c in range(real.shape[2]):
        lags = [k for k in (1, 2, 4, 8, 16, 32, 64) if k < real.shape[1]]
        pairs = [(time_asymmetry(real, c, k), time_asymmetry(synthetic, c, k)) for k in lags]
        found.append(
            max(abs(a - b) for one, other in pairs for a, b in zip(one, other, strict=True))
        )
    return np.mean(found)


def weighted_area(score, is_real, weights):
    """Share of weighted pairs of one real and one synthetic window that are ranked right."""
    won = total = 0.0
    for i in np.flatnonzero(is_real):
        for j in np.flatnonzero(~is_real):
            pair = weights[i] * weights[j]
            total += pair
            won += pair * ((score[i] > score[j]) + (score[i] == score[j]) / 2)
    return won / total


def mmd(real, synthetic):
    """Loops over all pairs; channels scaled by both sets together."""
    both = np.concatenate([real, synthetic])
    center, spread = both.mean(axis=(0, 1)), both.std(axis=(0, 1))
    rows = [((w - center) / spread).ravel() for w in both]
    n, m = len(real), len(synthetic)

    def distance(i, j):
        return sum((p - q) ** 2 for p, q in zip(rows[i], rows[j], strict=True))

    middle = np.median([distance(i, j) for i in range(n + m) for j in range(i)])

    def mean_kernel(a, b):
        found = [
            np.mean([np.exp(-distance(i, j) / (w * middle)) for w in (0.25, 0.5, 1, 2, 4)])
            for i in a
            for j in b
            if i != j
        ]
        return np.mean(found)

    one, other = range(n), range(n, n + m)
    return mean_kernel(one, one) + mean_kernel(other, other) - 2 * mean_kernel(one, other)
