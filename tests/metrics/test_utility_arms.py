"""Do the arms meet on equal terms, and is a planted fault found?"""

import numpy as np
import pytest
import torch

from tests.metrics.test_utility import levels, ramps
from timeloom.metrics.discriminator import standardise
from timeloom.metrics.judging import Training, fit_judge
from timeloom.metrics.utility import (
    ARMS,
    arms,
    arms_at,
    chosen_on,
    class_reader,
    paired_interval,
    protocols,
    scores,
    shown_class,
)

QUICK = Training("kernels", kernels=40)


def test_real_windows_in_the_place_of_synthetic_ones_are_as_good_as_the_baseline():
    train, more, test = (levels(400, s, noise=2.0) for s in (0, 1, 2))
    found = protocols(train, more, test, task="classify", judge=QUICK)
    pairs = {arm: paired_interval(found[arm], found["baseline"], "auroc") for arm in ARMS}
    assert pairs["baseline"].score.value > 0.85
    for arm, pair in pairs.items():
        assert abs(pair.difference.value) < 0.05, arm


@pytest.mark.parametrize("kind", ["kernels", "resnet"])
def test_permuted_labels_are_seen_by_a_judge_that_learnt_from_real_windows(kind):
    train, (x, y) = levels(300, 0), levels(300, 1)
    wrong = np.random.default_rng(0).permutation(y)
    read = class_reader(train, np.array(["high", "low"]), judge=Training(kind, 40, kernels=40))
    right, asked = (np.searchsorted(["high", "low"], told) for told in (y, wrong))
    assert shown_class(read, x, right) > 0.9
    assert abs(shown_class(read, x, asked) - 0.5) < 0.12


def test_labels_permuted_over_and_over_teach_nothing_and_harm():
    figures = []
    for seed in range(12):
        train, made, test = (levels(100, 10 * seed + s) for s in (0, 1, 2))
        wrong = (made[0], np.random.default_rng(seed).permutation(made[1]))
        found = protocols(train, wrong, test, task="classify", judge=QUICK, seed=seed)
        figures.append(scores(found["tstr"])["auroc"])
        assert paired_interval(found["tstr"], found["equal"], "accuracy").word != "helps"
        assert scores(found["baseline"])["auroc"] > 0.97
    assert abs(np.mean(figures) - 0.5) < 4 * np.std(figures) / np.sqrt(len(figures)) < 0.5


@pytest.mark.parametrize("kind", ["resnet", "gru"])
def test_every_arm_takes_the_same_number_of_steps(kind, monkeypatch):
    taken = []
    inner = torch.optim.Adam.step

    def counted(self, *args, **kwargs):
        taken.append(sum(len(group["params"]) for group in self.param_groups))
        return inner(self, *args, **kwargs)

    monkeypatch.setattr(torch.optim.Adam, "step", counted)
    sides = [levels(n, s) for s, n in enumerate((30, 900, 20))]
    how = Training(kind, steps=7, checks=2)
    found = protocols(*sides, task="classify", judge=how, arms=arms_at(20))
    assert {one.steps for one in found.values()} == {7}
    assert len(taken) == 7 * 4  # equal and baseline learn from the same windows, once
    assert found["baseline"].learned == 24 and found["tsrtr"].learned == 24 * 21


@pytest.mark.parametrize("kind", ["resnet", "kernels"])
def test_the_baseline_knows_nothing_of_the_synthetic_windows(kind):
    train, test = ramps(60, 0), ramps(40, 1)
    how = Training(kind, steps=4, kernels=30)
    one, other = (
        protocols(train, made, test, task="regress", judge=how)
        for made in (ramps(60, 2), ramps(60, 3, noise=9))
    )
    np.testing.assert_array_equal(one["baseline"].said, other["baseline"].said)
    assert not np.array_equal(one["tstr"].said, other["tstr"].said)


@pytest.mark.parametrize("kind", ["resnet", "kernels"])
def test_windows_and_labels_are_scaled_by_the_real_training_windows_alone(kind, monkeypatch):
    read = []

    def watched(*sets, by):
        out = standardise(*sets, by=by)
        read.append((by, [len(one) for one in sets], out))
        return out

    monkeypatch.setattr(arms, "standardise", watched)
    train, (x, y), test = ramps(60, 0), ramps(60, 2), ramps(40, 1)
    collapsed = (0.01 * (x - x.mean()) + x.mean(), y)
    how = Training(kind, steps=3, kernels=30)
    for made in ((x, y), collapsed):
        protocols(train, made, test, task="regress", judge=how)
    assert all(by is train[0] for by, _, _ in read)
    tried = [out[0] for _, sizes, out in read if sizes == [40]]
    np.testing.assert_array_equal(tried[0], tried[1])


def test_a_collapsed_synthetic_set_is_worse_in_the_scale_of_the_real_one():
    train, (x, y), test = ramps(200, 0), ramps(200, 2), ramps(200, 1)
    flat = (0.1 * x, y)
    good, bad = (
        protocols(train, made, test, task="regress", judge=QUICK) for made in ((x, y), flat)
    )
    assert scores(bad["tstr"])["rmse"] > 3 * scores(good["tstr"])["rmse"]
    assert paired_interval(bad["tstr"], bad["equal"], "rmse").word == "harms"


@pytest.mark.parametrize("kind", ["resnet", "kernels"])
def test_the_judge_is_chosen_on_real_windows_that_no_arm_learns_from(kind, monkeypatch):
    train, made, test = ramps(100, 0), ramps(100, 2), ramps(20, 1)
    mark = np.arange(100.0)
    seen = []

    def watched(how, learn, choose, **rest):
        seen.append((learn[1], choose[1]))
        return fit_judge(how, learn, choose, **rest)

    monkeypatch.setattr(arms, "fit_judge", watched)
    groups = np.arange(100) // 5
    how = Training(kind, steps=2, kernels=5)
    sides = ((train[0], mark, groups), (made[0], mark + 1000), test)
    protocols(*sides, task="regress", judge=how)
    held = chosen_on(sides[0], task="regress")
    for learn, choose in seen:
        real, made_of = (np.round(one * mark.std() + mark.mean()) for one in (choose, learn))
        np.testing.assert_array_equal(np.sort(real), mark[held])
        assert not set(made_of) & set(mark[held])
    assert held.sum() == 20 and not set(groups[held]) & set(groups[~held])


@pytest.mark.parametrize("kind", ["resnet", "kernels"])
def test_windows_given_to_choose_on_leave_all_training_windows_to_learn_from(kind, monkeypatch):
    train, made, test, choose = (ramps(n, s) for s, n in enumerate((60, 60, 20, 15)))
    seen = []

    def watched(how, learn, check, **rest):
        seen.append((learn[1], check[1]))
        return fit_judge(how, learn, check, **rest)

    monkeypatch.setattr(arms, "fit_judge", watched)
    how = Training(kind, steps=2, kernels=5)
    found = protocols(train, made, test, task="regress", judge=how, choose=choose)
    assert found["baseline"].learned == 60 and found["tsrtr"].learned == 120
    level, unit = train[1].mean(), train[1].std()
    for _, check in seen:
        np.testing.assert_allclose(check * unit + level, choose[1])
    np.testing.assert_allclose(np.sort(seen[0][0] * unit + level), np.sort(train[1]))


def test_a_fifth_of_a_rare_class_is_for_choosing():
    y = np.repeat(["a", "b"], [190, 10])
    held = chosen_on((np.zeros((200, 3, 1)), y), task="classify", seed=3)
    assert (held & (y == "b")).sum() == 2 and held.sum() == 40


def test_recordings_of_one_class_each_leave_every_class_to_learn_from():
    y, groups = np.repeat(np.arange(5), 10), np.repeat([0, 0, 1, 2, 2, 3, 4, 5, 6, 7], 5)
    for seed in range(5):
        held = chosen_on((np.zeros((50, 3, 1)), y, groups), task="classify", seed=seed)
        assert len(np.unique(y[~held])) >= 4 and 0 < held.sum() < 25


def test_arms_hold_what_their_names_say():
    train, made, test = ramps(100, 0), ramps(200, 2), ramps(20, 1)
    found = protocols(train, made, test, task="regress", judge=QUICK, arms=arms_at(2.5))
    learned = {arm: one.learned for arm, one in found.items()}
    assert learned == {"baseline": 80, "equal": 80, "tstr": 80, "tsrtr": 280, "mixed": 80}
    few = {arm: sum(shares) for arm, shares in arms_at(0.25).items()}
    assert few == {"baseline": 1, "equal": 0.25, "tstr": 0.25, "tsrtr": 1.25, "mixed": 0.5}


def test_seeds_change_the_predictions_and_the_same_seed_repeats_them():
    sides = [ramps(n, s) for s, n in enumerate((60, 60, 30))]
    one, again, other = (
        protocols(*sides, task="regress", judge=QUICK, seed=s)["tsrtr"].said for s in (0, 0, 1)
    )
    np.testing.assert_array_equal(one, again)
    assert not np.array_equal(one, other)


def test_gaps_are_read_as_the_channels_mean():
    sides = [ramps(n, s) for s, n in enumerate((60, 60, 30))]
    holed = [(np.where(np.arange(12)[:, None] % 5 == 0, np.nan, x), y) for x, y in sides]
    found = protocols(*holed, task="regress", judge=QUICK)
    assert all(np.isfinite(one.said).all() for one in found.values())


def test_a_class_that_is_nowhere_in_training_is_no_crash():
    train, made, test = levels(60, 0), levels(60, 1), levels(60, 2, labels=("high", "low", "mid"))
    found = protocols(train, made, test, task="classify", judge=QUICK)
    assert found["tstr"].said.shape == (60, 3)
    assert np.isfinite(scores(found["tstr"])["balanced_accuracy"])


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"task": "rank"}, "classify"),
        ({"judge": "lstm"}, "judge"),
        ({"arms": {"tsrtr": (1, 9)}}, "needs 432 synthetic"),
        ({"arms": {"none": (0, 0)}}, "no window"),
        ({"train": ramps(4, 0)}, "at least 5"),
        ({"train": (ramps(60, 0)[0], np.ones(60))}, "one label"),
        ({"synthetic": (ramps(60, 0)[0], np.ones(3))}, "60 windows and 3 labels"),
        ({"test": (np.zeros((20, 3, 2)), np.ones(20))}, "shape"),
        ({"choose": (np.zeros((20, 3, 2)), np.ones(20))}, "choose windows must have shape"),
    ],
)
def test_bad_input_is_refused_in_a_clear_sentence(change, words):
    given = {"train": ramps(60, 0), "synthetic": ramps(60, 1), "test": ramps(20, 2)}
    given |= {"task": "regress", "judge": QUICK} | change
    sides = [given.pop(name) for name in ("train", "synthetic", "test")]
    with pytest.raises(ValueError, match=words):
        protocols(*sides, **given)


def test_a_ratio_of_nothing_is_refused():
    with pytest.raises(ValueError, match="above 0"):
        arms_at(0)
