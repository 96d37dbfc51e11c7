"""Classifiers to guide by: how they are trained and chosen, which are refused."""

import copy

import numpy as np
import pytest
import torch
from torch import nn

from tests import naive_utility as naive
from tests.methods.bumps import bumps
from timeloom.data.windows import Windows
from timeloom.methods.classifier import (
    CHECKS,
    KINDS,
    ChannelFirst,
    auroc,
    build,
    check,
    mean_loss,
    set_aside,
    train_classifier,
)
from timeloom.train.reader import outputs_of


def tensors(windows):
    classes = np.unique(windows.y)
    x = windows.x / [1, 10]
    return torch.tensor(x, dtype=torch.float32), torch.tensor(np.searchsorted(classes, windows.y))


def test_the_area_of_two_classes_is_the_share_of_pairs_in_order():
    rng = np.random.default_rng(0)
    said, truth = rng.standard_normal((40, 2)).round(1), rng.random(40) < 0.3
    wanted = naive.auroc(said[:, 1] - said[:, 0], truth)
    assert auroc(said, truth.astype(int)) == pytest.approx(wanted, abs=1e-12)


def test_the_area_of_more_classes_is_the_mean_over_those_that_are_there():
    rng = np.random.default_rng(1)
    said, truth = 3 * rng.standard_normal((60, 4)), rng.integers(0, 3, 60)
    chance = np.exp(said) / np.exp(said).sum(1, keepdims=True)
    wanted = np.mean([naive.auroc(chance[:, c], truth == c) for c in range(3)])
    assert auroc(said, truth) == pytest.approx(wanted, abs=1e-12)
    assert auroc(said[:5], np.zeros(5, dtype=int)) == 0.5


def test_the_area_is_that_of_outputs_that_a_softmax_would_round_to_1():
    said = np.array([[0.0, 100.0], [0.0, 101.0], [0.0, 102.0], [0.0, 103.0]])
    assert auroc(said, np.array([0, 0, 1, 1])) == 1.0


@pytest.mark.parametrize("kind", KINDS)
def test_our_classifiers_read_time_first_and_the_seed_gives_their_weights(kind):
    x = torch.randn(4, 10, 2, generator=torch.Generator().manual_seed(0))
    torch.manual_seed(1)
    before = torch.get_rng_state()
    one, same, other = (build(kind, 2, 3, seed) for seed in (0, 0, 1))
    assert torch.equal(torch.get_rng_state(), before)
    assert one(x).shape == (4, 3)
    assert torch.equal(one(x), same(x)) and not torch.equal(one(x), other(x))
    torch.testing.assert_close(ChannelFirst(one)(x.mT), one(x))
    with pytest.raises(ValueError, match="must be resnet or gru, or a torch module .* got 'lstm'"):
        build("lstm", 2, 3, 0)


@pytest.mark.parametrize("flat", [True, False])
def test_one_output_is_the_score_of_the_second_class(flat):
    class One(nn.Module):
        def forward(self, x):
            return x.sum(dim=(1, 2)) if flat else x.sum(dim=(1, 2))[:, None]

    x = torch.randn(5, 3, 2)
    said = ChannelFirst(One())(x.mT)
    score = x.sum(dim=(1, 2))
    torch.testing.assert_close(said.softmax(1)[:, 1], score.sigmoid())
    wanted = nn.functional.binary_cross_entropy_with_logits(score, torch.ones(5))
    torch.testing.assert_close(mean_loss(said, torch.ones(5, dtype=torch.long)), wanted)


@pytest.mark.parametrize("kind", KINDS)
def test_the_weights_with_the_best_area_on_other_windows_are_kept(kind):
    """Not the last ones, and a copy of their own."""
    learn, choose = tensors(bumps(60, noise=1.5)), tensors(bumps(60, noise=1.5, seed=1))
    net, seen = build(kind, 2, 2, 0), []

    class Watched(nn.Module):
        def __init__(self):
            super().__init__()
            self.inner = net

        def forward(self, x):
            if not self.training and len(x) == 60:
                seen.append(copy.deepcopy(self.state_dict()))
            return self.inner(x)

    watched = Watched()
    how = dict(classes=2, steps=40, balance=False, seed=0)
    found = train_classifier(watched, learn, choose, **how)
    kept = {name: value.clone() for name, value in watched.state_dict().items()}
    assert len(seen) == CHECKS + 1  # and once for what was kept
    areas = []
    for weights in seen[:CHECKS]:
        net.load_state_dict({k.removeprefix("inner."): v for k, v in weights.items()})
        areas.append(auroc(outputs_of(net, choose[0]).numpy(), choose[1].numpy()))
    assert found == pytest.approx(max(areas)) and areas[-1] < found
    place = [all(torch.equal(kept[k], one[k]) for k in kept) for one in seen[:CHECKS]]
    assert place.count(True) == 1 and areas[place.index(True)] == pytest.approx(found)


def test_classes_can_be_drawn_equally_often():
    """With 8 of 200 windows in the second class, an unbalanced classifier is far less sure."""
    learn = tensors(bumps(200, rare=0.0, noise=1.5))
    choose = tensors(bumps(100, noise=1.5, seed=1))
    shares = []
    for balance in (True, False):
        net, drawn = build("resnet", 2, 2, 0), []
        net.register_forward_hook(
            lambda module, given, said, to=drawn: to.append(given[0]) if module.training else None
        )
        train_classifier(net, learn, choose, classes=2, steps=12, balance=balance, seed=0)
        rows = torch.cat(drawn).flatten(1)
        rare = learn[0][learn[1] == 1].flatten(1)
        shares.append(float((rows[:, None, :4] == rare[None, :, :4]).all(2).any(1).double().mean()))
    assert abs(shares[0] - 0.5) < 0.06 and abs(shares[1] - 8 / 200) < 0.01


def test_a_share_of_every_class_is_set_aside():
    windows = bumps(100, rare=0.1)
    windows = Windows(windows.x, windows.y)  # every window is a recording of its own
    rest, aside = set_aside(windows, 0.25, seed=0)
    for label in np.unique(windows.y):
        count = (windows.y == label).sum()
        assert (aside.y == label).sum() == round(0.25 * count)
    whole = {tuple(x.ravel()) for x in windows.x}
    parts = [{tuple(x.ravel()) for x in part.x} for part in (rest, aside)]
    assert parts[0] | parts[1] == whole and not parts[0] & parts[1]
    assert not np.array_equal(set_aside(windows, 0.25, seed=1)[1].x, aside.x)


def test_whole_recordings_are_set_aside_where_they_are_known():
    windows = bumps(80)
    for seed in range(5):
        rest, aside = set_aside(windows, 0.25, seed=seed)
        assert not set(rest.series) & set(aside.series)
        assert len(np.unique(rest.y)) == len(np.unique(aside.y)) == 2


def test_a_class_that_lives_in_one_recording_still_stands_on_both_sides():
    windows = bumps(80)
    y = np.where(windows.series == 3, "rise", "plain")
    rest, aside = set_aside(Windows(windows.x, y, windows.series, windows.start), 0.25, seed=0)
    assert (rest.y == "rise").sum() == 3 and (aside.y == "rise").sum() == 1


@pytest.mark.parametrize("stride", [1, 5])
def test_windows_that_overlap_never_stand_on_both_sides(stride):
    rng = np.random.default_rng(0)
    starts = np.arange(0, 600, stride)
    series, start = np.repeat(np.arange(3), len(starts)), np.tile(starts, 3)
    y = np.where((start // 60) % 3 == 0, "rise", "plain")
    x = rng.standard_normal((len(start), 20, 1))
    rest, aside = set_aside(Windows(x, y, series, start), 0.25, seed=1)
    for one in np.unique(series):
        left, right = (part.start[part.series == one] for part in (rest, aside))
        if len(left) and len(right):
            assert np.abs(left[:, None] - right[None]).min() >= 20
    for part in (rest, aside):
        assert len(np.unique(part.y)) == 2
    assert 0.1 < len(aside) / len(y) < 0.5 and len(rest) > 0.3 * len(y)


def test_a_class_that_cannot_be_parted_in_time_is_said():
    start = np.tile(np.arange(0, 200, 2), 2)
    series = np.repeat([0, 1], 100)
    y = np.where((series == 0) & (start < 12), "rise", "plain")
    with pytest.warns(UserWarning, match="overlap with training windows"):
        rest, aside = set_aside(Windows(np.zeros((200, 20, 1)), y, series, start), 0.25, seed=0)
    assert len(np.unique(rest.y)) == len(np.unique(aside.y)) == 2


@pytest.mark.parametrize("share", [0.0, 1.0, -0.5, float("nan")])
def test_a_share_that_leaves_a_side_empty_is_refused(share):
    with pytest.raises(ValueError, match="validation must be a share between 0 and 1"):
        set_aside(bumps(20), share, seed=0)


class Broken(nn.Module):
    def __init__(self, say):
        super().__init__()
        self.scale = nn.Parameter(torch.ones(()))
        self.say = say

    def forward(self, x):
        return self.scale * self.say(x)


SAYS = {
    "must return logits .window, class. = .6, 3.; got .6, 4.": lambda x: x[:, :4, 0],
    "must return logits .window, class. = .6, 3.; got .6, 1.": lambda x: x[:, :1, 0],
    "must return logits .window, class. = .6, 3.; got .6, 5, 3.": lambda x: x.new_ones(6, 5, 3),
    "must return finite numbers; got NaN or inf for 2 of 6": (
        lambda x: x[:, :3, 0].masked_fill(torch.arange(6)[:, None] < 2, torch.nan)
    ),
    r"must read windows .window, time, channel. = .6, 10, 2.; it failed with: mat1": (
        lambda x: x @ x.new_ones(7, 3)
    ),
}


@pytest.mark.parametrize("sentence", SAYS)
def test_a_classifier_that_does_not_fit_is_refused(sentence):
    with pytest.raises(ValueError, match=sentence):
        check(Broken(SAYS[sentence]), torch.randn(6, 10, 2), 3)


def test_nan_in_a_single_column_is_counted_by_window():
    bad = Broken(lambda x: x[:, 0, 0].masked_fill(torch.arange(6) < 4, torch.nan))
    with pytest.raises(ValueError, match="NaN or inf for 4 of 6 guidance windows"):
        check(bad, torch.randn(6, 10, 2), 2)


def test_a_classifier_without_parameters_is_refused():
    with pytest.raises(ValueError, match="must be a network with parameters.* got a Flatten"):
        check(nn.Flatten(), torch.randn(6, 10, 2), 20)


TWO = {
    "two": lambda x: x[:, 0],
    "one column": lambda x: x[:, 0, :1],
    "one": lambda x: x[:, 0, 0],
}


@pytest.mark.parametrize("said", TWO)
def test_classifiers_of_two_classes_may_have_one_output(said):
    check(Broken(TWO[said]), torch.randn(6, 10, 2), 2)
    with pytest.raises(ValueError, match="must return logits .window, class. = .6, 3."):
        check(Broken(TWO[said]), torch.randn(6, 10, 2), 3)
