"""Are the scores and their intervals right, and does a judge find what windows show?"""

import time

import numpy as np
import pytest

from tests import naive_utility as naive
from timeloom.metrics.judging import train_judge
from timeloom.metrics.utility import (
    CLASS_SCORES,
    VALUE_SCORES,
    Prediction,
    constant,
    nasa_score,
    paired_interval,
    paired_intervals,
    resampled,
    scores,
    steering,
    tstr_classification,
    tstr_regression,
)


def ramps(count, seed, noise=0.3):
    """Windows whose slope is the label."""
    rng = np.random.default_rng(seed)
    y = rng.uniform(0, 10, count)
    x = y[:, None, None] * np.linspace(0, 1, 12)[None, :, None] * np.ones(2)
    return x + noise * rng.normal(size=x.shape), y


def test_the_nasa_score_is_the_papers():
    assert nasa_score(np.array([0.0])) == 0
    np.testing.assert_allclose(nasa_score(np.array([10.0])), np.e - 1)
    np.testing.assert_allclose(nasa_score(np.array([-13.0])), np.e - 1)
    late, early = nasa_score(np.array([20.0])), nasa_score(np.array([-20.0]))
    assert late > early


def test_a_regressor_trained_on_good_windows_beats_the_constant_and_bad_ones_do_not():
    x, y = ramps(400, 0)
    test_x, test_y = ramps(200, 1)
    good = tstr_regression(x, y, test_x, test_y, seed=0, epochs=30)
    shuffled = np.random.default_rng(0).permutation(y)
    bad = tstr_regression(x, shuffled, test_x, test_y, seed=0, epochs=30)
    assert good["rmse"] < 0.5 * good["constant_rmse"]
    assert bad["rmse"] > 0.8 * bad["constant_rmse"]
    np.testing.assert_allclose(
        good["constant_rmse"], np.sqrt(np.mean((y.mean() - test_y) ** 2)), rtol=1e-6
    )


def test_classes_are_scored_and_a_constant_answer_is_no_better_than_chance():
    x, y = ramps(300, 0)
    test_x, test_y = ramps(200, 1)
    names = np.array(["low", "high"])
    scores = tstr_classification(
        x, names[(y > 5).astype(int)], test_x, names[(test_y > 5).astype(int)], seed=0
    )
    assert scores["accuracy"] > 0.9 and scores["auroc"] > 0.95 and scores["auprc"] > 0.95
    assert scores["balanced_accuracy"] > 0.9 > scores["constant_accuracy"]


def test_steering_sees_whether_the_value_asked_for_is_shown():
    x, y = ramps(400, 0)
    held_x, held_y = ramps(100, 1)
    made_x, made_y = ramps(100, 2)
    right = steering(x, y, made_x, made_y, held_x, held_y, seed=0)
    wrong = steering(x, y, made_x, made_y[::-1].copy(), held_x, held_y, seed=0)
    assert right["spearman"] > 0.8 and abs(wrong["spearman"]) < 0.4
    assert right["mae"] < 2 * right["held_mae"] < wrong["mae"] * 2


@pytest.mark.parametrize("groups", [None, np.arange(400) // 40])
def test_the_seed_decides_the_judge(groups):
    x, y = ramps(400, 0)
    read = [
        train_judge(x, y, outputs=1, seed=s, groups=groups, epochs=2)(x[:20]) for s in (0, 0, 1)
    ]
    np.testing.assert_array_equal(read[0], read[1])
    assert not np.array_equal(read[0], read[2])


def levels(count, seed, labels=("high", "low"), noise=0.5):
    """Windows whose level is the class."""
    rng = np.random.default_rng(seed)
    y = np.array(labels)[rng.integers(0, len(labels), count)]
    level = np.searchsorted(np.array(labels), y)[:, None, None]
    return level + noise * rng.standard_normal((count, 12, 2)), y


def said(count, seed, classes=3, ties=True):
    """Random probabilities and truth, with ties."""
    rng = np.random.default_rng(seed)
    share = rng.dirichlet(np.ones(classes), count)
    share = np.round(share, 1) if ties else share
    truth = rng.integers(0, classes, count)
    return Prediction(share, truth, tuple(range(classes)), rare=2)


def said_values(count, seed):
    rng = np.random.default_rng(seed)
    truth = rng.uniform(0, 50, count)
    return Prediction(truth + 5 * rng.standard_normal(count), truth)


@pytest.mark.parametrize("seed", [0, 1])
def test_the_scores_are_those_of_the_obvious_loops(seed):
    one = said(60, seed)
    expected = naive.class_scores(one.said.tolist(), one.truth.tolist(), one.rare)
    assert scores(one) == pytest.approx(expected)
    assert tuple(scores(one)) == CLASS_SCORES
    value = said_values(60, seed)
    assert scores(value) == pytest.approx(
        naive.value_scores(value.said.tolist(), value.truth.tolist())
    )
    assert tuple(scores(value)) == VALUE_SCORES


@pytest.mark.parametrize("name", CLASS_SCORES)
def test_a_weighted_score_is_the_score_of_the_repeated_windows(name):
    one = said(40, 2)
    weights = np.random.default_rng(0).integers(0, 3, (5, 40))
    weights[4] = one.truth == 1  # one class only is left
    found = resampled(one, name, weights)
    for row, figure in zip(weights, found, strict=True):
        rows = np.repeat(np.arange(40), row)
        expected = naive.class_scores(one.said[rows].tolist(), one.truth[rows].tolist(), one.rare)
        assert figure == pytest.approx(expected[name], nan_ok=True)


def test_a_score_of_the_other_kind_of_label_is_refused():
    with pytest.raises(ValueError, match="auroc"):
        resampled(said(10, 0), "rmse", np.ones((1, 10)))


def test_a_constant_answer_scores_what_is_said_of_it():
    one = said(90, 0)
    train = np.repeat([0, 1, 2], [20, 50, 10])
    idle = constant(one, train)
    share = np.tile([0.2, 0.5, 0.1], (90, 1))
    same = scores(Prediction(share, one.truth, one.classes, rare=2))
    for name in ("auroc", "accuracy", "balanced_accuracy"):
        assert idle[name] == pytest.approx(same[name])
    always = Prediction(np.tile([0, 0, 1.0], (90, 1)), one.truth, one.classes, rare=2)
    assert idle["minority_f1"] == pytest.approx(scores(always)["minority_f1"])
    value = said_values(30, 0)
    assert constant(value, np.array([1.0, 2, 9]))["rmse"] == pytest.approx(
        np.sqrt(np.mean((4 - value.truth) ** 2))
    )


def test_the_interval_is_that_of_the_obvious_loops():
    rng = np.random.default_rng(5)
    truth = rng.uniform(0, 50, 60)
    groups = np.arange(60) // 4
    wrong = rng.standard_normal((2, 2, 60))
    arms = [[truth + scale * w for w in some] for scale, some in zip((4, 6), wrong, strict=True)]
    first, second = ([Prediction(one, truth, groups=groups) for one in arm] for arm in arms)
    found = paired_interval(first, second, "mae", resamples=4000)
    lists = [[(one.tolist(), truth.tolist()) for one in arm] for arm in arms]

    def mae(said, told):
        return naive.value_scores(said, told)["mae"]

    low, high = naive.bootstrap(mae, lists, groups.tolist(), np.random.default_rng(0), 2000)
    width = high - low
    assert found.difference.low == pytest.approx(low, abs=0.08 * width)
    assert found.difference.high == pytest.approx(high, abs=0.08 * width)
    assert found.word == "helps" and found.better == "lower"
    back = paired_interval(second, first, "mae")
    assert back.word == "harms" and back.difference.value == -found.difference.value


def test_an_arm_differs_from_itself_by_nothing_and_its_score_is_in_its_interval():
    one = said(80, 3)
    for pair in paired_intervals(one, one).values():
        assert pair.difference == (0, 0, 0)
        assert pair.score.low < pair.score.value < pair.score.high
        assert pair.word == "no difference can be shown"


def test_what_is_hard_for_both_arms_cancels():
    rng = np.random.default_rng(0)
    truth, hard = rng.uniform(0, 50, 300), 20 * rng.standard_normal(300)
    first, second = (Prediction(truth + hard + rng.standard_normal(300), truth) for _ in range(2))
    pair = paired_interval(first, second, "rmse")
    own = pair.score.high - pair.score.low
    assert pair.difference.high - pair.difference.low < 0.3 * own


def test_windows_of_one_recording_are_resampled_together():
    rng = np.random.default_rng(0)
    truth = np.zeros(400)
    wrong = np.repeat(rng.standard_normal(8), 50)  # one error per recording
    alone, grouped = (
        paired_interval(*2 * [Prediction(wrong, truth, groups=g)], "mae").score
        for g in (None, np.arange(400) // 50)
    )
    assert grouped.high - grouped.low > 3 * (alone.high - alone.low)


def test_large_tables_of_weights_are_cut_and_give_the_same_interval(monkeypatch):
    one, other = said(50, 0), said(50, 0)
    whole = paired_interval(one, other, "auroc", resamples=60)
    monkeypatch.setattr("timeloom.metrics.utility.paired.CELLS", 500)
    assert paired_interval(one, other, "auroc", resamples=60) == whole


def test_five_hundred_resamples_of_two_thousand_windows_take_a_second_or_so():
    one = said(2000, 0, classes=2, ties=False)
    began = time.process_time()
    paired_interval(one, one, "auroc", resamples=500)
    assert time.process_time() - began < 3


@pytest.mark.parametrize("fault", ["seeds", "truth"])
def test_arms_that_cannot_be_paired_are_refused(fault):
    first = [said(20, 0)]
    second = [said(20, 0)] * 2 if fault == "seeds" else [said(20, 1)]
    with pytest.raises(ValueError, match="arms"):
        paired_interval(first, second, "auroc")
