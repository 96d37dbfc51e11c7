"""Do the predictive scores see what a network can learn from synthetic windows?"""

import numpy as np
import pytest

from timeloom.metrics.fidelity.predicted import METRICS, next_step_error, predictive_score


def waves(count, seed, length=12, noise=0.05):
    """Four channels of sines: what comes next can be told from what was."""
    rng = np.random.default_rng(seed)
    phase, pace = rng.uniform(0, 6.3, (count, 1)), rng.uniform(0.3, 0.6, (count, 1))
    wave = phase + pace * np.arange(length)
    x = np.stack([np.sin(wave), np.cos(wave), -np.sin(wave), np.sin(wave + 1)], axis=2)
    return x + noise * rng.standard_normal(x.shape)


def shuffled(x, seed=0):
    return np.random.default_rng(seed).permuted(x, axis=1)


def test_who_learns_from_the_like_does_better_than_who_learns_from_shuffled_time():
    real, same = waves(300, 0), waves(300, 1)
    floor = next_step_error(real, same, seed=0, steps=150)
    wrong = next_step_error(real, shuffled(same), seed=0, steps=150)
    still = np.abs(np.diff(real, axis=1)).mean() / real.std()
    assert floor.value < 0.5 * still < wrong.value
    assert floor.low <= floor.value <= floor.high


def test_the_next_step_error_does_not_depend_on_units():
    real, other = waves(60, 0), waves(60, 1)
    scale, shift = np.array([1, 100, 1e4, 0.01]), np.array([0, -50, 1e5, 0])
    plain = next_step_error(real, other, seed=0, steps=10)
    moved = next_step_error(real * scale + shift, other * scale + shift, seed=0, steps=10)
    assert plain.value == pytest.approx(moved.value, rel=1e-3)


def test_values_that_were_not_measured_are_not_asked_for():
    rng = np.random.default_rng(0)
    gaps = [np.where(rng.random((200, 12, 4)) < 0.3, np.nan, waves(200, k)) for k in (0, 1)]
    filled = [np.where(np.isnan(x), np.nanmean(x, axis=(0, 1)), x) for x in gaps]
    found = next_step_error(*gaps, seed=0, steps=100)
    asked = next_step_error(*filled, seed=0, steps=100)
    assert found.value < 0.8 * asked.value


def test_repeats_do_not_depend_on_how_many_there_are():
    real, other = waves(40, 0), waves(40, 1)
    for score in (next_step_error, predictive_score):
        means = [score(real, other, seed=2, repeats=k, steps=8).value for k in (1, 2)]
        assert means[0] != means[1]
        again = score(real, other, seed=2, repeats=1, steps=8).value
        assert means[0] == pytest.approx(again, rel=1e-6)


def test_the_published_score_learns_the_last_channel_from_the_others():
    real, same = waves(200, 0), waves(200, 1)
    first = predictive_score(real, same, seed=0, repeats=2, steps=2)
    learnt = predictive_score(real, same, seed=0, repeats=2, steps=400)
    wrong = predictive_score(real, shuffled(same), seed=0, repeats=2, steps=400)
    assert learnt.value < min(first.value, wrong.value)


def test_a_sigmoid_on_standardised_data_says_nothing():
    rng = np.random.default_rng(0)
    real = rng.normal(size=(150, 10, 3))
    found = predictive_score(
        real, rng.normal(size=(150, 10, 3)), seed=0, repeats=2, scaling="none", steps=400
    )
    constant = np.abs(real[:, 1:, -1] - np.clip(np.median(real[:, :, -1]), 0, 1)).mean()
    assert found.value == pytest.approx(constant, rel=0.1)


def test_one_channel_or_one_time_point_gives_no_figure():
    x = waves(30, 0)
    assert np.isnan(predictive_score(x[:, :, :1], x[:, :, :1], seed=0)).all()
    assert np.isnan(next_step_error(x[:, :1], x[:, :1], seed=0)).all()
    assert np.isfinite(next_step_error(x[:, :, :1], x[:, :, :1], seed=0, steps=3)).all()


def test_what_cannot_be_measured_is_refused_in_words():
    x = waves(30, 0)
    for score in (next_step_error, predictive_score):
        with pytest.raises(ValueError, match="repeats must be at least 1; got 0"):
            score(x, x, seed=0, repeats=0)
    with pytest.raises(ValueError, match="scaling must be"):
        predictive_score(x, x, seed=0, scaling="log")


def test_the_right_one_is_measured_unasked_and_the_published_one_is_not():
    assert {metric.name: metric.default for metric in METRICS} == {
        "next_step_error": True,
        "predictive_score": False,
    }
