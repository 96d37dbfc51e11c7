"""Do the strong judges find what they should, and do their intervals tell the truth?"""

import numpy as np
import pytest
import torch

from tests import naive_metrics as naive
from tests.metrics.waves import saws, smoothed, waves, with_gaps
from timeloom.metrics.fidelity import two_sample
from timeloom.metrics.fidelity.two_sample import summary_auc, two_sample_auc
from timeloom.metrics.summaries import summary_features
from timeloom.nets.random_convolutions import random_kernels

JUDGES = (two_sample_auc, summary_auc)


@pytest.mark.parametrize("judge", JUDGES)
def test_a_judge_cannot_tell_two_samples_of_the_same_kind_and_can_tell_smoothing(judge):
    real, other = waves(300, 0), waves(300, 1)
    found = judge(real, other, seed=0)
    assert found.value == pytest.approx(0.5, abs=0.09)
    assert found.low < found.value < found.high
    assert judge(real, smoothed(other), seed=0).low > 0.95


@pytest.mark.parametrize("judge", JUDGES)
def test_copies_of_the_compared_windows_push_the_area_well_below_one_half(judge):
    x = waves(200, 0)
    assert judge(x, x.copy(), seed=0).high < 0.45


@pytest.mark.parametrize("judge", JUDGES)
def test_a_two_per_cent_offset_of_one_channel_is_seen(judge):
    real, other = waves(400, 0, noise=0.02), waves(400, 1, noise=0.02)
    other[..., 0] += 0.1
    assert judge(real, other, seed=0).value > 0.9


def test_summaries_see_two_per_cent_of_noise_a_broken_identity_and_reversed_time():
    real, other = waves(300, 0, noise=0), waves(300, 1, noise=0)
    noisy = other + 0.02 * np.random.default_rng(0).standard_normal(other.shape)
    assert summary_auc(real, noisy, seed=0).value > 0.95
    broken = other.copy()
    broken[..., 1] *= 1.02
    assert summary_auc(real, broken, seed=0).value > 0.9
    assert summary_auc(saws(300, 0), saws(300, 1)[:, ::-1], seed=0).value > 0.95


@pytest.mark.parametrize("judge", JUDGES)
def test_a_judge_depends_on_the_seed_alone_and_leaves_the_global_one(judge):
    real, other = waves(60, 0), waves(60, 1)
    first = judge(real, other, seed=1)
    torch.rand(3)
    state = torch.random.get_rng_state()
    assert judge(real, other, seed=1) == first
    torch.testing.assert_close(torch.random.get_rng_state(), state)


@pytest.mark.parametrize("judge", JUDGES)
@pytest.mark.parametrize("length", [1, 2, 16])
def test_a_judge_takes_gaps_and_windows_of_any_length(judge, length):
    real, other = waves(60, 0, length=length), waves(60, 1, length=length)
    real, other = with_gaps(real), with_gaps(other, 1)
    found = judge(real, other, seed=0, groups=(np.arange(60) // 6, None))
    assert 0 <= found.low <= found.value <= found.high <= 1


def test_weighted_areas_equal_the_count_of_pairs():
    rng = np.random.default_rng(0)
    score = rng.integers(0, 8, 40).astype(float)  # many ties
    is_real = rng.random(40) < 0.4
    weights = rng.integers(0, 4, (6, 40)).astype(float)
    expected = [naive.weighted_area(score, is_real, row) for row in weights]
    found = two_sample._areas(score, is_real, weights)
    np.testing.assert_allclose(found, expected, rtol=1e-12)
    assert np.isnan(two_sample._areas(score, np.ones(40, dtype=bool), weights)).all()


def test_the_interval_is_wider_where_windows_come_in_recordings():
    rng = np.random.default_rng(0)
    group = np.arange(200) // 10
    score = np.r_[rng.standard_normal(20)[group], rng.standard_normal(20)[group]]
    is_real, fold = np.arange(400) < 200, np.zeros(400, dtype=int)
    alone = two_sample._area(score, is_real, fold, None, 0)
    grouped = two_sample._area(score, is_real, fold, (group, group), 0)
    assert grouped.value == alone.value
    assert grouped.high - grouped.low > 2 * (alone.high - alone.low)


def test_the_interval_holds_the_truth_about_as_often_as_it_says():
    inside = []
    for seed in range(100):
        rng = np.random.default_rng(seed)
        score = rng.standard_normal(200) + (np.arange(200) < 100)
        found = two_sample._area(score, np.arange(200) < 100, np.arange(200) % 5, None, seed)
        inside.append(found.low <= 0.7602 <= found.high)  # of two normal laws one apart
    assert np.mean(inside) >= 0.88


def test_summaries_equal_what_numpy_says_of_one_window():
    x = waves(5, 0)
    found = summary_features(x, pairs=2)
    w = x[3].astype(np.float64)
    step = np.diff(w, axis=0)
    expected = [
        w.mean(0),
        w.std(0),
        *np.quantile(w, (0, 0.1, 0.25, 0.5, 0.75, 0.9, 1), axis=0),
        w[0],
        w[-1],
        np.polyfit(np.arange(16), w, 1)[0],
        (np.diff(w > w.mean(0), axis=0) != 0).sum(0),
        w.argmax(0),
        w.argmin(0),
        step.std(0),
    ]
    np.testing.assert_allclose(found[3, :48], np.concatenate(expected), rtol=1e-3, atol=1e-5)
    assert found.shape == (5, 3 * 20 + 3 * 2)
    assert np.isfinite(found).all()


def test_summaries_of_gaps_are_those_of_what_was_measured():
    x = waves(6, 0)
    gapped = np.concatenate([x, np.full((6, 3, 3), np.nan)], axis=1)
    np.testing.assert_allclose(summary_features(gapped), summary_features(x), rtol=2e-3, atol=1e-4)


def test_many_channels_give_no_more_pairs_than_asked_for_and_the_seed_says_which():
    x = np.random.default_rng(0).standard_normal((4, 9, 30))
    assert summary_features(x, pairs=10).shape == (4, 30 * 20 + 30)
    one, other = (summary_features(x, pairs=10, seed=seed) for seed in (0, 1))
    assert (one[:, -10:] != other[:, -10:]).any()


@pytest.mark.parametrize("length", [1, 5, 9, 48])
def test_random_kernels_read_windows_of_any_length(length):
    x = torch.randn(7, 2, length)
    features = random_kernels(x, count=20, seed=3)
    assert features.shape == (7, 60)
    torch.testing.assert_close(features, random_kernels(x, count=20, seed=3))
