import numpy as np
import pytest

from timeloom.methods.ddmt import DDMT
from timeloom.methods.references import REFERENCES, beside


def test_a_step_is_the_distance_from_the_time_point_before():
    x = np.array([[[1.0], [4.0], [np.nan], [2.0], [2.5]]])
    found = REFERENCES["step"](x)[0, :, 0]
    np.testing.assert_array_equal(found, [np.nan, 3.0, np.nan, np.nan, 0.5])
    np.testing.assert_array_equal(REFERENCES["level"](-x)[0, :, 0], x[0, :, 0])


def test_references_are_named_with_commas_or_not_at_all():
    assert beside("") == [] and beside(" step, level ") == ["step", "level"]
    with pytest.raises(ValueError, match="must be of step, level, .*; got 'trend'"):
        beside("step,trend")


def test_a_detector_counts_what_stands_beside_its_errors():
    rng = np.random.default_rng(0)
    t = np.arange(500)[:, None]
    x = np.sin(t / 5 + np.arange(2)) + 0.1 * rng.standard_normal((500, 2))
    small = dict(window=16, width=8, train_steps=20, batch=16, spans="1,16", device="cpu")
    alone, both = (DDMT(**small, beside=one).fit(x) for one in ("", "step,level"))
    test = x[:120].copy()
    test[60:90] += 8.0  # steady, so that within it there is no step
    found = alone.anomaly_scores(test), both.anomaly_scores(test)
    assert both.columns == 6 and alone.columns == 2
    assert found[1][70:80].mean() > 2 * found[1][:40].mean()
    assert not np.allclose(*found)
    single = both.channel_scores(test)
    assert single.shape == (120, 2)
