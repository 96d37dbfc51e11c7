"""Do the judges put real windows before noise, and tell copies from new windows?"""

import numpy as np
import pytest

from timeloom.bench.few_judges import FIGURES, Judges, judge, likeness, memory
from timeloom.data.windows import Windows

CHEAP = Judges(2, 200, 100, 20, 200)


def waves(count, seed):
    rng = np.random.default_rng(seed)
    rate, phase = rng.uniform(0.2, 0.5, (count, 1, 1)), rng.uniform(0, 6, (count, 1, 2))
    x = np.sin(rate * np.arange(24)[None, :, None] + phase) * [1.0, 50.0]
    return (x + rng.normal(0, 0.05, x.shape) * [1.0, 50.0]).astype(np.float32)


@pytest.fixture(scope="module")
def sides():
    return waves(600, 0), Windows(waves(200, 1)), waves(10, 2)


def scored(made, sides):
    train, held_out, few = sides
    return judge(made, held_out, few=few, train=train, seed=0, judges=CHEAP)


def test_real_windows_are_better_than_noisy_ones_by_every_likeness(sides):
    real = waves(200, 3)
    noisy = real + np.random.default_rng(0).normal(0, 0.5, real.shape) * [1.0, 50.0]
    good, bad = scored(real, sides), scored(noisy.astype(np.float32), sides)
    assert set(good) == set(bad) == set(FIGURES)
    for name in ("two_sample_auc", "summary_auc", "context_fid", "step_spread_error"):
        assert good[name] < bad[name], name
    assert good["two_sample_auc"] < 0.65 < 0.95 < bad["two_sample_auc"]


def test_copies_have_ratio_zero_and_held_out_windows_one(sides):
    train, held_out, few = sides
    copies = few[np.random.default_rng(0).integers(10, size=200)]
    assert memory(copies, held_out.x, few=few, train=train) == {
        "memory_ratio": 0.0,
        "authenticity": 0.0,
    }
    assert memory(held_out.x, held_out.x, few=few, train=train)["memory_ratio"] == 1.0
    assert memory(waves(200, 5), held_out.x, few=few, train=train)["memory_ratio"] == (
        pytest.approx(1, abs=0.1)
    )
    assert 0 < memory(copies * 1.01, held_out.x, few=few, train=train)["memory_ratio"] < 0.2


def test_the_ratio_is_the_naive_one_in_spreads_of_the_training_part(sides):
    train, held_out, few = sides
    made = waves(30, 6)
    spread = train.reshape(-1, 2).std(axis=0)

    def naive(windows):
        each = [min(np.sqrt((((w - f) / spread) ** 2).mean()) for f in few) for w in windows]
        return np.median(each)

    found = memory(made, held_out.x, few=few, train=train)["memory_ratio"]
    assert found == pytest.approx(naive(made) / naive(held_out.x), rel=1e-4)


def test_a_channel_that_is_constant_in_the_few_alone_does_not_drown_the_others(sides):
    train, held_out, few = sides
    still = few.copy()
    still[:, :, 1] = 0
    found = memory(waves(200, 5), held_out.x, few=still, train=train)
    assert found["memory_ratio"] == pytest.approx(1, abs=0.15)


def test_the_same_seed_gives_the_same_figures_and_another_one_others(sides):
    train, held_out, _ = sides
    made = waves(300, 7)
    one, again, other = (
        likeness(made, held_out, train=train, seed=seed, judges=CHEAP) for seed in (0, 0, 1)
    )
    assert one == again != other


def test_one_channel_has_no_correlation_and_few_windows_are_refused(sides):
    train, held_out, few = sides
    single = Windows(held_out.x[:, :, :1])
    found = likeness(waves(50, 8)[:, :, :1], single, train=train[:, :, :1], seed=0, judges=CHEAP)
    assert np.isnan(found["correlation_error"]) and np.isfinite(found["context_fid"])
    with pytest.raises(ValueError, match=r"hold five windows or more; got \(4, 24, 2\)"):
        judge(few[:4], held_out, few=few, train=train, seed=0)
    with pytest.raises(ValueError, match="must agree in"):
        judge(few[:, :12], held_out, few=few, train=train, seed=0)
