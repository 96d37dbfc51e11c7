import numpy as np
import pytest

from timeloom.methods.residuals import Ledger, comb, ends


def slow(residuals, at, lag, count):
    """(time, channel): every point asks every window."""
    length = residuals.shape[1]
    out = np.full((count, residuals.shape[2]), np.nan)
    for t in range(count):
        first = min(e for e in at if e >= t)
        own = [
            residuals[w, t - (e - length + 1)]
            for w, e in enumerate(at)
            if t <= e <= max(first, t + lag - 1) and t > e - length
        ]
        with np.errstate(all="ignore"):
            sums = np.nansum(own, axis=0)
            number = (~np.isnan(own)).sum(axis=0)
            out[t] = np.where(number > 0, sums / np.maximum(number, 1), np.nan)
    return out


@pytest.mark.parametrize("lag", [0, 1, 3, 5, 12])
@pytest.mark.parametrize("count", [12, 13, 40, 41])
def test_a_point_has_the_mean_of_its_windows(lag, count):
    rng = np.random.default_rng(lag)
    at = ends(0, count - 1, 12, 5)
    at = at if at[-1] == count - 1 else np.append(at, count - 1)
    residuals = rng.random((len(at), 12, 2))
    residuals[rng.random(residuals.shape) < 0.3] = np.nan
    ledger, found = Ledger(12, 5, lag, 2), []
    for end, own in zip(at.tolist(), residuals, strict=True):
        ledger.add(end, own)
        found.append(ledger.settled())
    found = np.concatenate([*found, ledger.settled(all_of_them=True)])
    np.testing.assert_allclose(found, slow(residuals, at, lag, count))


@pytest.mark.parametrize("lag, latency", [(0, 4), (1, 4), (3, 6), (12, 15)])
def test_no_point_waits_longer_than_the_latency(lag, latency):
    ledger = Ledger(12, 5, lag, 1)
    assert ledger.latency == latency
    worst = 0
    for end in ends(0, 200, 12, 5).tolist():
        before = ledger.begin
        ledger.add(end, np.zeros((12, 1)))
        ledger.settled()
        if before >= 12:  # the first ones wait for a whole window
            worst = max(worst, end - before)
    assert worst == latency


def test_what_is_kept_does_not_grow():
    ledger = Ledger(12, 5, 12, 3)
    sizes = set()
    for end in ends(0, 2_000, 12, 5).tolist():
        ledger.add(end, np.ones((12, 3)))
        ledger.settled()
        sizes.add(len(ledger.total))
    assert max(sizes) <= 24


def test_a_ledger_goes_on_where_another_stopped():
    rng = np.random.default_rng(0)
    at, one = ends(0, 60, 12, 5).tolist(), Ledger(12, 5, 8, 2)
    residuals = rng.random((len(at), 12, 2))
    whole, parts, other = [], [], one
    for i, end in enumerate(at):
        if i == 4:
            other = Ledger(12, 5, 8, 2)
            other.restore({k: v.copy() for k, v in one.state().items()})
        one.add(end, residuals[i])
        whole.append(one.settled())
        if other is not one:
            other.add(end, residuals[i])
            parts.append(other.settled())
    np.testing.assert_array_equal(np.concatenate(whole[4:]), np.concatenate(parts))


@pytest.mark.parametrize("length, block, parts", [(12, 4, 3), (13, 4, 2), (64, 4, 4), (10, 3, 4)])
def test_the_comb_hides_every_point_once(length, block, parts):
    hidden = comb(length, block, parts)
    assert hidden.shape == (parts, length) and (hidden.sum(axis=0) == 1).all()
    for part in hidden:
        assert part.any() and not part.all()
    assert hidden[0, -block:].all()


@pytest.mark.parametrize("length, block, parts", [(12, 12, 2), (12, 4, 1), (12, 4, 4)])
def test_a_comb_that_does_not_fit_is_said(length, block, parts):
    with pytest.raises(ValueError, match="parts must be from 2 to"):
        comb(length, block, parts)


def test_windows_end_on_a_grid_whoever_asks():
    whole = ends(0, 99, 16, 6)
    assert whole[0] == 15 and (np.diff(whole) <= 6).all()
    pieces = np.concatenate([ends(a, a + 9, 16, 6) for a in range(0, 100, 10)])
    np.testing.assert_array_equal(pieces, whole)
