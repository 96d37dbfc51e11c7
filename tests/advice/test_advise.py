"""The verdict: on sets of known answer, on bad input, and what it is made of."""

import json
from dataclasses import replace

import numpy as np
import pytest

import timeloom as tl
from timeloom.advice import Advice, advise, simulated

# One seed each time, many where minutes do not matter.
SEEDS = pytest.mark.parametrize(
    "seed", [1, *(pytest.param(seed, marks=pytest.mark.slow) for seed in range(2, 12))]
)


def said(advice):
    return " ".join(advice.reasons)


def shuffled(windows, seed):
    return replace(windows, y=np.random.default_rng(seed).permutation(windows.y))


@SEEDS
def test_a_learnable_set_with_headroom_gets_a_yes(seed):
    advice = advise(simulated(300, seed), seed=seed)
    figures = advice.figures
    assert advice.verdict == "yes", str(advice)
    assert 0.7 < figures["auroc"] < 0.9 and figures["level"] == "ideal"
    assert figures["auroc_low"] > figures["auroc_shuffled_95"] and figures["p_shuffled"] < 0.05
    assert figures["shares"] == {"normal": 0.9, "transient": 0.1}
    assert figures["gradient_ratio_null"] == pytest.approx(9)
    assert figures["curve"][0] < figures["curve"][-1] and figures["gain_measurable"]
    assert figures["advice"]["windows"] == {"normal": 0, "transient": 240}
    assert "headroom" in said(advice) and "generate 240 of transient" in said(advice)


@SEEDS
def test_shuffled_labels_get_a_no(seed):
    advice = advise(shuffled(simulated(300, seed), seed), seed=seed)
    assert advice.verdict == "no" and advice.figures["advice"] == {}
    assert "train no generator" in said(advice)


@SEEDS
def test_rare_labels_on_noise_get_a_no_though_their_gradients_are_long(seed):
    rng = np.random.default_rng(seed)
    y = rng.permutation(np.repeat([0, 1, 2], [20, 360, 20]))
    advice = advise(rng.standard_normal((400, 24, 2)), y, seed=seed)
    assert advice.verdict == "no"
    assert advice.figures["gradient_ratio"] > 5
    assert advice.figures["gradient_ratio_null"] == pytest.approx(10.7, abs=0.05)
    assert advice.figures["gradient_excess"] == pytest.approx(1, abs=0.15)
    assert "it restates the imbalance" in said(advice)


@pytest.fixture(scope="module")
def wafer(data_folder):
    """The canonical training set, its 152 time points resampled to 24."""
    train, _ = tl.load_dataset("ucr_wafer")
    windows = tl.cut(train, 152)
    at = np.linspace(0, 151, 24)
    x = np.stack([np.interp(at, np.arange(152), one[:, 0]) for one in windows.x])
    return replace(windows, x=x[:, :, None])


def test_wafer_is_saturated(wafer):
    advice = advise(wafer)
    assert advice.verdict == "limited", str(advice)
    assert "saturated" in advice.reasons[0] and advice.figures["auroc"] > 0.98
    assert advice.figures["advice"]["source"] in ("minority", "balanced")


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(4))
def test_wafer_is_saturated_at_full_length_and_shuffled_it_is_a_no(data_folder, seed):
    train, test = (tl.cut(part, 152) for part in tl.load_dataset("ucr_wafer"))
    advice = advise(train, test=test, seed=seed)
    assert advice.verdict == "limited" and "saturated" in advice.reasons[0]
    assert "No gain is measurable with this test set" in said(advice)
    assert advise(shuffled(train, seed), seed=seed).verdict == "no"


def prices(series, extreme):
    """Log prices relative to the first close, log volume less its mean; 5-day return as class."""
    x, gain, owner, start = [], [], [], []
    for k, one in enumerate(series):
        values = one.values[np.isfinite(one.values).all(axis=1)]
        for begin in range(0, len(values) - 28, 24):
            cut = values[begin : begin + 24]
            volume = np.log(np.maximum(cut[:, 4:], 1))
            x.append(np.hstack([np.log(cut[:, :4] / cut[0, 3]), volume - volume.mean()]))
            gain.append(values[begin + 28, 3] / values[begin + 23, 3] - 1)
            owner.append(k)
            start.append(begin)
    gain = np.array(gain)
    low, high = np.quantile(gain, [0.05, 0.95])
    y = 1 + (gain >= high) - (gain <= low) if extreme else (gain > 0).astype(int)
    return tl.Windows(np.array(x), y, np.array(owner), np.array(start))


@pytest.mark.slow
@pytest.mark.parametrize("extreme", [False, True])
@pytest.mark.parametrize("seed", range(2))
def test_directions_of_share_prices_get_a_no(data_folder, extreme, seed):
    train, _ = tl.load_dataset("nasdaq_5yr")
    advice = advise(prices(train, extreme), seed=seed)
    figures = advice.figures
    assert advice.verdict == "no" and figures["folds"] == "times"
    assert figures["auroc"] < figures["auroc_same_time"]
    assert (figures["p_shuffled"] < 0.05) == extreme  # large moves can be told a little


def overlapping(seed=0, shift=0):
    """Windows of 40 noisy recordings that overlap by half; every second recording is louder."""
    rng = np.random.default_rng(seed)
    loud = [1 + 0.35 * (k % 2) for k in range(40)]
    series = [tl.Series(a * rng.standard_normal((60, 1)), np.asarray(a > 1)) for a in loud]
    return tl.cut([tl.Series(one.values[shift:], one.label) for one in series], 12, 6)


def test_test_windows_that_overlap_the_training_windows_cap_the_verdict():
    train = overlapping()
    advice = advise(train, test=overlapping(shift=3))
    held = advice.figures["feasible"]["shared"]
    assert advice.verdict == "limited" and held > 0.9 * len(overlapping(shift=3))
    assert "no score on this test set can be believed" in said(advice)
    assert advise(train, test=overlapping(seed=1)).figures["feasible"]["shared"] == 0


def test_overlapping_windows_of_unnamed_recordings_cap_the_verdict():
    train = overlapping()
    assert advise(train).figures["folds"] == "recordings"
    advice = advise(train.x, np.asarray(train.y))
    assert advice.figures["folds"] == "windows" and advice.figures["feasible"]["repeated"] > 0.9
    assert advice.verdict != "yes" and "Name the recordings" in said(advice)


def test_the_test_windows_are_counted_and_never_scored():
    train, test = simulated(120, 1), simulated(1000, 2)
    with_test = advise(train, test=test)
    other = advise(train, test=shuffled(test, 0))
    alone = advise(train)
    told, changed = with_test.figures, other.figures
    assert told["test_counts"] == {"normal": 900, "transient": 100}
    for figures in (told, changed):
        figures.pop("cpu_seconds")
    assert told == changed
    assert told["auroc"] == alone.figures["auroc"]
    assert told["error_of_gain"] < 0.6 * alone.figures["error_of_gain"]


def test_many_windows_are_thinned_and_rare_ones_kept():
    windows = simulated(900, 0, share=0.05)
    advice = advise(windows, limit=200)
    figures = advice.figures
    assert figures["counts"] == {"normal": 855, "transient": 45}
    assert 200 <= figures["windows_seen"] <= 230
    assert f"saw {figures['windows_seen']} of 900 windows" in advice.reasons[-1]


def test_the_same_seed_gives_the_same_answer_and_another_one_another():
    windows = simulated(100, 0)
    first, second, third = (advise(windows, seed=seed).figures for seed in (0, 0, 1))
    for figures in (first, second, third):
        figures.pop("cpu_seconds")
    assert first == second != third


def test_rare_classes_gaps_and_rest_are_said():
    windows = simulated(100, 0, channels=2)
    windows.x[:, :, 1] = 3.0
    windows.x[:, ::3, 0] = np.nan
    text = said(advise(windows))
    assert "Fewer than 30 windows of class transient (10)" in text
    assert "Channels that never move: c1" in text


def test_five_windows_of_a_class_are_enough_for_an_answer(rng):
    advice = advise(rng.standard_normal((15, 20, 1)), np.arange(15) % 3)
    assert advice.verdict == "no" and advice.figures["curve_sizes"][-1] == 12


BAD = {
    "no labels": (lambda w: (w.x,), {}, "there are no labels"),
    "one class": (lambda w: (w.x, np.zeros(60)), {}, "at least two classes"),
    "values": (lambda w: (w.x, np.linspace(0, 1, 60)), {}, "are values, from 0 to 1"),
    "few": (lambda w: (w.x, np.arange(60) < 4), {}, "class True has 4"),
    "missing": (lambda w: (w.x, np.where(np.arange(60) < 9, np.nan, 1)), {}, "9 of 60 labels"),
    "infinite": (lambda w: (w.x / (w.x > w.x.min()), w.y), {}, "channel 'c0' of the training"),
    "empty": (lambda w: (w.x * np.nan, w.y), {}, "no measured value"),
    "task": (lambda w: (w,), {"task": "regress"}, "make classes of them first"),
    "length": (lambda w: (w,), {"test": simulated(60, 1, length=16)}, "Cut both alike"),
    "channels": (lambda w: (w,), {"test": simulated(60, 1, channels=2)}, "got c0, c1"),
    "classes": (
        lambda w: (w,),
        {"test": replace(simulated(60, 1), y=np.repeat("odd", 60))},
        "got odd, which no training window has",
    ),
    "test labels": (lambda w: (w,), {"test": replace(simulated(60, 1), y=None)}, "of the test"),
}


@pytest.mark.filterwarnings("ignore:divide by zero")
@pytest.mark.parametrize("case", BAD)
def test_bad_input_is_refused_in_a_sentence(case):
    given, how, words = BAD[case]
    with pytest.raises(ValueError) as refused:
        advise(*given(simulated(60, 0, share=0.2)), **how)
    assert words in str(refused.value) and "\n" not in str(refused.value)


def test_an_answer_prints_and_becomes_json():
    answer = Advice("no", ["Because. " * 30], {"a": np.float64(0.123456), "b": [np.nan, (1, 2)]})
    assert json.loads(answer.to_json()) == {
        "verdict": "no",
        "reasons": ["Because. " * 30],
        "figures": {"a": 0.1235, "b": [None, [1, 2]]},
    }
    lines = str(answer).splitlines()
    assert lines[0] == "verdict: no" and max(map(len, lines)) <= 96
    with pytest.raises(ValueError, match="verdict must be one of"):
        Advice("perhaps", ())


def test_simulated_windows_hold_what_was_asked_for():
    windows = simulated(200, 3, share=0.15, length=20, channels=2)
    assert windows.x.shape == (200, 20, 2) and (windows.y == "transient").sum() == 30
    np.testing.assert_array_equal(windows.x, simulated(200, 3, share=0.15, length=20, channels=2).x)
    assert not np.allclose(windows.x, simulated(200, 4, share=0.15, length=20, channels=2).x)
    assert simulated(3000, 0, size=0).x.std() == pytest.approx(1, abs=0.05)


def test_simulated_windows_are_as_difficult_as_asked_for():
    easy, hard = (advise(simulated(200, 0, size=size)).figures for size in (3.0, 0.0))
    assert easy["auroc"] > 0.9 and hard["auroc"] < 0.65 and hard["level"] == "no"


def test_a_simulation_out_of_range_is_refused():
    with pytest.raises(ValueError, match="share between 0 and 1"):
        simulated(100, share=1.5)


@pytest.mark.parametrize("seed", [1, 2, 14])
def test_five_rare_windows_of_noise_are_never_a_yes(seed):
    """Lucky draws: an AUROC of .81, whose interval must be a number and whose verdict not yes."""
    x = np.random.default_rng(seed).standard_normal((60, 40, 2))
    advice = advise(x, np.array(["rare"] * 5 + ["often"] * 55))
    assert advice.verdict != "yes" and np.isfinite(advice.figures["auroc_low"])
