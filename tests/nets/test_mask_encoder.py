import math

import pytest
import torch
import torch.nn.functional as F

from tests.nets.weights import normal
from timeloom.nets.mask_encoder import MaskEncoder

pytestmark = pytest.mark.usefixtures("fixed_weights")


def slow(net, x):
    """The paper's layers one after the other, for a window of even length."""
    h = torch.relu(F.conv1d(x, net.enter.weight, net.enter.bias, padding=1))
    h = torch.stack([h[:, :, i : i + 2].amax(dim=2) for i in range(0, x.shape[2], 2)], dim=2)
    h = torch.relu(F.conv1d(h, net.down.weight, net.down.bias, padding=1))
    assert h.shape[1:] == (2 * x.shape[1], x.shape[2] // 2)
    h = torch.relu(F.conv1d(h, net.up.weight, net.up.bias, padding=1))
    h = h.repeat_interleave(2, dim=2)
    return F.conv1d(h, net.leave.weight, net.leave.bias, padding=1)


@pytest.mark.parametrize("channels", [1, 5])
def test_it_is_the_papers_layers(channels):
    net, x = MaskEncoder(channels), normal(3, channels, 20)
    torch.testing.assert_close(net(x), slow(net, x))
    outer, inner = 2 * 3 * channels * 128 + 128 + channels, 2 * 3 * 128 * 2 * channels
    assert sum(p.numel() for p in net.parameters()) == outer + inner + 2 * channels + 128


@pytest.mark.parametrize("length", [1, 2, 3, 99, 100])
def test_any_length_comes_back(length):
    net, x = MaskEncoder(3), normal(2, 3, length)
    filled = torch.cat([x, x[:, :, -1:]], dim=2) if length % 2 else x
    torch.testing.assert_close(net(x), slow(net, filled)[:, :, :length])


def test_errors_are_the_squared_differences():
    net, x = MaskEncoder(3), normal(2, 3, 20)
    torch.testing.assert_close(net.errors(x), (net(x) - x) ** 2)


def test_missing_values_have_no_error_and_leave_the_gradients_finite():
    net, x = MaskEncoder(3), normal(2, 3, 20)
    x[:, 1, 4:9] = math.nan
    errors = net.errors(x)
    assert (errors[:, 1, 4:9] == 0).all() and errors.isfinite().all() and errors.sum() > 0
    errors.mean().backward()
    assert all(p.grad.isfinite().all() and p.grad.any() for p in net.parameters())


def test_it_learns_what_is_normal_and_errs_more_where_something_else_is():
    net = MaskEncoder(3)
    time = torch.arange(50) / 10
    shift = 6 * torch.rand(24, 3, 1, generator=torch.Generator().manual_seed(0))
    x = torch.sin(time + shift)
    optimiser = torch.optim.Adam(net.parameters(), lr=1e-3)
    before = net.errors(x).mean().item()
    first = [p.detach().clone() for p in net.parameters()]
    for _ in range(60):
        optimiser.zero_grad()
        net.errors(x).mean().backward()
        optimiser.step()
    assert all(not torch.equal(a, b) for a, b in zip(first, net.parameters(), strict=True))
    assert net.errors(x).mean() < 0.3 * before
    odd = x.clone()
    odd[:, :, 25] += 4
    assert net.errors(odd).mean(dim=(0, 1)).argmax() == 25


def test_a_windows_errors_depend_on_itself_alone():
    net, x = MaskEncoder(3), normal(4, 3, 21)
    torch.testing.assert_close(net.errors(x)[2:3], net.errors(x[2:3]))


def test_what_cannot_be_is_refused():
    with pytest.raises(ValueError, match="at least 1; got 0 and 128"):
        MaskEncoder(0)
    with pytest.raises(ValueError, match="made for 3 channels; got 2"):
        MaskEncoder(3)(normal(1, 2, 10))
