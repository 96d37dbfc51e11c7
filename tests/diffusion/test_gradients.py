"""Gradients of a classifier's loss beside loops over windows; the loss where it is saturated."""

import copy

import pytest
import torch
from torch import nn
from torch.nn.functional import cross_entropy

from tests import naive_influence as naive
from timeloom.diffusion import gradients
from timeloom.diffusion.gradients import (
    class_gradients,
    gradient_norms,
    influence,
    loss_of,
    moved,
)
from timeloom.nets.gru import GRUReader
from timeloom.nets.resnet import ResNet


def small(classes=3, seed=0):
    """Two layers that read windows of (2, 3), in double precision."""
    torch.manual_seed(seed)
    layers = nn.Sequential(nn.Flatten(), nn.Linear(6, 5), nn.Tanh(), nn.Linear(5, classes))
    return layers.double().eval()


def windows(count=11, classes=3, seed=1):
    rng = torch.Generator().manual_seed(seed)
    x = torch.randn(count, 2, 3, generator=rng, dtype=torch.float64)
    return x, torch.arange(count) % classes


NETS = {
    "two layers": small,
    "resnet": lambda: ResNet(2, 3, width=4, blocks=1, smooth=True).double().eval(),
    "gru": lambda: GRUReader(2, 3, hidden=4).double().eval(),
}


@pytest.fixture(params=NETS)
def net(request):
    torch.manual_seed(3)
    return NETS[request.param]()


def test_the_loss_is_the_cross_entropy():
    rng = torch.Generator().manual_seed(0)
    said = 5 * torch.randn(40, 4, generator=rng, dtype=torch.float64)
    told = torch.arange(40) % 4
    wanted = cross_entropy(said, told, reduction="sum")
    torch.testing.assert_close(loss_of(said, told), wanted, rtol=1e-12, atol=0)


@pytest.mark.parametrize("margin", [-90.0, -30.0, -5.0, 0.0, 5.0, 15.0, 30.0, 60.0, 80.0])
def test_the_gradient_of_the_loss_is_right_where_outputs_are_saturated(margin):
    """A window that is classified with certainty still has a direction, not rounding."""
    told = torch.tensor([1])

    def slope(form, kind):
        said = torch.tensor([[0.3, margin, -0.4]], dtype=kind, requires_grad=True)
        return torch.autograd.grad(form(said, told), said)[0][0]

    exact = torch.tensor([0.3, margin, -0.4], dtype=torch.float64).softmax(0)
    exact[1] = -exact[[0, 2]].sum()  # not p - 1, which is lost in rounding from margin 37 on
    torch.testing.assert_close(slope(loss_of, torch.float64), exact, rtol=1e-9, atol=0)
    torch.testing.assert_close(slope(loss_of, torch.float32), exact.float(), rtol=3e-5, atol=0)


def test_the_usual_form_of_the_loss_has_lost_that_direction():
    said = torch.tensor([[0.3, 30.0, -0.4]], requires_grad=True)
    usual = torch.autograd.grad(cross_entropy(said, torch.tensor([1])), said)[0]
    assert float(usual[0, 1]) == 0


def test_the_mean_gradient_of_each_class_equals_a_loop_over_windows(net):
    x, y = windows()
    found = class_gradients(net, x, y, 3)
    wanted = [naive.mean_gradient(net, x[y == label], y[y == label]) for label in range(3)]
    torch.testing.assert_close(found, torch.stack(wanted), rtol=1e-9, atol=1e-14)
    share = torch.bincount(y).double() / len(y)
    torch.testing.assert_close(share @ found, naive.mean_gradient(net, x, y), rtol=1e-9, atol=1e-14)


def test_gradients_in_chunks_equal_those_in_one_piece(net, monkeypatch):
    x, y = windows(23)
    whole = class_gradients(net, x, y, 3), gradient_norms(net, x, y)
    seen = []
    net.register_forward_hook(lambda module, given, said: seen.append(len(given[0])))
    monkeypatch.setattr(gradients, "CHUNK", 3)
    torch.testing.assert_close(class_gradients(net, x, y, 3), whole[0], rtol=1e-10, atol=1e-14)
    assert max(seen) == 3  # memory does not grow with the number of windows
    monkeypatch.setattr(gradients, "EACH", 4)
    torch.testing.assert_close(gradient_norms(net, x, y), whole[1], rtol=1e-10, atol=0)


def test_a_class_without_windows_has_no_gradient():
    x, y = windows(classes=2)
    found = class_gradients(small(), x, y, 3)
    assert (found[2] == 0).all() and (found[:2].norm(dim=1) > 0).all()


def test_norms_equal_a_loop_over_windows(net):
    x, y = windows()
    torch.testing.assert_close(gradient_norms(net, x, y), naive.norms(net, x, y), rtol=1e-9, atol=0)


def test_influence_equals_cosines_from_a_loop_over_windows(net):
    x, y = windows()
    toward = naive.mean_gradient(net, *windows(9, seed=5))
    found = influence(net, toward, x, y)
    torch.testing.assert_close(found, naive.cosines(net, toward, x, y), rtol=1e-8, atol=1e-12)
    torch.testing.assert_close(influence(net, 1e-3 * toward, x, y), found)
    torch.testing.assert_close(influence(net, -toward, x, y), -found)


def test_a_window_that_teaches_nothing_has_no_influence():
    net = small()
    with torch.no_grad():
        net[-1].bias[0] = 1e4  # so sure of the first class that its loss is 0
    x, y = windows()
    toward = torch.ones(sum(p.numel() for p in net.parameters()), dtype=torch.float64)
    found = influence(net, toward, x, y)
    assert (found[y == 0] == 0).all() and (found[y != 0] != 0).all()
    assert (influence(net, 0 * toward, x, y) == 0).all()


def test_training_on_a_window_of_high_influence_lowers_the_guidance_loss():
    net, (x, y), held = small(seed=2), windows(30), windows(20, seed=5)
    toward = naive.mean_gradient(net, *held)
    scores = influence(net, toward, x, y)

    def after(row):
        other = copy.deepcopy(net)
        loss_of(other(x[row : row + 1]), y[row : row + 1]).backward()
        for p in other.parameters():
            p.data -= 1e-3 * p.grad
        return float(loss_of(other(held[0]), held[1]).detach())

    before = float(loss_of(net(held[0]), held[1]).detach())
    assert after(int(scores.argmax())) < before < after(int(scores.argmin()))


def test_what_is_not_trained_is_left_out(net):
    x, y = windows()
    first = next(net.parameters())
    first.requires_grad_(False)
    kept = sum(p.numel() for p in net.parameters()) - first.numel()
    assert class_gradients(net, x, y, 3).shape == (3, kept)
    names = [name for name, p in net.named_parameters() if p.requires_grad]
    parts = moved(net, torch.arange(kept).double())
    assert list(parts) == names
    assert torch.equal(
        torch.cat([p.flatten() for p in parts.values()]), torch.arange(kept).double()
    )
    assert gradient_norms(net, x, y).shape == (len(x),)


def test_the_classifier_stays_as_it_was(net):
    x, y = windows()
    before = copy.deepcopy(net.state_dict())
    toward = class_gradients(net, x, y, 3).mean(0)
    influence(net, toward, x, y)
    for name, value in net.state_dict().items():
        assert torch.equal(value, before[name])
    assert all(p.grad is None and p.requires_grad for p in net.parameters())
