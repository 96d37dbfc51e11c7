"""How strongly to guide: when the quick gradient is trusted, what "auto" tries and chooses."""

import numpy as np
import pytest
import torch
from torch import nn

from tests.methods.bumps import bumps, generator
from timeloom.data.windows import Windows
from timeloom.diffusion.gradients import class_gradients
from timeloom.methods.classifier import ChannelFirst, build
from timeloom.methods.strength import SCALES, agreement, said_outside
from timeloom.methods.tardiff import TarDiff
from timeloom.nets.resnet import ResNet
from timeloom.train.reader import train_reader


@pytest.fixture(scope="module")
def quick():
    """A generator that has hardly learned anything."""
    return generator(bumps(), steps=20)


def compared(net):
    windows = bumps(60)
    x = torch.tensor(windows.x / [1, 10], dtype=torch.float32).mT.contiguous()
    y = torch.tensor((windows.y == "rise").astype(int))
    loss = nn.functional.cross_entropy
    train_reader(net, x[:30], y[:30], loss=loss, steps=20, batch=16)
    toward = class_gradients(net, x[30:], y[30:], 2).mean(0)
    return agreement(net, toward, x, y)


@pytest.mark.parametrize("kind", ["resnet", "gru"])
def test_the_quick_gradient_is_trusted_for_our_networks(kind):
    assert compared(ChannelFirst(build(kind, 2, 2, 0))) > 0.99


def test_the_quick_gradient_is_not_trusted_for_a_network_with_kinks():
    torch.manual_seed(0)
    assert compared(ResNet(2, 2, smooth=False)) < 0.99


def test_a_method_takes_the_exact_gradient_where_the_quick_one_is_not_to_be_trusted(quick):
    class Kinks(nn.Module):
        def __init__(self):
            super().__init__()
            torch.manual_seed(0)
            self.net = ResNet(2, 2, width=16, smooth=False)

        def forward(self, x):
            return self.net(x.mT)

    found = TarDiff(quick, Kinks(), 0.2).fit(bumps(60))
    assert found.exact_ and found.push(0.2).exact
    smooth = TarDiff(quick, "gru", 0.2, train_steps=5).fit(bumps(60))
    assert not smooth.exact_ and not smooth.push(0.2).exact


def test_windows_whose_gradient_vanishes_do_not_decide():
    torch.manual_seed(0)
    net = nn.Sequential(nn.Flatten(), nn.Linear(4, 8), nn.Tanh(), nn.Linear(8, 2))
    x, y = torch.randn(20, 2, 2), torch.arange(20) % 2
    toward = class_gradients(net, x, y, 2).mean(0)
    with torch.no_grad():
        net[3].bias[0] = 30.0  # the first class is certain: its windows have next to no gradient
    assert agreement(net, toward, x, y) > 0.99


@pytest.fixture(scope="module")
def chosen(quick):
    how = dict(train_steps=8, seed=1)
    return {
        "easy": TarDiff(quick, "gru", **how).fit(bumps(80, noise=0.02)),
        "hard": TarDiff(quick, "gru", **how).fit(bumps(80, noise=2.0, rare=0.2)),
    }


@pytest.mark.parametrize("name", ["easy", "hard"])
def test_auto_tries_every_strength_and_keeps_0_unless_another_is_surely_better(chosen, name):
    found = chosen[name]
    assert [one["scale"] for one in found.scales_] == list(SCALES) and SCALES[0] == 0
    assert found.scales_[0]["error"] == 0
    assert found.scale_ in SCALES
    best = max(found.scales_, key=lambda one: one["auroc"])
    gain = best["auroc"] - found.scales_[0]["auroc"]
    assert found.scale_ == (best["scale"] if gain > 2 * best["error"] else 0)


def test_where_nothing_can_be_gained_auto_is_0(chosen):
    found = chosen["easy"]
    assert {one["auroc"] for one in found.scales_} == {1.0} and found.scale_ == 0
    with pytest.raises(ValueError, match="finite"):
        found.sample(1, "rise", scale=float("nan"))


def test_a_chosen_strength_is_the_one_that_sampling_uses(chosen):
    found = chosen["easy"]
    base = found.generator.sample(6, "rise", seed=2).x
    np.testing.assert_array_equal(found.sample(6, "rise", seed=2).x, base)
    other = found.sample(6, "rise", seed=2, scale=SCALES[-1]).x
    found.scale_ = SCALES[-1]
    np.testing.assert_array_equal(found.sample(6, "rise", seed=2).x, other)
    assert not np.array_equal(other, base)
    found.scale_ = 0.0


def test_auto_works_with_a_class_of_five_windows(quick):
    windows = bumps(60)
    rows = np.flatnonzero(windows.y == "rise")[5:]
    few = windows[np.setdiff1d(np.arange(60), rows)]
    few = Windows(few.x, few.y, channels=few.channels)
    with pytest.warns(UserWarning, match="two guidance windows of every class"):
        found = TarDiff(quick, "gru", train_steps=2).fit(few)
    assert found.scale_ == 0 and found.scales_ == []


def test_auto_needs_training_windows_beside_a_classifier_that_is_trained(quick):
    own = nn.Sequential(nn.Flatten(), nn.Linear(20, 2))
    with pytest.raises(ValueError, match="scale='auto' tries strengths on training windows"):
        TarDiff(quick, own).fit(bumps(60))
    found = TarDiff(quick, own, train_steps=2).fit(bumps(60), guidance=bumps(40, seed=3))
    assert found.scale_ in SCALES


@pytest.mark.parametrize(("share", "unguided"), [(0.0, 0.0), (0.01, 0.0), (0.05, 0.04)])
def test_what_is_little_or_the_generators_own_is_not_worth_a_word(share, unguided):
    said_outside(share, unguided, 0.2)


def test_too_strong_a_scale_is_said_with_the_figures():
    sentence = r"12\.5% of the guided values .*\(unguided: 2\.0%\): scale=3 is too strong"
    with pytest.warns(UserWarning, match=sentence):
        said_outside(0.125, 0.02, 3.0)
