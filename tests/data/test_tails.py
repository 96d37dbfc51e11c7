"""Pareto tails against scipy, and rules and streams against the rates they were asked for."""

import json

import numpy as np
import pytest
from scipy.stats import binom, genpareto, kstest

from timeloom.data.alarms import Dspot, rule_from_state, rule_of
from timeloom.data.tails import Spot, Tail, autocorrelation_time, fit_excesses, fit_tail

RULES = ("conformal", "pot", "quantile")
each_rule = pytest.mark.parametrize("name", RULES)


def ar(rng, count, memory=0.9):
    noise = rng.normal(size=count + 200)
    for at in range(1, len(noise)):
        noise[at] += memory * noise[at - 1]
    return noise[200:]


# --- the tail ----------------------------------------------------------------------------------


@pytest.mark.parametrize("shape", [-0.9, -0.4, 0.0, 0.3, 1.0, 2.0])
def test_shape_and_scale_of_a_pareto_tail_are_recovered(shape, rng):
    found = [
        fit_excesses(genpareto.rvs(shape, scale=3e-4, size=1500, random_state=rng))
        for _ in range(6)
    ]
    assert np.mean(found, axis=0) == pytest.approx([shape, 3e-4], rel=0.12, abs=0.04)


@pytest.mark.parametrize("shape", [-0.4, 0.0, 0.5])
def test_no_tail_is_likelier_than_the_one_found(shape, rng):
    line = genpareto.rvs(shape, scale=2, size=300, random_state=rng)
    ours, scale = fit_excesses(line)
    theirs, _, width = genpareto.fit(line, floc=0)
    least = genpareto.logpdf(line, theirs, 0, width).sum()
    assert genpareto.logpdf(line, ours, 0, scale).sum() >= least - 1e-6


@pytest.mark.parametrize("shape", [-0.5, 0.0, 0.7])
def test_survival_and_threshold_are_those_of_scipy_and_undo_each_other(shape):
    tail = Tail(3.0, shape, 2.0, 0.05)
    scores = np.array([3.0, 3.5, 5.0, 6.9])
    expected = 0.05 * genpareto.sf(scores - 3, shape, scale=2)
    np.testing.assert_allclose(tail.survival(scores), expected, rtol=1e-12)
    assert tail.survival(tail.threshold(1e-3)) == pytest.approx(1e-3)
    with pytest.raises(ValueError, match="up to that; got 0.1"):
        tail.threshold(0.1)


def test_a_tail_with_an_end_leaves_nothing_beyond_it():
    tail = Tail(0.0, -0.5, 1.0, 0.1)
    assert tail.survival([1.99, 2.0, 50.0]).tolist()[1:] == [0.0, 0.0]


def test_the_misfit_tells_a_pareto_tail_from_another(rng):
    true = [genpareto.rvs(0.2, size=300, random_state=rng) for _ in range(60)]
    poor = [Tail(0.0, *fit_excesses(line), 1.0).misfit(line) for line in true]
    assert sum(far > critical for far, critical in poor) <= binom.ppf(0.999, 60, 0.05)
    two = np.concatenate([rng.normal(1, 0.05, 200), rng.normal(5, 0.05, 200)])
    far, critical = Tail(0.0, *fit_excesses(two), 1.0).misfit(two)
    assert far > 5 * critical


def test_excesses_must_lie_above_the_level():
    with pytest.raises(ValueError, match="excesses above 0"):
        fit_excesses([1.0, 0.0])


def test_ties_move_the_level_to_where_enough_lie_beyond():
    line = np.r_[np.zeros(900), np.ones(80), np.linspace(2, 3, 20)]
    found = fit_tail(line, level=0.98)
    assert found is not None and found[0].start == 0 and found[0].share == 0.1
    assert fit_tail(np.ones(500)) is None


# --- the rules ---------------------------------------------------------------------------------


@each_rule
@pytest.mark.parametrize("kind", ["exponential", "heavy", "bounded"])
def test_the_rate_on_held_out_normal_rows_is_the_one_asked_for(name, kind):
    rates, calibrating, scoring = [], 1000, 1000
    for seed in range(40):
        rng = np.random.default_rng(seed)
        line = {
            "exponential": rng.exponential(size=calibrating + scoring),
            "heavy": np.abs(rng.standard_t(2, size=calibrating + scoring)),
            "bounded": rng.random(calibrating + scoring),
        }[kind]
        rule = rule_of(name, 0.02).fit(line[:calibrating])
        rates.append(float(np.mean(line[calibrating:] > rule.threshold_)))
    # Two binomial draws, of the calibration and of the scored rows, 40 times.
    spread = np.sqrt(0.02 * 0.98 * (1 / calibrating + 1 / scoring) / len(rates))
    assert abs(np.mean(rates) - 0.02) < 3.3 * spread + 1 / calibrating


@each_rule
def test_the_rate_on_autocorrelated_rows_is_within_a_factor_of_two(name):
    rates = []
    for seed in range(8):
        line = np.abs(ar(np.random.default_rng(seed), 8000))
        rule = rule_of(name, 0.02).fit(line[:4000])
        rates.append(float(np.mean(line[4000:] > rule.threshold_)))
    assert 0.01 < np.mean(rates) < 0.04


def test_autocorrelated_scores_are_worth_fewer_and_said_to_be(rng):
    line = ar(rng, 20_000)
    assert autocorrelation_time(line) == pytest.approx(19, rel=0.35)  # (1 + .9) / (1 - .9)
    assert autocorrelation_time(rng.random(20_000)) < 1.3
    assert autocorrelation_time(np.ones(50)) == 1
    rule = rule_of("conformal", 0.01).fit(line[:2000])
    assert rule.facts_["effective"] < 300
    assert any("independent ones" in note for note in rule.notes)
    assert rule.facts_["low"] < 0.01 < rule.facts_["high"]


def test_a_conformal_p_value_is_at_most_the_rate_exactly_in_alarms(rng):
    for count in (99, 250, 1000):
        calibration = np.round(rng.normal(size=count), 1)  # with ties
        rule = rule_of("conformal", 0.03).fit(calibration)
        scores = np.round(rng.normal(size=500), 1)
        alarms = scores > rule.threshold_
        np.testing.assert_array_equal(alarms, rule.p_value(scores) <= 0.03)
        naive = [(1 + np.sum(calibration >= one)) / (1 + count) for one in scores]
        np.testing.assert_allclose(rule.p_value(scores), naive)


def test_the_conformal_threshold_is_the_stated_order_statistic():
    rule = rule_of("conformal", 0.01).fit(np.arange(1.0, 100))  # n = 99: the 99th lowest
    assert (rule.threshold_, rule.notes[:1]) == (99.0, ()) or "independent" in rule.notes[0]
    assert rule_of("conformal", 0.1).fit(np.arange(1.0, 100)).threshold_ == 90.0


@each_rule
def test_p_values_of_normal_rows_are_nearly_uniform_and_never_rise_with_the_score(name, rng):
    rule = rule_of(name, 0.01).fit(rng.normal(size=30_000) ** 2)
    assert kstest(rule.p_value(rng.normal(size=400) ** 2), "uniform").pvalue > 1e-3
    along = rule.p_value(np.linspace(-1, 40, 2000))
    assert (np.diff(along) <= 1e-12).all() and along[0] == 1
    assert np.isnan(rule.p_value([np.nan, 1.0])).tolist() == [True, False]


@each_rule
def test_a_rule_comes_back_from_its_state(name, rng):
    rule = rule_of(name, 0.01).fit([rng.random(500), rng.random(700)])
    facts, arrays = rule.to_state()
    back = rule_from_state(json.loads(json.dumps(facts)), arrays)
    scores = rng.random(100) * 1.2
    assert back.threshold_ == rule.threshold_ and back.notes == rule.notes
    np.testing.assert_array_equal(back.p_value(scores), rule.p_value(scores))
    assert json.dumps(back.to_state()[0]) == json.dumps(facts)


@each_rule
def test_constant_scores_give_a_threshold_and_a_sentence(name):
    rule = rule_of(name, 0.01).fit(np.full(500, 2.0))
    assert rule.threshold_ == 2.0
    assert rule.notes == ("all 500 scores are equal: any higher score is an alarm.",)


@each_rule
def test_missing_scores_are_left_out_and_said(name, rng):
    line = rng.random(400)
    holed = np.insert(line, 7, [np.nan] * 3)
    rule = rule_of(name, 0.05).fit(holed)
    assert rule.threshold_ == rule_of(name, 0.05).fit(line).threshold_
    assert rule.notes[0] == "3 scores were NaN and were left out."
    with pytest.raises(ValueError, match="no score is left: 5 are NaN"):
        rule_of(name, 0.05).fit(np.full(5, np.nan))
    with pytest.raises(ValueError, match="1 infinite"):
        rule_of(name, 0.05).fit([1.0, np.inf])


def test_too_few_scores_are_said_or_refused():
    rule = rule_of("conformal", 0.01).fit(np.arange(20.0))
    assert rule.threshold_ == 19 and "takes 99" in rule.notes[0]
    with pytest.raises(ValueError, match="too few for a rate of 0.01, which takes 99"):
        rule_of("conformal", 0.01, few="refuse").fit(np.arange(20.0))
    assert "too few" in rule_of("quantile", 0.01).fit(np.arange(20.0)).notes[0]
    with pytest.raises(ValueError, match="40 scores or more; got 20"):
        rule_of("pot", 0.01).fit(np.arange(20.0))


def test_ties_at_the_threshold_are_said():
    rule = rule_of("conformal", 0.1).fit(np.r_[np.arange(100.0), np.full(100, 200.0)])
    assert any("equal to the threshold" in note for note in rule.notes)


def test_a_gap_leaves_out_the_first_rows_of_every_recording():
    high = np.r_[np.full(10, 99.0), np.arange(50.0)]
    rule = rule_of("conformal", 0.1, gap=10).fit([high, high])
    assert rule.threshold_ == rule_of("conformal", 0.1).fit([high[10:], high[10:]]).threshold_


def test_a_tail_that_does_not_fit_is_said(rng):
    lumps = np.r_[rng.random(2000), rng.normal(10, 0.01, 30), rng.normal(20, 0.01, 30)]
    assert "no Pareto tail" in rule_of("pot", 1e-4).fit(lumps).notes[0]


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: rule_of("spot", 0.01), "one of conformal, pot, quantile"),
        (lambda: rule_of("quantile", 0.01, gap=1), "takes no settings; got gap"),
        (lambda: rule_of("pot", 1.0), "between 0 and 1; got 1.0"),
        (lambda: rule_of("pot", 0.1, level=1.0), "level is a share"),
        (lambda: rule_of("conformal", 0.1, few="some"), "'largest' or 'refuse'"),
        (lambda: Spot(0.5), "up to 0.1"),
        (lambda: Dspot(depth=0), "1 or more; got 0"),
        (lambda: Spot().fit(np.arange(9.0)), "40 normal scores or more; got 9"),
        (lambda: Dspot(depth=90).fit(np.arange(80.0)), "smaller depth"),
    ],
)
def test_wrong_settings_are_refused_with_what_to_do(make, words):
    with pytest.raises(ValueError, match=words):
        make()


# --- streams -----------------------------------------------------------------------------------


@pytest.mark.parametrize("rate", [0.01, 0.002])
def test_spot_reaches_its_rate_on_a_stationary_stream(rate):
    rates = []
    for seed in range(4):
        line = np.random.default_rng(seed).exponential(size=12_000)
        rates.append(float(np.mean(Spot(rate).fit(line[:2000]).update(line[2000:])[0])))
    assert 0.6 * rate < np.mean(rates) < 1.7 * rate


def test_spot_moves_away_from_a_start_that_was_too_quiet():
    line = np.random.default_rng(0).exponential(size=17_000)
    spot = Spot(0.005).fit(0.7 * line[:2000])
    static = spot.threshold_
    alarms, limits = spot.update(line[2000:])
    assert np.mean(line[-5000:] > static) > 2 * 0.005
    assert limits[-1] > static and np.mean(alarms[-5000:]) < 0.85 * np.mean(line[-5000:] > static)


def test_spot_does_not_sink_though_it_never_learns_from_an_alarm():
    line = np.random.default_rng(0).exponential(size=17_000)
    spot, blind = Spot(0.01).fit(line[:2000]), Spot(0.01).fit(line[:2000])
    blind._owed = -np.inf  # nothing is put in from beyond the threshold: as published
    own, theirs = (float(np.mean(one.update(line[2000:])[0])) for one in (spot, blind))
    assert own < 1.5 * 0.01 and theirs > 1.5 * own
    assert blind.threshold_ < spot.threshold_ - 0.7


def test_dspot_reaches_its_rate_on_a_drifting_stream_where_a_static_rule_fails():
    rng = np.random.default_rng(0)
    line = rng.exponential(size=14_000) + 20 * np.linspace(0, 1, 14_000)
    static = rule_of("pot", 0.01).fit(line[:2000])
    assert np.mean(line[2000:] > static.threshold_) > 0.5
    alarms, limits = Dspot(0.01, depth=100).fit(line[:2000]).update(line[2000:])
    assert 0.005 < np.mean(alarms) < 0.02
    assert limits[-1] - limits[0] == pytest.approx(20 * 12 / 14, abs=2)


@pytest.mark.parametrize("make", [lambda: Spot(0.01), lambda: Dspot(0.01, depth=30)])
def test_one_by_one_in_batches_and_resumed_are_the_same_to_the_last_bit(make, rng):
    normal, line = rng.exponential(size=600), rng.exponential(size=900)
    line[[5, 100]], line[[50, 51]] = np.nan, [np.inf, 99.0]
    alarms, limits = make().fit(normal).update(line)
    single = make().fit(normal)
    ones = [single.update(score) for score in line]
    np.testing.assert_array_equal(alarms, np.concatenate([one[0] for one in ones]))
    np.testing.assert_array_equal(limits, np.concatenate([one[1] for one in ones]))
    first = make().fit(normal)
    first.update(line[:401])
    again = type(first)().restore(first.state())
    np.testing.assert_array_equal(limits[401:], again.update(line[401:])[1])
    assert alarms[[5, 50, 51, 100]].tolist() == [False, True, True, False]


def test_an_alarm_that_lasts_teaches_nothing(rng):
    spot = Spot(0.001).fit(rng.exponential(size=2000))
    before = spot.state()
    assert spot.update(np.full(500, 1e3))[0].all()
    for name, value in spot.state().items():
        np.testing.assert_array_equal(value, before[name])


def test_what_a_stream_keeps_is_bounded(rng):
    spot = Spot(0.05, most=100).fit(rng.random(1000))
    spot.update(rng.random(1000))
    assert len(spot.state()["kept"]) == 100


def test_a_restarted_dspot_waits_for_its_mean_and_then_judges(rng):
    spot = Dspot(0.001, depth=50).fit(rng.random(1000))
    assert spot.update(100 + rng.random(20))[0].all()
    alarms, limits = spot.restart().update(np.r_[100 + rng.random(100), 150.0])
    assert not alarms[:50].any() and np.isinf(limits[:50]).all()
    assert alarms[50:].sum() <= 2 and alarms[-1]


def test_a_stream_of_constant_scores_says_so():
    spot = Spot(0.01).fit(np.ones(100))
    assert "stays" in spot.notes[0]
    assert spot.update([1.0, 1.1])[0].tolist() == [False, True]
