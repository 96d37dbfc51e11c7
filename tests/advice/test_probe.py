"""The cheap probe beside slow, obvious versions of its parts."""

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from timeloom.advice import probe
from timeloom.advice.probe import Ridge, areas, features, probabilities


def problem(rng, count=60, width=8, classes=3):
    y = rng.integers(0, classes, count)
    x = rng.standard_normal((count, width)) + 0.7 * y[:, None] * (np.arange(width) < 2)
    return x, y, np.eye(classes)[y]


def slow_ridge(x, told, new, strength):
    """Normal equations with a free mean; outputs above the mean label."""
    middle, level = x.mean(axis=0), told.mean(axis=0)
    x, told = x - middle, told - level
    weight = np.linalg.solve(x.T @ x + strength * np.eye(x.shape[1]), x.T @ told)
    return (new - middle) @ weight


@pytest.mark.parametrize("width", [8, 90])  # fewer and more features than windows
def test_it_says_what_the_normal_equations_say(rng, monkeypatch, width):
    x, _, told = problem(rng, width=width)
    new = rng.standard_normal((7, width))
    monkeypatch.setattr(probe, "STRENGTHS", np.array([0.3]))
    said, _ = Ridge(x, new).fit(told[:, None])
    np.testing.assert_allclose(said[:, 0], slow_ridge(x, told, new, 0.3 * len(x)), atol=1e-8)


def test_many_labellings_at_once_equal_one_at_a_time(rng):
    x, y, _ = problem(rng)
    many = np.eye(3)[np.stack([y, rng.permutation(y), rng.permutation(y)], axis=1)]
    ridge = Ridge(x, x[:9])
    said, kept = ridge.fit(many)
    for k in range(3):
        alone, own = ridge.fit(many[:, k : k + 1])
        np.testing.assert_allclose(said[:, k], alone[:, 0])
        np.testing.assert_allclose(kept[:, k], own[:, 0])


def test_the_strength_grows_where_there_is_nothing_to_learn(rng):
    x, y, told = problem(rng, count=200)
    ridge = Ridge(x, x)
    _, kept = ridge.fit(np.stack([told, np.eye(3)[rng.permutation(y)]], axis=1))
    assert kept[:, 0].sum() > 2 * kept[:, 1].sum()


@pytest.mark.parametrize("width", [8, 90])
def test_left_out_outputs_are_those_of_a_ridge_without_the_window(rng, monkeypatch, width):
    x, _, told = problem(rng, width=width)
    monkeypatch.setattr(probe, "STRENGTHS", np.array([0.3]))
    ridge = Ridge(x, x)
    _, kept = ridge.fit(told[:, None])
    found = ridge.left_out(told, kept[:, 0])
    for i in range(0, 60, 7):
        rest = np.arange(60) != i
        expected = slow_ridge(x[rest], told[rest], x[i : i + 1], 0.3 * 60)[0]
        expected += told[rest].mean(axis=0) - told.mean(axis=0)
        # The strength is a multiple of 60 on both sides, and only the mean is refitted exactly.
        np.testing.assert_allclose(found[i], expected, atol=0.02)


def test_probabilities_of_a_probe_that_knows_nothing_are_the_shares(rng):
    told = np.eye(3)[np.repeat([0, 1, 2], [5, 90, 5])]
    noise = 0.1 * rng.standard_normal((100, 3))
    wrong_way = -told + told.mean(axis=0)
    for known in (noise * 0, wrong_way):
        found = probabilities(known, told, noise)
        np.testing.assert_allclose(found, np.tile([0.05, 0.9, 0.05], (100, 1)), atol=1e-6)


def test_probabilities_follow_outputs_that_know(rng):
    y = rng.integers(0, 2, 400)
    told = np.eye(2)[y]
    known = told - told.mean(axis=0) + 0.3 * rng.standard_normal((400, 2))
    found = probabilities(known, told, known)
    np.testing.assert_allclose(found.sum(axis=1), 1)
    np.testing.assert_allclose(found.mean(axis=0), told.mean(axis=0), atol=1e-3)
    assert found[y == 1, 1].mean() > 0.8


@pytest.mark.parametrize("classes", [2, 4])
def test_areas_are_those_of_scikit_learn(rng, classes):
    y = np.stack([rng.integers(0, classes, 80) for _ in range(3)], axis=1)
    said = rng.integers(0, 6, (80, 3, classes)).astype(float)  # with ties
    for k, area in enumerate(areas(said, y)):
        each = [roc_auc_score(y[:, k] == c, said[:, k, c]) for c in range(classes)]
        assert area == pytest.approx(np.mean(each))


def test_features_of_other_windows_do_not_depend_on_them(rng):
    x = rng.standard_normal((30, 20, 2))
    x[3, 4] = np.nan
    learn = np.arange(20)
    first = features(x, learn, 0)
    changed = x.copy()
    changed[25:] *= 50
    second = features(changed, learn, 0)
    np.testing.assert_allclose(first[:25], second[:25])
    assert np.isfinite(first).all() and not np.allclose(first[25:], second[25:])


def test_a_channel_that_only_the_other_windows_measured_does_no_harm(rng):
    x = rng.standard_normal((30, 20, 2))
    x[:20, :, 1] = np.nan
    assert np.isfinite(features(x, np.arange(20), 0)).all()


def test_a_ridge_of_windows_that_do_not_differ_says_the_mean():
    ridge = Ridge(np.ones((4, 3)), np.arange(6.0).reshape(2, 3))
    said, _ = ridge.fit(np.eye(2)[[0, 1, 1, 1]][:, None])
    np.testing.assert_array_equal(said, np.zeros((2, 1, 2)))
