"""Do the four shares say which side is missing near the other?"""

from pathlib import Path

import numpy as np
import pytest

import timeloom
from tests import naive_context as naive
from tests.metrics.waves import shuffled, waves, with_gaps
from timeloom.evaluation.arms import recordings
from timeloom.metrics import encoder_cache
from timeloom.metrics.fidelity import coverage
from timeloom.metrics.fidelity.coverage import (
    METRICS,
    Neighbourhoods,
    compare_neighbourhoods,
    neighbourhoods,
)


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    """A quick encoder, kept nowhere but here."""
    monkeypatch.setattr(encoder_cache, "cache_folder", lambda: tmp_path / "encoders")
    monkeypatch.setattr(encoder_cache, "STEPS", 8)
    monkeypatch.setattr(encoder_cache, "_encoders", {})
    monkeypatch.setattr(encoder_cache, "_vectors", {})


def points(count, seed, modes=2, spread=1.0):
    """Two modes far from each other, or one of them."""
    rng = np.random.default_rng(seed)
    x = spread * rng.standard_normal((count, 4))
    x[:, 0] += 20 * (np.arange(count) % modes)
    return x


@pytest.mark.parametrize("grouped", [False, True])
def test_the_shares_equal_their_slow_version(grouped):
    real, synthetic = points(40, 0), points(33, 1, spread=1.3)
    groups = np.arange(40) // (4 if grouped else 1), np.arange(33) // (3 if grouped else 1)
    expected = naive.neighbourhoods(real.tolist(), synthetic.tolist(), *groups)
    found = compare_neighbourhoods(real, synthetic, groups=groups)
    assert found == pytest.approx(expected)
    if not grouped:
        assert compare_neighbourhoods(real, synthetic) == found


def test_two_samples_of_one_law_score_what_theory_says():
    found = [compare_neighbourhoods(points(500, k), points(500, 50 + k)) for k in range(5)]
    mean = Neighbourhoods(*np.mean(found, axis=0))
    assert mean.coverage == pytest.approx(1 - 2**-5, abs=0.01)
    assert mean.density == pytest.approx(1, abs=0.05)
    assert min(mean.precision, mean.recall) > 0.93


def test_without_one_of_two_modes_half_is_neither_reached_nor_covered():
    found = compare_neighbourhoods(points(400, 0), points(400, 1, modes=1))
    assert found.precision > 0.9 and found.density > 0.8
    assert found.recall < 0.55 and found.coverage < 0.55


def test_with_a_mode_that_is_not_real_half_is_not_realistic():
    found = compare_neighbourhoods(points(400, 0, modes=1), points(400, 1))
    assert found.precision < 0.55 and found.density < 0.65
    assert found.recall > 0.9


def test_what_lies_in_the_middle_is_dense_and_reaches_nothing():
    found = compare_neighbourhoods(points(400, 0), points(400, 1, spread=0.2))
    assert found.density > 1.3 and found.recall < 0.2


def test_blocks_do_not_change_the_answer(monkeypatch):
    real, synthetic = points(60, 0), points(50, 1, spread=1.3)
    expected = compare_neighbourhoods(real, synthetic)
    monkeypatch.setattr(coverage, "BLOCK", 7 * 60)
    assert compare_neighbourhoods(real, synthetic) == expected


def test_a_common_offset_costs_no_digits():
    real, synthetic = points(60, 0), points(50, 1, spread=1.3)
    expected = compare_neighbourhoods(real, synthetic)
    assert compare_neighbourhoods(real + 1e6, synthetic + 1e6) == expected


def test_windows_that_reality_repeats_may_be_repeated():
    real = np.repeat(points(10, 0), 20, axis=0)
    assert compare_neighbourhoods(real, real[::-1])[:2] == (1, 1)
    assert compare_neighbourhoods(real, real[::-1] + 1e-3).precision == 0


def test_overlapping_windows_of_other_recordings_are_near_enough_only_by_recording():
    """Recordings are tight clusters: by their own past, unseen ones would look unrealistic."""
    rng = np.random.default_rng(0)

    def recordings_of(count):
        return np.repeat(rng.standard_normal((count, 2)), 20, axis=0)

    real, other = (
        one + 0.01 * rng.standard_normal(one.shape)
        for one in (recordings_of(40), recordings_of(40))
    )
    groups = (np.repeat(np.arange(40), 20),) * 2
    assert compare_neighbourhoods(real, other).coverage < 0.1
    assert compare_neighbourhoods(real, other, groups=groups).coverage > 0.4


def test_without_five_neighbours_of_other_recordings_nothing_is_said():
    x = points(30, 0)
    one_recording = np.zeros(30, dtype=int)
    assert np.isnan(compare_neighbourhoods(x, x, groups=(one_recording, None))).all()
    assert np.isnan(compare_neighbourhoods(x, x[:4])).all()
    assert np.isnan(compare_neighbourhoods(x, np.full_like(x, np.inf))).all()


def test_windows_are_compared_through_the_encoder():
    train, real, other = waves(300, 0), waves(200, 1), with_gaps(waves(200, 2))
    same = neighbourhoods(real, waves(200, 2), train)
    assert min(same.precision, same.recall, same.coverage) > 0.85
    damped, apart = (
        neighbourhoods(real, fault, train) for fault in (0.5 * waves(200, 2), shuffled(real))
    )
    assert damped.recall < same.recall - 0.3
    assert apart.precision < same.precision - 0.3 and apart.coverage < same.coverage - 0.3
    assert np.isfinite(neighbourhoods(real, other, train)).all()


def test_the_metrics_share_one_answer():
    found = Neighbourhoods(0.1, 0.2, 1.3, 0.4)
    assert [metric.read(found) for metric in METRICS] == list(found)
    assert [metric.name for metric in METRICS] == list(Neighbourhoods._fields)
    assert len({(metric.function, metric.needs) for metric in METRICS}) == 1


def test_missing_modes_and_lost_amplitude_are_seen_on_real_data(data_folder: Path):
    train, test = timeloom.load_dataset("wafer")
    train, test = (timeloom.cut(one, 152)[::2] for one in (train, test))
    rng = np.random.default_rng(0)
    rows = rng.permutation(len(test))[:600]
    real, other = test.x[rows[:300]], test.x[rows[300:]]
    floor = neighbourhoods(real, other, train.x)
    assert min(floor) > 0.9
    # The first principal component tells the two commonest shapes of a wafer's trace.
    flat = other[:, :, 0] - other[:, :, 0].mean(axis=0)
    score = flat @ np.linalg.svd(flat, full_matrices=False)[2][0]
    half = other[score < np.median(score)]
    missing = neighbourhoods(real, half, train.x)
    assert missing.coverage < floor.coverage - 0.3
    damped = neighbourhoods(real, 0.5 * other + 0.5 * train.x.mean(), train.x)
    assert max(damped) < 0.5


def test_recordings_give_halves_of_real_engines_their_due(data_folder: Path):
    train, test = timeloom.load_dataset("cmapss_fd001")
    train, test = timeloom.cut(train, 24, 4), timeloom.cut(test, 24, 2)
    engines = recordings(test)
    which = np.unique(engines)[::2]
    sides = [np.flatnonzero(np.isin(engines, which) == side)[::3] for side in (True, False)]
    groups = engines[sides[0]], engines[sides[1]]
    real, other = (test.x[rows] for rows in sides)
    fair = neighbourhoods(real, other, train.x, groups=groups)
    alone = neighbourhoods(real, other, train.x)
    assert min(fair) > 0.7
    assert fair.coverage > alone.coverage + 0.15
