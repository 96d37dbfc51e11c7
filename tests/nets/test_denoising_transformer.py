import math

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from tests.nets.weights import normal
from timeloom.diffusion.denoise import Denoiser
from timeloom.diffusion.draws import StepDraws
from timeloom.diffusion.noise import BetaSchedule
from timeloom.nets.denoising_transformer import DenoisingTransformer, Hidden
from timeloom.nets.neighbour_mask import attention_mask, hidden_points

pytestmark = pytest.mark.usefixtures("fixed_weights")

T = torch.tensor([3.0, 40.0])
FORMS = [{}, {"padding": "circular", "norm": "post", "blind": False}]


def small(channels=3, **settings):
    how = {"width": 16, "heads": 2, "feedforward": 24, "step_width": 8, **settings}
    return DenoisingTransformer(channels, **how).eval()


def points(shape, *places):
    """Hides (window, channel, time); a slice hides several."""
    out = torch.zeros(shape, dtype=torch.bool)
    for place in places:
        out[place] = True
    return out


def keys(windows, length, *pairs):
    """A mask on attention: (query, key) of every window."""
    out = torch.zeros(windows, length, length, dtype=torch.bool)
    for i, j in pairs:
        out[:, i, j] = True
    return out


def influence(net, x, told=None):
    """[i, j]: largest gradient of output time i to input time j, over channels of window 0."""
    x = x.clone().requires_grad_()
    out = net(x, T[: len(x)], told)
    rows = []
    for i in range(x.shape[2]):
        # Random weights: a sum over channels could cancel.
        weight = normal(x.shape[1], seed=i)
        (grad,) = torch.autograd.grad((out[0, :, i] * weight).sum(), x, retain_graph=True)
        rows.append(grad[0].abs().amax(dim=0))
    return torch.stack(rows)


# The paper's form.


def test_the_papers_network_has_exactly_its_parameters():
    net = DenoisingTransformer.paper(55)
    assert sum(p.numel() for p in net.parameters()) == 2_490_935
    parts = {name: sum(p.numel() for p in part.parameters()) for name, part in net.named_children()}
    assert parts == {
        "enter": 55 * 512 * 3,
        "mark": 56 * 512 * 3,
        "step": (256 + 512 + 512) * 512 + 3 * 512,
        "layers": 6 * 512 * 512 + 6 * 512 + 4 * 512,
        "norm": 2 * 512,
        "leave": 55 * 512 * 3 + 55,
    }
    assert len(net.layers) == 1 and net.layers[0].heads == 8


def sinusoids(positions, frequency):
    angle = positions[:, None] * frequency
    return torch.cat([angle.sin(), angle.cos()], dim=1)


def slow_attention(layer, h, mask):
    """One query, one head at a time."""
    width, out = h.shape[1], torch.zeros_like(h)
    q, k, v = (h @ layer.qkv.weight.T + layer.qkv.bias).split(width, dim=1)
    size = width // layer.heads
    for head in range(layer.heads):
        part = slice(head * size, (head + 1) * size)
        for i in range(len(h)):
            seen = [j for j in range(len(h)) if not mask[i, j]]
            scores = torch.stack([q[i, part] @ k[j, part] for j in seen]) / math.sqrt(size)
            shares = torch.exp(scores - scores.max())
            out[i, part] = sum(
                s / shares.sum() * v[j, part] for s, j in zip(shares, seen, strict=True)
            )
    return layer.out(out)


def slow_net(net, x, t, mask):
    """The paper's layers typed out for one window without hidden points."""
    wide = torch.cat([x[:, -1:], x, x[:, :1]], dim=1)  # (channel, time + 2): the ends are joined
    h = F.conv1d(wide[None], net.enter.weight)[0].T
    width = h.shape[1]
    h = h + sinusoids(torch.arange(len(h)), 10_000 ** (-torch.arange(0, width, 2) / width))
    step, half = net.step, net.step.first.in_features // 2
    told = sinusoids(t[None], 10_000 ** (-torch.arange(half) / (half - 1)))
    h = h + step.third(F.silu(step.second(F.silu(step.first(told)))))
    for layer in net.layers:
        h = layer.first_norm(h + slow_attention(layer, h, mask))
        h = layer.second_norm(h + layer.narrow(torch.relu(layer.wide(h))))
    h = net.norm(h).T
    wide = torch.cat([h[:, -1:], h, h[:, :1]], dim=1)
    return F.conv1d(wide[None], net.leave.weight, net.leave.bias)[0]


@pytest.mark.parametrize("layers", [1, 2])
def test_the_papers_form_is_the_papers_layers(layers):
    net = small(layers=layers, **FORMS[1])
    x, mask = normal(2, 3, 9), normal(2, 9, 9) > 0.8
    mask[:, torch.arange(9), torch.arange(9)] = False
    got = net(x, T, Hidden(attention=mask))
    for w in range(2):
        want = slow_net(net, x[w], T[w], mask[w])
        torch.testing.assert_close(got[w], want, rtol=1e-4, atol=1e-5)


def test_the_papers_dropout_is_on_in_training_and_reproducible():
    net = small(**{"dropout": 0.1, **FORMS[1]}).train()
    x = normal(2, 3, 12)
    torch.manual_seed(5)
    first, second = net(x, T), net(x, T)
    torch.manual_seed(5)
    again = net(x, T)
    assert torch.equal(first, again) and not torch.equal(first, second)
    assert torch.equal(net.eval()(x, T), net(x, T))
    none = small().train()
    assert torch.equal(none(x, T), none(x, T))
    assert DenoisingTransformer.paper(2, width=8, heads=2).dropout == 0.1


def test_a_band_on_attention_hides_nothing_in_the_papers_form():
    """Residual stream and convolutions go round the mask, and the window's ends are joined."""
    net = small(**FORMS[1])
    band = (torch.arange(12)[:, None] - torch.arange(12)).abs() < 5
    seen = influence(net, normal(1, 3, 12), Hidden(attention=band[None]))
    masked = band & ~torch.eye(12, dtype=torch.bool)
    assert (seen.diagonal() > 0).all() and (seen[masked] > 0).any()
    assert seen[0, 11] > 0


# Truly hidden.


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("layers", [1, 3])
def test_no_output_has_a_gradient_to_a_hidden_input(form, layers):
    net, x = small(layers=layers, **form), normal(2, 3, 11)
    hidden = points(x.shape, (0, slice(None), slice(3, 6)), (0, 1, 8), (1, 2, 0))
    x.requires_grad_()
    out = net(x, T, Hidden(points=hidden))
    (out * normal(*out.shape, seed=1)).sum().backward()
    assert (x.grad[hidden] == 0).all() and (x.grad[~hidden] != 0).all()


@pytest.mark.parametrize("kind", [torch.bool, torch.float32])
def test_a_hidden_value_cannot_change_the_output_whatever_it_is(kind):
    net, x = small(layers=2), normal(2, 3, 11)
    hidden = points(x.shape, (0, slice(None), slice(3, 6)), (1, 2, 0))
    told = Hidden(points=hidden.to(kind))
    want = net(x, T, told)
    for value in (0.0, 1e6, math.inf, math.nan):
        other = torch.where(hidden, value, x)
        assert torch.equal(net(other, T, told), want)


def test_every_output_sees_what_is_not_hidden():
    net, x = small(), normal(1, 3, 9)
    assert (influence(net, x) > 0).all()
    hidden = points(x.shape, (0, slice(None), 4))
    seen = influence(net, x, Hidden(points=hidden))
    assert (seen[:, 4] == 0).all()
    rest = torch.arange(9) != 4
    # The hidden point itself is told by all others.
    assert (seen[:, rest] > 0).all()


@pytest.mark.parametrize("norm", ["pre", "post"])
@pytest.mark.parametrize("blind", [True, False])
def test_a_mask_on_attention_hides_other_points_without_convolutions(norm, blind):
    net, x = small(kernel=1, norm=norm, blind=blind), normal(1, 3, 9)
    mask = keys(1, 9, *[(2, j) for j in range(1, 5)], *[(i, 7) for i in range(9)])
    seen = influence(net, x, Hidden(attention=mask))
    itself = torch.eye(9, dtype=torch.bool)
    assert (seen[mask[0] & ~itself] == 0).all()
    assert (seen[~mask[0] | itself] > 0).all()


@pytest.mark.parametrize("scope", ["query", "key"])
def test_the_neighbour_mask_fits_both_ways_of_hiding(scope):
    net, x = small(kernel=1), normal(1, 3, 12)
    picked = torch.arange(12)[None] == 5
    wide = torch.zeros(1, 12, 2, dtype=torch.long)
    wide[0, 5] = torch.tensor([2, 1])
    mask = attention_mask(picked, wide, scope=scope)
    seen = influence(net, x, Hidden(attention=mask))
    away = ~torch.eye(12, dtype=torch.bool)
    assert (seen[mask[0] & away] == 0).all() and (seen[~mask[0]] > 0).all()
    hidden = hidden_points(picked, wide)
    seen = influence(net, x, Hidden(points=hidden[:, None].expand_as(x)))
    assert hidden[0].nonzero()[:, 0].tolist() == [3, 4, 5, 6]
    assert (seen[:, hidden[0]] == 0).all() and (seen[:, ~hidden[0]] > 0).all()


def test_hidden_is_not_the_same_as_0():
    x = normal(2, 3, 10)
    x[:, 1, 4] = 0
    x[:, :, 7] = 0
    for form in FORMS:
        net = small(**form)
        shown = net(x, T)
        for where in ((slice(None), 1, 4), (slice(None), slice(None), 7)):
            hidden = net(x, T, Hidden(points=points(x.shape, where)))
            assert (hidden - shown).abs().max() > 1e-3


def test_missing_values_are_hidden_points():
    net, x = small(layers=2), normal(2, 3, 11)
    lost = points(x.shape, (0, 1, slice(2, 6)), (1, slice(None), 10))
    gone = torch.where(lost, math.nan, x)
    want = net(x, T, Hidden(points=lost))
    assert torch.equal(net(gone, T), want) and want.isfinite().all()
    more = points(x.shape, (0, 0, 0))
    both = net(gone, T, Hidden(points=more))
    assert torch.equal(both, net(x, T, Hidden(points=lost | more)))
    net(gone, T).square().sum().backward()
    assert all(p.grad.isfinite().all() for p in net.parameters())


def test_nobody_looks_at_a_token_that_is_hidden_as_a_whole():
    x = normal(1, 3, 9)
    hidden = points(x.shape, (0, slice(None), 4))
    closed = keys(1, 9, *[(i, 4) for i in range(9)])
    blind, other = small(), small(blind=False)
    other.load_state_dict(blind.state_dict())
    got = blind(x, T[:1], Hidden(points=hidden))
    assert not torch.equal(got, other(x, T[:1], Hidden(points=hidden)))
    torch.testing.assert_close(got, other(x, T[:1], Hidden(closed, hidden)))
    # A time point of which one channel is left still has something to say.
    part = points(x.shape, (0, slice(0, 2), 4))
    told = Hidden(points=part)
    assert torch.equal(blind(x, T[:1], told), other(x, T[:1], told))


@pytest.mark.parametrize("form", FORMS)
def test_a_row_that_loses_every_key_sees_itself(form):
    net, x = small(kernel=1, **form), normal(1, 3, 6)
    everything = torch.ones(1, 6, 6, dtype=torch.bool)
    itself = torch.eye(6, dtype=torch.bool)
    got = net(x, T[:1], Hidden(attention=everything))
    assert got.isfinite().all()
    torch.testing.assert_close(got, net(x, T[:1], Hidden(attention=~itself[None])))
    whole = net(x, T[:1], Hidden(points=torch.ones_like(x)))
    assert whole.isfinite().all()


# Windows, lengths, settings.


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("length", [1, 2, 7, 64])
def test_the_same_shape_comes_back_for_any_length(form, length):
    net, x = small(**form), normal(2, 3, length)
    got = net(x, T)
    assert got.shape == x.shape and got.isfinite().all()


def test_a_window_does_not_depend_on_its_company():
    net, x = small(layers=2), normal(2, 3, 11)
    hidden = points(x.shape, (0, slice(None), slice(3, 6)))
    mask = keys(2, 11, (0, 1), (5, 2))
    both = net(x, T, Hidden(mask, hidden))
    for w in (slice(0, 1), slice(1, 2)):
        alone = net(x[w], T[w], Hidden(mask[w], hidden[w]))
        torch.testing.assert_close(both[w], alone, rtol=1e-4, atol=1e-5)


def test_padding_with_zeros_does_not_join_the_ends():
    x, itself = normal(1, 3, 8), torch.eye(8, dtype=torch.bool)
    told = Hidden(attention=~itself[None])
    assert influence(small(), x, told)[0, 7] == 0
    assert influence(small(padding="circular"), x, told)[0, 7] > 0


def test_time_order_and_step_matter():
    net, x = small(kernel=1), normal(2, 3, 8)
    assert not torch.allclose(net(x.flip(2), T), net(x, T).flip(2))
    assert not torch.allclose(net(x, T + 1), net(x, T))


def test_each_setting_changes_the_result():
    x = normal(2, 3, 12)
    told = Hidden(keys(2, 12, (0, 1), (4, 9)), points(x.shape, (0, slice(None), 3), (1, 0, 5)))
    changes = {
        "width": 24, "layers": 2, "heads": 4, "feedforward": 16, "dropout": 0.5, "step_width": 16,
        "kernel": 5, "padding": "circular", "norm": "post", "blind": False,
    }  # fmt: skip

    def result(told, **settings):
        torch.manual_seed(0)
        net = small(**settings).train()
        torch.manual_seed(1)
        return net(x, T, told)

    base = result(told)
    assert torch.equal(base, result(told))
    for name, value in changes.items():
        assert not torch.allclose(result(told, **{name: value}), base), name
    for other in (None, Hidden(told.attention), Hidden(points=told.points)):
        assert not torch.allclose(result(other), base)


@pytest.mark.parametrize("form", FORMS)
def test_every_weight_has_a_gradient_once_something_is_hidden(form):
    net, x = small(layers=2, **form), normal(2, 3, 12)
    told = Hidden(points=points(x.shape, (0, slice(None), 3), (1, 0, 5)))
    net(x, T, told).square().sum().backward()
    assert [n for n, p in net.named_parameters() if p.grad is None or not p.grad.any()] == []


def test_the_first_convolution_starts_with_kaimings_variance():
    net = DenoisingTransformer(55)
    want = math.sqrt(2 / (1 + 0.01**2) / (55 * 3))
    torch.testing.assert_close(net.enter.weight.std().item(), want, rtol=0.02, atol=0)


def test_it_works_in_double():
    net, x = small().double(), normal(2, 3, 9).double()
    told = Hidden(points=points(x.shape, (0, slice(None), 3)))
    assert net(x, T.double(), told).dtype == torch.float64


def test_it_learns_to_tell_hidden_points_from_the_rest():
    net = small(channels=2, layers=1, width=32).train()
    assert isinstance(net, nn.Module)
    model = Denoiser(net, BetaSchedule(100, 1e-4, 0.02), "clean")
    shift = 6 * torch.rand(64, 1, 1, generator=torch.Generator().manual_seed(0))
    angle = torch.arange(16) * math.pi / 4 + shift
    x = torch.cat([angle.sin(), angle.cos()], dim=1)
    hidden = torch.zeros(64, 2, 16, dtype=torch.bool)
    hidden[:, :, 6:10] = True
    told = Hidden(points=hidden)
    optimiser = torch.optim.Adam(net.parameters(), lr=3e-3)
    losses = []
    for step in range(80):
        optimiser.zero_grad()
        pair = model.pair(x, told, StepDraws(0, step))
        loss = (pair.output - pair.target)[hidden].square().mean()
        loss.backward()
        optimiser.step()
        losses.append(loss.item())
    # The mean of the hidden values is 0, and their variance .5: to say 0 would cost .5.
    assert sum(losses[-10:]) / 10 < 0.25


def test_what_cannot_be_is_refused():
    for settings, said in (
        ({"channels": 0}, "channels must be at least 1; got 0"),
        ({"width": 18, "heads": 4}, "multiple of the 4 heads; got 18"),
        ({"width": 15, "heads": 3}, "width must be even"),
        ({"kernel": 2}, "kernel must be odd, to keep the length; got 2"),
        ({"layers": 0}, "at least 1; got 0 and 24"),
        ({"dropout": 1.0}, r"\[0, 1\); got 1.0"),
        ({"step_width": 3}, "at least 4; got 3"),
        ({"padding": "same"}, "got 'same'"),
        ({"norm": "batch"}, "got 'batch'"),
    ):
        with pytest.raises(ValueError, match=said):
            small(**settings)
    net, x = small(), normal(2, 3, 5)
    with pytest.raises(ValueError, match="made for 3 channels; got 2"):
        net(x[:, :2], T)
    with pytest.raises(ValueError, match=r"shape of the windows, \(2, 3, 5\); got \(2, 5\)"):
        net(x, T, Hidden(points=torch.zeros(2, 5)))
    with pytest.raises(ValueError, match=r"shape \(2, 5, 5\).*got \(2, 3, 3\)"):
        net(x, T, Hidden(attention=keys(2, 3)))
