"""Thresholds fitted by a rule: the rule's own figure, and still refused on what they have seen."""

import numpy as np
import pytest

from timeloom.data.alarms import rule_of
from timeloom.metrics.detection import fit_threshold, flag


@pytest.mark.parametrize("rule", ["conformal", "pot"])
def test_a_threshold_by_a_rule_is_that_of_the_rule(rule, rng):
    scores = rng.exponential(size=1000)
    limit = fit_threshold(scores, rule=rule, quantile=0.98, span=(100, 900), series="pump")
    fitted = rule_of(rule, 0.02).fit(scores[100:900])
    assert limit.value == pytest.approx(fitted.threshold_)
    assert (limit.series, limit.first, limit.last, limit.notes) == ("pump", 100, 900, fitted.notes)
    with pytest.raises(ValueError, match="overlap the scored points"):
        flag(scores, limit, series="pump")


def test_the_plain_quantile_is_what_it_was(rng):
    scores = rng.random(500)
    limit = fit_threshold(scores, quantile=0.9)
    assert (limit.value, limit.notes) == (np.quantile(scores, 0.9, method="higher"), ())


def test_a_conformal_threshold_says_what_it_can_promise():
    assert "too few" in fit_threshold(np.arange(20.0), rule="conformal").notes[0]


def test_an_unknown_rule_is_refused(rng):
    with pytest.raises(ValueError, match="one of conformal, pot, quantile; got 'best'"):
        fit_threshold(rng.random(50), rule="best")
