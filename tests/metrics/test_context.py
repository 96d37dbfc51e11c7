"""Is the Fréchet distance exact, free of bias where it says so, and its encoder trained once?"""

import os
from pathlib import Path

import numpy as np
import pytest

import timeloom
from tests import naive_context as naive
from tests.metrics.waves import shuffled, waves, with_gaps
from timeloom.metrics import encoder_cache
from timeloom.metrics.encoder_cache import cache_folder, encoder_for, read_contexts
from timeloom.metrics.fidelity.context import (
    METRICS,
    context_distance,
    context_fid,
    context_fid_infinity,
    frechet_distance,
    frechet_distance_infinity,
)

FEATURES = 24


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    """A quick encoder, kept nowhere but here."""
    monkeypatch.setattr(encoder_cache, "cache_folder", lambda: tmp_path / "encoders")
    monkeypatch.setattr(encoder_cache, "STEPS", 8)
    monkeypatch.setattr(encoder_cache, "_encoders", {})
    monkeypatch.setattr(encoder_cache, "_vectors", {})
    return tmp_path / "encoders"


def vectors(count, seed, stretch=1.0, shift=0.0):
    """From a Gaussian whose features are of very different size, as an encoder's are."""
    rng = np.random.default_rng(seed)
    return shift + stretch * rng.standard_normal((count, FEATURES)) / np.arange(1, FEATURES + 1)


@pytest.mark.parametrize(("n", "m"), [(200, 200), (200, 60), (10, 200), (12, 9), (2, 2)])
def test_the_distance_equals_its_slow_version_for_any_sizes(n, m):
    one, other = vectors(n, 0), vectors(m, 1, stretch=1.5, shift=0.1)
    expected = naive.frechet_distance(one, other)
    # The slow version takes the root of a singular matrix, which costs it half of its digits.
    assert frechet_distance(one, other) == pytest.approx(expected, abs=1e-5, rel=1e-5)
    assert frechet_distance(one, other) == pytest.approx(frechet_distance(other, one))


def test_the_distance_of_a_shift_and_of_a_stretch_is_what_geometry_says():
    one = vectors(500, 0)
    assert frechet_distance(one, one + 0.3) == pytest.approx(FEATURES * 0.09)
    centred = one - one.mean(axis=0)
    spread = np.trace(np.cov(one.T))
    assert frechet_distance(centred, 0.5 * centred) == pytest.approx(spread / 4)


def test_copies_in_any_order_are_at_distance_zero():
    one = vectors(100, 0)
    assert frechet_distance(one, one[::-1]) == pytest.approx(0, abs=1e-12)


@pytest.mark.parametrize("count", [100, 400])
def test_without_the_bias_two_samples_of_one_law_are_at_distance_zero(count):
    pairs = [(vectors(count, 2 * k), vectors(count, 2 * k + 1)) for k in range(30)]
    raw = np.mean([frechet_distance(*pair) for pair in pairs])
    found = [frechet_distance_infinity(*pair) for pair in pairs]
    assert abs(np.mean([one.value for one in found])) < 0.3 * raw
    assert np.mean([one.low <= 0 <= one.high for one in found]) >= 0.9


def test_without_the_bias_the_true_distance_is_found_and_its_interval_holds_it():
    truth = 0.25 * (1 / np.arange(1, FEATURES + 1) ** 2).sum()  # half as wide, elsewhere the same
    pairs = [(vectors(300, k), vectors(200, 100 + k, stretch=0.5)) for k in range(40)]
    found = [frechet_distance_infinity(*pair) for pair in pairs]
    assert np.mean([one.value for one in found]) == pytest.approx(truth, rel=0.03)
    assert np.mean([one.low <= truth <= one.high for one in found]) >= 0.85


def test_the_bias_is_twice_as_large_for_half_as_many():
    biases = [
        np.mean([frechet_distance(vectors(n, k), vectors(n, 99 + k)) for k in range(20)])
        for n in (200, 400)
    ]
    assert biases[0] == pytest.approx(2 * biases[1], rel=0.1)


def test_halves_are_drawn_by_the_seed_alone():
    one, other = vectors(50, 0), vectors(50, 1)
    found = [frechet_distance_infinity(one, other, seed=seed) for seed in (0, 0, 1)]
    assert found[0] == found[1] != found[2]


def test_too_few_vectors_are_refused():
    with pytest.raises(ValueError, match="two vectors a side; got 1 and 5"):
        frechet_distance(vectors(1, 0), vectors(5, 0))
    with pytest.raises(ValueError, match="four vectors a side; got 5 and 3"):
        frechet_distance_infinity(vectors(5, 0), vectors(3, 0))


def test_faults_are_far_beyond_real_against_real():
    train, real, other = waves(300, 0), waves(300, 1), waves(300, 2)
    floor = context_fid(real, other, train)
    for fault in (0.5 * other, shuffled(other), other + 0.5):
        assert context_fid(real, fault, train) > 4 * floor
    assert abs(context_fid_infinity(real, other, train).value) < floor / 2


def test_it_does_not_see_copies():
    train, real = waves(200, 0), waves(200, 1)
    assert context_fid(real, real[::-1], train) == pytest.approx(0, abs=1e-6)


def test_the_metrics_share_one_answer():
    train, real, other = waves(120, 0), waves(120, 1), with_gaps(waves(90, 2))
    found = context_distance(real, other, train, seed=3)
    raw, infinite, unscaled = (metric.read(found) for metric in METRICS)
    assert raw == pytest.approx(context_fid(real, other, train))
    assert infinite == context_fid_infinity(real, other, train, seed=3)
    _, sides = read_contexts(train, real, other)
    assert unscaled == pytest.approx(frechet_distance(*sides), rel=1e-5)
    assert len({(metric.function, metric.needs) for metric in METRICS}) == 1


def test_units_do_not_matter():
    train, real, other = waves(120, 0), waves(120, 1), waves(120, 2, noise=0.6)
    scale = np.array([1000, 0.01, 1])
    expected = context_fid(real, other, train)
    found = context_fid(real * scale + 7, other * scale + 7, train * scale + 7)
    assert found == pytest.approx(expected, rel=0.05)


def test_windows_that_are_all_alike_cannot_be_measured():
    same = np.ones((30, 8, 2))
    assert np.isnan(context_fid(same, waves(30, 0, 8)[:, :, :2], same))
    assert np.isnan(context_distance(same, same, same).infinite.value)


def test_values_beyond_float32_are_no_crash():
    huge = waves(30, 0) * 1e300
    found = context_distance(waves(30, 1), huge, waves(30, 2))
    assert np.isnan(found.raw) and np.isnan(found.infinite.value)


def counted(monkeypatch):
    from timeloom.nets import context

    calls, fit = [], context.fit_encoder
    monkeypatch.setattr(context, "fit_encoder", lambda *a, **k: calls.append(1) or fit(*a, **k))
    return calls


def test_an_encoder_is_trained_once_and_comes_back_from_disk_to_the_bit(monkeypatch, own_cache):
    calls = counted(monkeypatch)
    train, real = waves(60, 0), waves(60, 1)
    first = read_contexts(train, real)
    read_contexts(train.copy(), waves(60, 2))
    assert len(calls) == 1 and len(list(own_cache.iterdir())) == 1
    monkeypatch.setattr(encoder_cache, "_encoders", {})
    monkeypatch.setattr(encoder_cache, "_vectors", {})
    again = read_contexts(train, real)
    assert len(calls) == 1 and first[0] == again[0]
    np.testing.assert_array_equal(first[1][0], again[1][0])


def test_other_windows_seeds_and_steps_have_encoders_of_their_own(own_cache):
    train = waves(40, 0)
    changed = train.copy()
    changed[7, 3, 1] += 1e-6
    for windows, how in ((train, {}), (changed, {}), (train, {"seed": 1}), (train, {"steps": 3})):
        encoder_for(windows, **{"steps": 2, **how})
    assert len(list(own_cache.iterdir())) == 4


@pytest.mark.parametrize("damage", [b"", b"not a file of weights", None])
def test_a_damaged_file_is_trained_anew(monkeypatch, own_cache, damage):
    calls = counted(monkeypatch)
    train = waves(40, 0)
    encoder_for(train, steps=2)
    (file,) = own_cache.iterdir()
    file.write_bytes(file.read_bytes()[:-100] if damage is None else damage)
    monkeypatch.setattr(encoder_cache, "_encoders", {})
    encoder_for(train, steps=2)
    assert len(calls) == 2
    monkeypatch.setattr(encoder_cache, "_encoders", {})
    encoder_for(train, steps=2)
    assert len(calls) == 2


def test_where_nothing_can_be_written_it_works_without(tmp_path):
    (tmp_path / "file").write_text("in the way")
    encoder = encoder_for(waves(40, 0), steps=2, folder=tmp_path / "file" / "encoders")
    assert encoder.variance > 0
    assert [one.name for one in tmp_path.iterdir()] == ["file"]


def test_the_cache_forgets_what_was_not_used_for_longest(monkeypatch, own_cache):
    monkeypatch.setattr(encoder_cache, "KEPT", 2)
    monkeypatch.setattr(encoder_cache, "REMEMBERED", 1)
    encoder_for(waves(20, 0), steps=1)
    (first,) = own_cache.iterdir()
    os.utime(first, (1, 1))
    for seed in (1, 2):
        encoder_for(waves(20, seed), steps=1)
    assert len(list(own_cache.iterdir())) == 2 and not first.exists()


def test_of_many_training_windows_some_are_drawn_and_always_the_same(monkeypatch, own_cache):
    calls = counted(monkeypatch)
    monkeypatch.setattr(encoder_cache, "MOST", 50)
    train = waves(200, 0)
    encoder_for(train, steps=2)
    monkeypatch.setattr(encoder_cache, "_encoders", {})
    encoder_for(train, steps=2)
    assert len(calls) == 1


def test_memory_of_vectors_is_bounded(monkeypatch):
    monkeypatch.setattr(encoder_cache, "BYTES", 3 * 20 * 320 * 4)
    train = waves(20, 0)
    for seed in range(6):
        read_contexts(train, waves(20, seed))
    assert len(encoder_cache._vectors) == 3


def test_the_cache_lies_in_the_folder_of_the_user():
    assert cache_folder().parts[-2:] == ("timeloom", "encoders")


@pytest.mark.parametrize("count", [300, 1000])
def test_halves_of_real_data_are_near_zero_without_the_bias(data_folder: Path, count):
    # Random halves of one year: what is left when recordings do not differ is the estimator's own.
    train, test = timeloom.load_dataset("etth1")
    train, x = timeloom.cut(train, 24, 4).x, timeloom.cut(test, 24).x
    rows = np.random.default_rng(0).permutation(len(x))[: 2 * count]
    found = context_distance(x[rows[:count]], x[rows[count:]], train)
    assert abs(found.infinite.value) < min(0.5 * found.raw, 0.02)
    damped = x[rows[count:]] * 0.5 + 0.5 * train.mean(axis=(0, 1))
    assert context_distance(x[rows[:count]], damped, train).infinite.low > 0.15


def test_mean_and_spread_come_back_from_disk_in_double(monkeypatch, own_cache):
    train = 1e9 + 10 * waves(40, 0)
    kept = encoder_for(train, steps=2)
    monkeypatch.setattr(encoder_cache, "_encoders", {})
    again = encoder_for(train, steps=2)
    assert again is not kept and len(list(own_cache.iterdir())) == 1
    for name in ("center", "spread"):
        one, other = getattr(kept, name).numpy(), getattr(again, name).numpy()
        assert other.dtype == np.float64
        np.testing.assert_array_equal(one, other)
