import numpy as np
import pytest

from timeloom.metrics.judging import train_judge
from timeloom.metrics.utility import nasa_score, steering, tstr_classification, tstr_regression


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
