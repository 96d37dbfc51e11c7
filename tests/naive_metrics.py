"""Slow, obvious versions of the metrics, in loops."""

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
