"""Scaling and the way back."""

import numpy as np
import pytest

from timeloom.data import Scaler, Series, cut, split
from timeloom.data.scale import KINDS


def windows_with_gaps(seed=0, size=(200, 7, 3)):
    rng = np.random.default_rng(seed)
    x = rng.normal([5, -300, 1e-3], [2, 40, 1e-4], size)
    x[rng.random(x.shape) < 0.1] = np.nan
    return x


@pytest.mark.parametrize("kind", KINDS)
def test_the_inverse_undoes_the_scaling_beyond_the_training_range_too(kind):
    x = windows_with_gaps()
    new = np.random.default_rng(1).normal([5, -300, 1e-3], [6, 120, 3e-4], (50, 7, 3))
    scaler = Scaler(kind).fit(x)
    np.testing.assert_allclose(scaler.inverse(scaler.transform(new)), new, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("kind", KINDS)
def test_missing_values_stay_missing_and_nothing_else_becomes_so(kind):
    x = windows_with_gaps()
    scaler = Scaler(kind).fit(x)
    z = scaler.transform(x)
    np.testing.assert_array_equal(np.isnan(z), np.isnan(x))
    np.testing.assert_array_equal(np.isnan(scaler.inverse(z)), np.isnan(x))


@pytest.mark.parametrize("kind", KINDS)
def test_a_constant_channel_is_zero_and_returns_its_constant(kind):
    x = windows_with_gaps()
    x[..., 1] = 518.67
    x[0, 0, 1] = np.nan
    scaler = Scaler(kind).fit(x)
    z = scaler.transform(x)
    assert np.nanmax(np.abs(z[..., 1])) == 0
    back = scaler.inverse(np.random.default_rng(0).normal(size=x.shape))
    assert (back[..., 1] == 518.67).all()


def test_each_kind_does_what_it_says():
    x = windows_with_gaps(size=(4000, 7, 3))
    z = {kind: Scaler(kind).fit(x).transform(x).reshape(-1, 3) for kind in KINDS}
    np.testing.assert_allclose(np.nanmean(z["standard"], 0), 0, atol=1e-9)
    np.testing.assert_allclose(np.nanstd(z["standard"], 0), 1, rtol=1e-9)
    np.testing.assert_allclose(np.nanmin(z["minmax"], 0), 0, atol=1e-9)
    np.testing.assert_allclose(np.nanmax(z["minmax"], 0), 1, rtol=1e-9)
    low, middle, high = np.nanquantile(z["robust"], [0.25, 0.5, 0.75], axis=0)
    np.testing.assert_allclose(middle, 0, atol=1e-9)
    np.testing.assert_allclose(high - low, 1.349, rtol=1e-9)
    np.testing.assert_allclose(np.nanstd(z["quantile"], 0), 1, rtol=0.01)


def test_the_quantile_map_is_monotone_and_makes_a_skewed_channel_normal():
    rng = np.random.default_rng(0)
    x = np.exp(2 * rng.normal(size=(5000, 1)))
    scaler = Scaler("quantile").fit(x)
    line = np.linspace(-50, 2 * x.max(), 20001)[:, None]
    assert (np.diff(scaler.transform(line)[:, 0]) > 0).all()
    ordered = np.sort(scaler.transform(x)[:, 0])
    assert abs(np.median(ordered)) < 0.01 and abs(np.mean(ordered < -1) - 0.1587) < 0.005


def test_the_quantile_map_takes_a_channel_that_is_mostly_one_value():
    x = np.concatenate([np.zeros(700), np.linspace(1, 2, 300)])[:, None]
    scaler = Scaler("quantile").fit(x)
    np.testing.assert_allclose(scaler.inverse(scaler.transform(x)), x, atol=1e-9)


@pytest.mark.parametrize("kind", KINDS)
def test_the_scale_is_learned_from_training_windows_only(kind):
    ramp = np.arange(400.0)[:, None]
    train, test = split(cut([Series(ramp)], 10, 10), 0.5, 0.5, by="time", gap=0)
    scaler = Scaler(kind).fit(train.x)
    before = {name: value.copy() for name, value in scaler.state().items()}
    scaler.transform(test.x)
    for name, value in Scaler(kind).fit(train.x[::-1]).state().items():
        np.testing.assert_allclose(value, before[name])
        np.testing.assert_array_equal(scaler.state()[name], before[name])
    limit = {"standard": 199, "minmax": 199, "robust": 199, "quantile": 199}[kind]
    assert scaler.center_[0] <= limit and scaler.spread_[0] <= limit


@pytest.mark.parametrize("kind", KINDS)
def test_what_was_learned_can_be_put_away_and_taken_back(kind):
    x = windows_with_gaps()
    scaler = Scaler(kind).fit(x)
    again = Scaler(kind).restore(scaler.state())
    np.testing.assert_array_equal(again.transform(x), scaler.transform(x))


@pytest.mark.parametrize("kind", KINDS)
def test_single_precision_stays_single_precision(kind):
    x = windows_with_gaps().astype(np.float32)
    scaler = Scaler(kind).fit(x)
    assert scaler.transform(x).dtype == scaler.inverse(x).dtype == np.float32


def with_inf():
    x = windows_with_gaps()
    x[1, 2, 0] = np.inf
    return x


def with_nothing():
    x = windows_with_gaps()
    x[..., 2] = np.nan
    return x


@pytest.mark.parametrize(
    ("kind", "x", "message"),
    [
        ("log", windows_with_gaps(), "scale must be one of"),
        ("standard", with_inf(), "got inf"),
        ("standard", with_nothing(), r"channels \[2\] hold no measured value"),
    ],
)
def test_what_cannot_be_scaled_is_refused(kind, x, message):
    with pytest.raises(ValueError, match=message):
        Scaler(kind).fit(x)
