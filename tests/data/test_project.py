"""Are windows moved to the nearest ones that keep the rules, and no farther?"""

from itertools import combinations

import numpy as np
import pytest
import torch
from scipy.optimize import minimize

from timeloom.data.project import Projection
from timeloom.data.quadratic import Polyhedron
from timeloom.data.rules import broken, learn_rules
from timeloom.data.scale import Scaler
from timeloom.data.sets import load_dataset
from timeloom.data.windows import cut


def kept_by_all(count=300, seed=0):
    """Windows (window, 20, 6): low <= middle <= high, gap = high - low, one fixed, one free."""
    rng = np.random.default_rng(seed)
    low = 50 + np.cumsum(rng.normal(size=(count, 20)), axis=1)
    gap = rng.exponential(1, (count, 20))
    middle = low + gap * rng.random((count, 20))
    free = rng.normal(size=(count, 20))
    return np.stack([low, middle, low + gap, gap, np.full_like(low, 518.67), free], axis=2)


@pytest.fixture(scope="module")
def learned():
    return Projection.learn(kept_by_all())


def faulty(projection, seed=1, size=0.3):
    x = kept_by_all(40, seed)
    return x + size * projection.spread * np.random.default_rng(seed).normal(size=x.shape)


def nearest_by_trying(weights, offset, equal, point):
    """Every set of limits is tried as an equation; the nearest point that keeps all is it."""
    best, least = np.full_like(point, np.nan), np.inf
    limits = np.flatnonzero(~equal)
    for size in range(len(limits) + 1):
        for chosen in combinations(limits, size):
            rows = [*np.flatnonzero(equal), *chosen]
            gap = weights[rows] @ point - offset[rows]
            found = point - np.linalg.pinv(weights[rows]) @ gap
            miss = weights @ found - offset
            far = np.sum((found - point) ** 2)
            if (np.where(equal, np.abs(miss), miss) < 1e-9).all() and far < least:
                best, least = found, far
    return best


@pytest.mark.parametrize("seed", range(8))
def test_the_nearest_point_is_that_of_trying_every_set_of_limits(seed):
    rng = np.random.default_rng(seed)
    size, rows = rng.integers(3, 6), rng.integers(3, 8)
    weights = rng.normal(size=(rows, size))
    equal = np.arange(rows) < seed % 2 + seed % 3 // 2
    # The origin keeps all rows; the last one repeats another.
    offset = np.where(equal, 0.0, rng.exponential(0.3, rows))
    weights[-1], offset[-1] = 2 * weights[-2], 2 * offset[-2]
    points = 2 * rng.normal(size=(60, size))
    found = Polyhedron(weights, offset, equal).nearest(points)
    slow = np.array([nearest_by_trying(weights, offset, equal, point) for point in points])
    np.testing.assert_allclose(found, slow, atol=1e-6)


def test_equations_alone_and_limits_that_do_not_touch_are_closed_forms():
    points = np.random.default_rng(0).normal(size=(50, 3))
    plane = Polyhedron(np.array([[1.0, -1.0, 0.0]]), np.zeros(1), np.array([True]))
    mean = points[:, :2].mean(axis=1)
    np.testing.assert_allclose(
        plane.nearest(points), np.stack([mean, mean, points[:, 2]], 1), atol=1e-12
    )
    box = Polyhedron(np.concatenate([np.eye(3), -np.eye(3)]), np.full(6, 0.5), np.zeros(6, bool))
    np.testing.assert_allclose(box.nearest(points), points.clip(-0.5, 0.5), atol=1e-12)


def test_a_window_goes_where_a_general_solver_sends_it(learned):
    x = faulty(learned)[:1, :6]
    found = learned(x)
    for point, got in zip(x[0], found[0], strict=True):
        rows = [
            {
                "type": "eq" if equal else "ineq",
                "fun": lambda u, w=w, b=b: b - w @ (learned.center + learned.spread * u),
            }
            for w, b, equal in zip(learned.weights, learned.offset, learned.equal, strict=True)
        ]
        start = (point - learned.center) / learned.spread
        free = minimize(
            lambda u, start=start: np.sum((u - start) ** 2),
            np.zeros(6),
            constraints=rows,
            method="SLSQP",
            options={"ftol": 1e-12, "maxiter": 300},
        )
        np.testing.assert_allclose((got - learned.center) / learned.spread, free.x, atol=1e-4)


def test_rules_are_found_and_then_hold_everywhere(learned):
    assert {
        "c4 is always 518.67",
        "c3 = -c0 + c2",
        "c0 is never above c1",
        "c1 is never above c2",
    } <= set(learned.sentences)
    x = faulty(learned)
    rules = learn_rules(kept_by_all())
    assert broken(rules, x).max() > 0.5
    y = learned(x)
    assert broken(rules, y).max() == 0
    np.testing.assert_allclose(y[..., 3], y[..., 2] - y[..., 0], atol=1e-9)
    assert (y[..., 1] - y[..., 2]).max() < 1e-7
    np.testing.assert_array_equal(y[..., 5], x[..., 5])  # of which no rule speaks


@pytest.mark.parametrize("kind", [np.float32, np.float64])
def test_what_keeps_the_rules_comes_back_bit_for_bit(learned, kind):
    x = kept_by_all(50, seed=2).astype(kind)
    assert learned(x).dtype == kind
    np.testing.assert_array_equal(learned(x), x)
    y = learned(faulty(learned).astype(kind))
    np.testing.assert_array_equal(learned(y), y)


def test_no_window_that_keeps_the_rules_gets_farther_away(learned):
    x, real = faulty(learned), kept_by_all(40, seed=5)

    def far(one):
        return np.sum(((one - real) / learned.spread) ** 2, axis=2)

    assert (far(learned(x)) <= far(x) + 1e-9).all()


def test_the_input_is_not_changed_and_the_channels_may_lie_on_any_axis(learned):
    x = faulty(learned)
    copy = x.copy()
    y = learned(x)
    np.testing.assert_array_equal(x, copy)
    turned = learned(np.ascontiguousarray(x.transpose(0, 2, 1)), axis=1)
    np.testing.assert_array_equal(turned.transpose(0, 2, 1), y)


def test_missing_values_pass_and_hide_only_the_rules_about_them(learned):
    x = faulty(learned)
    x[np.random.default_rng(3).random(x.shape) < 0.2] = np.nan
    y = learned(x)
    np.testing.assert_array_equal(np.isnan(y), np.isnan(x))
    assert np.nanmax(broken(learn_rules(kept_by_all()), y)) == 0
    np.testing.assert_array_equal(learned(y), y)
    nothing = np.full((2, 3, 6), np.nan)
    np.testing.assert_array_equal(learned(nothing), nothing)


def test_gaps_in_training_windows_hide_no_rule():
    x = kept_by_all()
    x[np.random.default_rng(4).random(x.shape) < 0.05] = np.nan
    projection = Projection.learn(x)
    assert len(projection) >= 4
    assert broken(learn_rules(kept_by_all()), projection(faulty(projection))).max() == 0


def test_it_comes_back_from_its_arrays(learned):
    x = faulty(learned)
    back = Projection.restore(learned.state(), learned.sentences)
    np.testing.assert_array_equal(back(x), learned(x))
    assert back.sentences == learned.sentences
    assert all(value.dtype == np.float64 for value in learned.state().values())


def test_a_tensor_of_scaled_windows_goes_where_its_source_goes(learned):
    x = faulty(learned)
    scaler = Scaler().fit(kept_by_all())
    scaled = learned.scaled(scaler.center_, scaler.spread_)
    z = torch.from_numpy(scaler.transform(x).astype(np.float32)).transpose(1, 2)
    y = scaled(z, axis=1)
    assert y.dtype == torch.float32 and y.shape == z.shape
    back = scaler.inverse(y.transpose(1, 2).double().numpy())
    np.testing.assert_allclose(back, learned(x), atol=2e-5)
    assert torch.equal(scaled(y, axis=1), y)


def test_windows_without_rules_are_left_alone():
    x = np.random.default_rng(0).normal(size=(300, 20, 3))
    projection = Projection.learn(x)
    assert len(projection) == 0 and projection(x) is x
    assert len(Projection.restore(projection.state())) == 0


def test_other_channels_are_refused(learned):
    with pytest.raises(ValueError, match=r"6 channels on axis -1; got 5\. Give the channels"):
        learned(np.zeros((2, 3, 5)))


def test_overlapping_windows_count_each_point_once():
    x = kept_by_all(1).reshape(-1, 6)
    few = np.stack([x[i : i + 5] for i in range(16)] * 20)
    assert len(few.reshape(-1, 6)) > 1000 and len(learn_rules(few))
    assert len(Projection.learn(few)) == 0
    assert len(Projection.learn(few, fewest=20))


def windows_of(name):
    try:
        found = load_dataset(name)
    except ValueError as error:
        assert "is not here" in str(error)
        pytest.skip(f"{name} needs $TIMELOOM_DATA")
    windows = cut(found[0] if isinstance(found, tuple) else found, 24, 1)
    return windows, windows.x[: int(0.7 * len(windows))]


PRICES = {
    "Adj_Close = Close",
    "Open is never above High",
    "Low is never above Open",
    "Low is never above Close",
    "Close is never above High",
}


@pytest.mark.parametrize("count", [10, 25, 50])
@pytest.mark.parametrize("draw", [0, 1, 2])
def test_ten_windows_of_prices_show_their_orders_and_no_other(count, draw):
    windows, train = windows_of("stock_goog")
    rows = np.sort(np.random.default_rng(draw).choice(len(train), count, replace=False))
    found = Projection.learn(train[rows], windows.channels)
    assert set(found.sentences) == PRICES


@pytest.mark.parametrize("count", [10, 25, 50])
@pytest.mark.parametrize("name", ["etth1", "weather", "air_quality", "energy_appliances"])
def test_few_windows_make_no_order_that_others_break(name, count):
    windows, train = windows_of(name)
    for draw in range(3):
        rows = np.sort(np.random.default_rng(draw).choice(len(train), count, replace=False))
        found = Projection.learn(train[rows], windows.channels)
        rules = learn_rules(train[rows], windows.channels)
        rules = [rule for rule in rules if rule.sentence in found.sentences]
        assert np.all(broken(rules, windows.x[::7]) < 2e-3)


def test_noisy_prices_are_mended_by_little():
    windows, train = windows_of("stock_goog")
    projection = Projection.learn(train, windows.channels)
    rng = np.random.default_rng(0)
    real = windows.x[rng.choice(len(windows), 300)]
    x = real + 0.02 * projection.spread * rng.normal(size=real.shape)
    rules = [r for r in learn_rules(train, windows.channels) if r.sentence in PRICES]
    assert len(rules) == 5 and broken(rules, x).min() > 0.1
    y = projection(x)
    assert broken(rules, y).max() == 0

    def rms(change):
        return np.sqrt(np.mean((change / projection.spread) ** 2))

    assert rms(y - x) < 0.012  # of the noise, .02, about half
    assert rms(y - real) < 0.9 * rms(x - real)
    np.testing.assert_array_equal(projection(windows.x), windows.x)
