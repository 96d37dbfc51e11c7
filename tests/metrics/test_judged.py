"""Are the field's discriminative scores what their papers print, repeat by repeat?"""

import numpy as np
import pytest
import torch

from tests import naive_judges as naive
from timeloom.metrics.fidelity.judged import (
    FLAVOURS,
    METRICS,
    diffmts_accuracy,
    discriminative_repeats,
    discriminative_score,
)
from timeloom.nets.many_gru import ManyGRU

ALONE = {"after": naive.OneGRU, "before": naive.OldGRU}


def waves(count, seed, length=8, channels=4):
    rng = np.random.default_rng(seed)
    return np.cumsum(rng.normal(size=(count, length, channels)), axis=1)


@pytest.mark.parametrize("flavour", ["imagenfew", "timegan"])
def test_each_repeat_is_one_network_trained_alone(flavour):
    real, synthetic = waves(120, 0), waves(90, 1) * 0.3
    made_as = FLAVOURS[flavour]
    found = discriminative_repeats(
        real, synthetic, seed=7, flavour=flavour, repeats=range(3), scaling="none", steps=40
    )
    for r in range(3):
        rng = np.random.default_rng([7, r])
        before = np.random.default_rng([7, r])
        before.permutation(120), before.permutation(90)
        many = ManyGRU([int(before.integers(2**62))], 4, 2, reset=made_as.reset)
        judge = ALONE[made_as.reset](many, 0)
        alone = naive.discriminative_repeat(
            judge, real, synthetic, rng, batch=made_as.batch, steps=40
        )
        assert found[r] == pytest.approx(alone, abs=1e-9)


def test_a_repeat_alone_is_what_it_is_among_ten():
    real, synthetic = waves(100, 0), waves(100, 1) * 1.5
    some = dict(seed=3, steps=30)
    among = discriminative_repeats(real, synthetic, **some)
    assert len(among) == 10 and len(set(among)) > 3
    for r in (0, 6):
        assert discriminative_repeats(real, synthetic, repeats=[r], **some) == among[r]


def test_the_same_is_about_nothing_and_another_is_about_a_half():
    real, same, other = waves(300, 0), waves(300, 1), waves(300, 2) * 0.05
    near = discriminative_score(real, same, seed=0, repeats=3, steps=200)
    far = discriminative_score(real, other, seed=0, repeats=3, steps=600)
    assert near.value < 0.15 and far.value > 0.3
    assert 0 <= near.low <= near.value <= near.high and far.high <= 0.5


def test_the_interval_is_that_of_the_mean_over_repeats():
    real, synthetic = waves(60, 0), waves(60, 1)
    some = dict(seed=0, steps=5)
    scores = abs(discriminative_repeats(real, synthetic, repeats=range(4), **some) - 0.5)
    found = discriminative_score(real, synthetic, repeats=4, **some)
    assert found.value == pytest.approx(scores.mean())
    assert found.high - found.value == pytest.approx(1.96 * scores.std(ddof=1) / 2)
    single = discriminative_score(real, synthetic, repeats=1, **some)
    assert single.low == single.value == single.high


@pytest.mark.parametrize("scaling", ["zscore", "minmax", None])
def test_a_score_does_not_depend_on_units(scaling):
    real, synthetic = waves(60, 0), waves(60, 1)
    scale, shift = np.array([1, 100, 1e4, 0.01]), np.array([0, -50, 1e5, 0])
    some = dict(seed=0, repeats=range(2), steps=20, scaling=scaling)
    plain = discriminative_repeats(real, synthetic, **some)
    other = discriminative_repeats(real * scale + shift, synthetic * scale + shift, **some)
    np.testing.assert_allclose(plain, other, atol=0.05)


def test_every_argument_changes_the_score():
    real, synthetic = waves(200, 0), waves(200, 1) * 1.3
    plain = dict(seed=0, repeats=range(4), steps=60)
    first = discriminative_repeats(real, synthetic, **plain).tolist()
    for change in (
        dict(seed=1),
        dict(flavour="diffusion_ts"),
        dict(scaling="minmax"),
        dict(steps=61),
    ):
        assert discriminative_repeats(real, synthetic, **plain | change).tolist() != first


def test_timegan_and_diffusion_ts_are_one_flavour():
    assert FLAVOURS["timegan"] == FLAVOURS["diffusion_ts"]


def test_gaps_and_one_channel_are_judged_too():
    real, synthetic = waves(50, 0, channels=1), waves(50, 1, channels=1)
    real[::3, 2] = np.nan
    for flavour in FLAVOURS:
        for scaling in ("zscore", "minmax", "none"):
            found = discriminative_score(
                real, synthetic, seed=0, flavour=flavour, repeats=2, scaling=scaling, steps=5
            )
            assert np.isfinite(found).all()


def test_what_cannot_be_judged_is_refused_in_words():
    x = waves(20, 0)
    with pytest.raises(ValueError, match="flavour must be one of imagenfew"):
        discriminative_score(x, x, seed=0, flavour="timegam")
    with pytest.raises(ValueError, match="scaling must be"):
        discriminative_score(x, x, seed=0, scaling="log")
    with pytest.raises(ValueError, match="5 windows or more; got 20 real and 4"):
        discriminative_score(x, x[:4], seed=0)
    with pytest.raises(ValueError, match="repeats must be at least 1"):
        discriminative_score(x, x, seed=0, repeats=0)


def test_the_global_generators_are_left_alone():
    torch.manual_seed(5)
    before = torch.get_rng_state()
    discriminative_score(waves(20, 0), waves(20, 1), seed=0, repeats=2, steps=2)
    assert torch.equal(before, torch.get_rng_state())


def test_the_judge_of_diffmts_holds_whole_recordings_out():
    # Each recording has a level of its own: whoever met it in training knows it.
    rng = np.random.default_rng(0)
    level = rng.normal(size=20).repeat(15)[:, None, None] * 3
    real = level + 0.1 * rng.normal(size=(300, 6, 2))
    other = rng.normal(size=300)[:, None, None] * 3 + 0.1 * rng.normal(size=(300, 6, 2))
    loose = diffmts_accuracy(real, other, seed=0)
    whole = diffmts_accuracy(real, other, seed=0, groups=(np.arange(20).repeat(15), None))
    assert 0 <= whole <= 1 and loose > whole


def test_rows_are_named_after_their_functions():
    names = [metric.name for metric in METRICS]
    assert names == [
        "discriminative",
        "discriminative_accuracy",
        "discriminative_score",
        "diffmts_accuracy",
    ]
    assert [metric.default for metric in METRICS] == [True, True, False, False]
