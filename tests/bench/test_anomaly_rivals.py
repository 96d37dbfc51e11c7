"""Do the plain detectors score what they say, and does nothing leak from the scored rows?"""

import numpy as np
import pytest

from timeloom.bench.anomaly_rivals import RIVALS, held_out_threshold, scaling, spread
from timeloom.data.windows import Series, cut, stitch
from timeloom.methods.spans import Spans
from timeloom.metrics.detection import auc_roc

# Their long spans reach over most of the recordings here.
LOCAL = [one for one in RIVALS if not one.name.endswith("spans")]
BY_NAME = {one.name: one for one in RIVALS}
BLIND = ("random", "difference")  # a slow bump has no steep edge
WHOLE = ("random", "k-means, published")  # learn nothing from the training part


def waves(rng, length, channels=3):
    """Two sines and a constant, or one sine, with a little noise."""
    at = np.arange(length)[:, None]
    x = np.sin(at / np.array([5.0, 8.0, 1.0])[:channels])
    x += 0.05 * rng.normal(size=x.shape)
    if channels == 3:
        x[:, 2] = 4.0
    return x


def with_bump(rng, channels=3):
    """Rows whose points 150 to 189 are off in the first channel, and the labels."""
    x, labels = waves(rng, 300, channels), np.zeros(300, dtype=bool)
    x[150:190, 0] = 3.0 + 0.05 * rng.normal(size=40)
    labels[150:190] = True
    return x, labels


@pytest.mark.parametrize("rival", LOCAL, ids=lambda one: one.name)
@pytest.mark.parametrize("channels", [3, 1])
def test_every_point_has_a_score_and_a_plain_fault_is_found(rival, channels, rng):
    train, (test, labels) = waves(rng, 400, channels), with_bump(rng, channels)
    found = rival(train, test, 0)
    assert found.points.shape == (300,) and np.isfinite(found.points).all()
    assert found.seconds >= 0
    if found.channels is not None:
        assert found.channels.shape == test.shape and np.isfinite(found.channels).all()
    if rival.name.startswith("PCA") and channels == 3:
        return  # two channels that move apart need two components, which leave nothing over
    if rival.name not in BLIND:
        # k-means as published learns the fault as one more shape.
        floor = 0.4 if rival.name.startswith("k-means, p") else 0.85
        assert auc_roc(labels, found.points) > floor
    if found.channels is not None and channels == 3 and rival.name not in BLIND:
        assert found.channels[labels].mean(axis=0).argmax() == 0


@pytest.mark.parametrize("rival", RIVALS, ids=lambda one: one.name)
def test_a_seed_repeats_and_only_what_draws_changes_with_it(rival, rng):
    train, (test, _) = waves(rng, 300), with_bump(rng)
    first, again, other = (rival(train, test, seed).points for seed in (0, 0, 1))
    np.testing.assert_array_equal(first, again)
    if not rival.drawn:
        np.testing.assert_array_equal(first, other)
    elif rival.name in ("random", "isolation forest", "auto-encoder"):
        assert (first != other).any()


@pytest.mark.parametrize(
    "rival", [one for one in LOCAL if one.name not in WHOLE], ids=lambda one: one.name
)
def test_the_score_of_a_point_does_not_hang_on_rows_far_from_it(rival, rng):
    train, (test, _) = waves(rng, 300), with_bump(rng)
    short = rival(train, test[:250], 0).points
    np.testing.assert_allclose(rival(train, test, 0).points[:200], short[:200], rtol=1e-5)


@pytest.mark.parametrize("plain", ["difference", "PCA"])
def test_the_errors_of_a_plain_rival_are_pooled_as_those_of_ddmt(plain, rng):
    train, (test, _) = waves(rng, 600), with_bump(rng)
    judge = BY_NAME[plain].fit(train, 0)
    power = 0.5 if plain == "PCA" else 1.0  # its channels are squares
    usual, errors = (judge(rows)[1] ** power for rows in (train, test))
    wanted = Spans((1, 16, 64, 256), None, 1, "mean", True).fit([usual]).scores(errors)
    found = BY_NAME[f"{plain}, spans"](train, test, 0)
    np.testing.assert_allclose(found.points, wanted[0])
    np.testing.assert_allclose(found.channels, wanted[1])


def test_the_published_k_means_does_learn_from_the_rows_it_scores(rng):
    (test, _), rival = with_bump(rng), BY_NAME["k-means, published"]
    one, other = (rival(waves(rng, 300), test, 0).points for _ in range(2))
    np.testing.assert_array_equal(one, other)
    assert (one != BY_NAME["k-means"](waves(rng, 300), test, 0).points).any()


def test_spread_is_the_overlap_mean_that_stitch_takes(rng):
    windows, scores = cut(Series(np.zeros((31, 1))), 7), rng.random(25)
    wanted = stitch(np.repeat(scores[:, None], 7, axis=1), windows)[0]
    np.testing.assert_allclose(spread(scores, 7, 31), wanted)
    both = spread(np.stack([scores, 2 * scores], axis=1), 7, 31)
    np.testing.assert_allclose(both, np.stack([wanted, 2 * wanted], axis=1))


def test_a_still_channel_has_spread_one_and_everything_ends_at_ten_spreads():
    train = np.stack([np.tile([-1.0, 1.0], 10), np.full(20, 0.1)], axis=1)
    z = scaling(train)(np.array([[0.0, 0.1], [1.0, 1.1], [99.0, -99.0]]))
    np.testing.assert_allclose(z, [[0, 0], [1, 1], [10, -10]], atol=1e-12)


def test_gaps_are_scored_and_tell_nothing(rng):
    train, test = waves(rng, 300), waves(rng, 100)
    test[40:60] = np.nan
    found = BY_NAME["squared z-score"](train, test).points
    np.testing.assert_allclose(found[40:60], 0, atol=1e-12)
    assert np.isfinite(BY_NAME["k-means"](train, test).points).all()


def test_a_threshold_flags_about_one_in_a_hundred_of_new_normal_rows(rng):
    train, more = rng.normal(size=(20_000, 2)), rng.normal(size=(20_000, 2))
    rival = BY_NAME["squared z-score"]
    level = held_out_threshold(rival, train)
    assert 0.005 < (rival(train, more).points > level).mean() < 0.015


@pytest.mark.parametrize(("train", "test"), [((50, 2), (50, 3)), ((50,), (50,)), ((0, 2), (50, 2))])
def test_rows_that_do_not_fit_are_refused(train, test):
    with pytest.raises(ValueError, match=r"the same channels"):
        BY_NAME["PCA"](np.zeros(train), np.zeros(test))


def test_too_few_rows_are_refused(rng):
    with pytest.raises(ValueError, match="at least one window of 40"):
        BY_NAME["k-means"](waves(rng, 300), waves(rng, 20))
    with pytest.raises(ValueError, match="at least 4 training rows"):
        held_out_threshold(BY_NAME["PCA"], waves(rng, 3))
