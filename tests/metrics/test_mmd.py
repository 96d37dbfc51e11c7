"""Is the discrepancy that of the formula, and does its test keep its level and find faults?"""

import numpy as np
import pytest

from tests import naive_metrics as naive
from tests.metrics.waves import smoothed, waves, with_gaps
from timeloom.metrics.fidelity import mmd as file
from timeloom.metrics.fidelity.mmd import mmd, mmd_p_value, mmd_test


def test_the_discrepancy_equals_its_slow_version():
    real, synthetic = waves(7, 0, length=5), waves(5, 1, length=5) * 2
    found = mmd(real, synthetic)
    assert found == pytest.approx(naive.mmd(real, synthetic), rel=1e-5)


def test_exchanges_are_those_of_the_slow_version():
    real, synthetic = waves(7, 0, length=4), waves(5, 1, length=4) * 2
    both = np.concatenate([real, synthetic])
    kernel, _ = file._kernel(real, synthetic)
    rng = np.random.default_rng(0)
    for _ in range(5):
        order = rng.permutation(12)
        side = np.zeros((12, 1))
        side[order[:7]] = 1
        expected = naive.mmd(both[order[:7]], both[order[7:]])
        assert file._statistics(kernel, side)[0] == pytest.approx(expected, abs=1e-6)


def test_p_values_of_equal_laws_are_uniform():
    found = []
    for seed in range(200):
        x = waves(50, seed, length=4)
        found.append(mmd_p_value(x[:25], x[25:], seed=seed, permutations=199))
    shares = [np.mean(np.array(found) <= level) for level in (0.05, 0.1, 0.25, 0.5, 0.75)]
    np.testing.assert_allclose(shares, (0.05, 0.1, 0.25, 0.5, 0.75), atol=0.1)
    assert shares[0] <= 0.085  # 95 of 100 times, by the binomial law


def recordings(count, seed, lengths):
    """Windows of recordings, hardly different within one; long ones lie higher."""
    rng = np.random.default_rng(seed)
    size = rng.choice(lengths, count)
    group = np.repeat(np.arange(count), size)
    level = rng.standard_normal(count) + (size > np.median(lengths))
    x = level[group][:, None, None] + 0.01 * rng.standard_normal((len(group), 4, 1))
    return x, group


def test_windows_of_one_recording_do_not_count_as_independent():
    found, wrong = [], []
    for seed in range(60):
        (one, a), (other, b) = (recordings(40, 2 * seed + k, (8,)) for k in (0, 1))
        found.append(mmd_p_value(one, other, seed=0, groups=(a, b), permutations=199))
        wrong.append(mmd_p_value(one, other, seed=0, permutations=99))
    assert np.mean(np.array(found) <= 0.05) <= 0.12
    assert np.mean(np.array(wrong) <= 0.05) > 0.5


def test_long_recordings_count_for_as_many_windows_as_they_have():
    """A faithful generator of windows makes more of those that long recordings hold."""
    found = []
    for seed in range(60):
        one, a = recordings(150, 2 * seed, (2, 20))
        other, _ = recordings(9000, 2 * seed + 1, (2, 20))
        drawn = other[np.random.default_rng(seed).permutation(len(other))[:150]]
        found.append(mmd_p_value(one, drawn, seed=0, groups=(a, None), permutations=199))
    assert np.mean(np.array(found) <= 0.05) <= 0.12


def test_faults_are_found():
    real, other = waves(200, 0), waves(200, 1)
    assert mmd_test(real, other, seed=0).p > 0.05
    assert mmd_p_value(real, 0.5 * other, seed=0) <= 0.01
    assert mmd_p_value(real, other + 1, seed=0) <= 0.01
    assert mmd(real, 0.5 * other) > 10 * abs(mmd(real, other))
    assert mmd(real, smoothed(other)) > mmd(real, other)


def test_too_few_recordings_have_no_p_value():
    real, other = waves(200, 0), waves(200, 1)
    few = np.arange(200) // 11
    found = mmd_test(real, other, seed=0, groups=(few, few))
    assert np.isnan(found.p) and np.isfinite(found.value)
    assert np.isnan(mmd(real[:1], other))


def test_it_takes_gaps_empty_channels_equal_windows_and_any_sizes():
    real, other = with_gaps(waves(60, 0)), with_gaps(waves(45, 1), 1)
    real[..., 1] = other[..., 1] = np.nan
    assert 0 < mmd_test(real, other, seed=0).p <= 1
    same = np.ones((30, 4, 2))
    assert mmd_test(same, same, seed=0) == (pytest.approx(0, abs=1e-12), 1)


def test_it_depends_on_the_seed_alone():
    real, other = waves(90, 0), waves(90, 1)
    first = mmd_test(real, other, seed=1, limit=40)
    assert mmd_test(real, other, seed=1, limit=40) == first
    assert mmd_test(real, other, seed=2, limit=40) != first
