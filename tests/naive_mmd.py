"""Slow, obvious maximum mean discrepancy."""

import math


def mmd(x, y, given, bandwidths=(0.25, 0.5, 1.0, 2.0, 4.0)):
    """Loops over all pairs i != j; the median is torch's (the lower one of an even count)."""
    n = len(x)
    rows_x, rows_y = ([row.flatten().tolist() for row in part] for part in (x, y))

    def distance(a, b):
        return sum((p - q) ** 2 for p, q in zip(a, b, strict=True))

    across = sorted(distance(rows_x[i], rows_y[j]) for i in range(n) for j in range(n) if i != j)
    median = across[(len(across) - 1) // 2]

    def kernel(a, b):
        return sum(math.exp(-distance(a, b) / (median * w)) for w in bandwidths) / len(bandwidths)

    total = 0.0
    for i in range(n):
        for j in range(n):
            if i != j:
                total += float(given[i, j]) * (
                    kernel(rows_x[i], rows_x[j])
                    + kernel(rows_y[i], rows_y[j])
                    - 2 * kernel(rows_x[i], rows_y[j])
                )
    return total / (n * (n - 1))
