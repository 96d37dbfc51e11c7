import copy

import pytest
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from tests.diffusion.exact import gaussian
from tests.nets.weights import awake, normal
from timeloom.diffusion.denoise import Denoiser
from timeloom.diffusion.draws import StepDraws
from timeloom.diffusion.noise import KarrasSchedule
from timeloom.diffusion.sample import STEPS, sample
from timeloom.nets.image_unet import ImageUNet, ResidualBlock, SelfAttention

PAPER = KarrasSchedule(low=0.002, high=80.0, rho=7.0, mean=-1.2, spread=1.2)


pytestmark = pytest.mark.usefixtures("fixed_weights")


def small(length=24, **settings):
    return ImageUNet(length, **{"width": 8, "blocks": 1, **settings})


@pytest.fixture(scope="module")
def released():
    return ImageUNet(24, compat=True)


def attention(net):
    return [module for module in net.modules() if isinstance(module, SelfAttention)]


def test_the_papers_network_has_exactly_its_parameters(released):
    sizes = [p.numel() for p in released.parameters()]
    assert sum(sizes) == 6_751_168 and len(sizes) == 497
    assert sum(p.numel() for p in released.tokens.parameters()) == 32 * 128
    assert sum(p.numel() for p in ImageUNet(24, compat=True, tokens=0).parameters()) == 6_747_072


def test_the_papers_network_has_its_blocks(released):
    blocks = [module for module in released.modules() if isinstance(module, ResidualBlock)]
    assert len(blocks) == 36
    assert [b.resample for b in blocks].count("down") == 3
    assert [b.resample for b in blocks].count("up") == 3
    assert len(attention(released)) == 15
    assert all(a.norm.num_groups == 16 for a in attention(released) if a.out.in_channels == 64)


@pytest.mark.parametrize(("channels", "published"), [(1, 79.3), (7, 79.7), (55, 83.3)])
def test_the_papers_network_does_the_papers_work(released, channels, published):
    def work(windows):
        with FlopCounterMode(display=False) as counter, torch.no_grad():
            released(normal(windows, channels, 24), torch.zeros(windows))
        return counter.get_total_flops() / 1e6

    # What a window adds: kernels are resized once per call.
    assert abs(work(2) - work(1) - published) < 0.1


def test_it_gives_0_at_the_start(released):
    assert (released(normal(2, 7, 24), torch.ones(2), normal(2, 128)) == 0).all()
    assert (ImageUNet(24)(normal(2, 7, 24), torch.ones(2)) == 0).all()


def sides_attended(net, length=64):
    """Sides of the image that attention is run at, and its heads there."""
    found = {}

    def note(module, given, _):
        found.setdefault(given[0].shape[-1], set()).add(module.heads)

    hooks = [module.register_forward_hook(note) for module in attention(net)]
    with torch.no_grad():
        net(normal(1, 2, length), torch.zeros(1))
    for hook in hooks:
        hook.remove()
    return found


def test_every_resolution_listed_has_a_head_and_the_released_one_has_none_at_8(released):
    assert sides_attended(released) == {4: {1}, 2: {1}, 1: {2}}
    assert sides_attended(ImageUNet(64)) == {8: {1}, 4: {1}, 2: {1}}
    assert sides_attended(ImageUNet(64, heads_width=16))[8] == {2}
    assert sides_attended(small(attention=(8,))) == {8: {1}}
    assert sides_attended(small(width=20, heads_width=6, attention=(8,))) == {8: {2}}


def reached(block, at=28):
    """Lags that an impulse reaches through a block at full resolution, norms left out."""
    block = awake(copy.deepcopy(block)).double()
    block.first_norm = block.second_norm = nn.Identity()
    if isinstance(block.attend, SelfAttention):
        block.attend.norm = nn.Identity()
    image = ImageUNet(64).image
    x = image.fold(normal(1, block.inside, 64).double()).requires_grad_()
    out = image.unfold(block(x, normal(1, 128).double()))[0, 0, at]
    (slope,) = torch.autograd.grad(out, x)
    return set((image.unfold(slope)[0].abs().sum(0).nonzero()[:, 0] - at).tolist())


def test_an_impulse_reaches_every_lag_at_full_resolution_and_not_in_the_released_one(released):
    every = set(range(-28, 36))
    assert reached(ImageUNet(64).down[0]) == every
    # Two convolutions of three rows and three columns, at row 4 of column 3.
    near = {8 * q + r for q in range(-2, 3) for r in range(-2, 3)}
    assert reached(released.down[0]) == near
    assert 3 not in near and 4 not in near


def test_a_block_equals_the_formula():
    block = awake(ResidualBlock(8, 12, told=6, dropout=0.1, heads=2, resample="down"))
    x, told = normal(2, 8, 4, 4), normal(2, 6)

    def norm(layer, h, groups):
        parts = h.reshape(len(h), groups, -1)
        parts = parts - parts.mean(2, keepdim=True)
        h = (parts / (parts.var(2, correction=0, keepdim=True) + 1e-5).sqrt()).reshape(h.shape)
        return h * layer.weight[:, None, None] + layer.bias[:, None, None]

    def halve(h):
        return (h[..., ::2, ::2] + h[..., 1::2, ::2] + h[..., ::2, 1::2] + h[..., 1::2, 1::2]) / 4

    scale, shift = (told @ block.told.weight.T + block.told.bias).chunk(2, dim=1)
    h = block.first(halve(F.silu(norm(block.first_norm, x, 2))))
    h = F.silu(
        shift[:, :, None, None] + norm(block.second_norm, h, 3) * (1 + scale[:, :, None, None])
    )
    h = block.second(h) + block.short(halve(x))
    parts = block.attend.qkv(norm(block.attend.norm, h, 3))
    parts = parts.reshape(2, 3, 2, 6, 4)  # (window, which, head, feature, pixel)
    q, k, v = parts.unbind(1)
    weight = (torch.einsum("whdp,whdk->whpk", q, k) / 6**0.5).softmax(-1)
    mixed = torch.einsum("whpk,whdk->whdp", weight, v).reshape(2, 12, 2, 2)
    torch.testing.assert_close(block(x, told), h + block.attend.out(mixed), rtol=1e-4, atol=1e-5)


def test_the_level_is_told_as_cosines_and_sines_of_a_quarter_of_its_logarithm():
    net, sigma = small(), torch.tensor([0.002, 80.0])
    quarter = sigma.log()[:, None] / 4
    angle = quarter * 1e4 ** (-torch.arange(4) / 4)
    seen = torch.cat([angle.cos(), angle.sin()], dim=1)
    want = net.level.second(F.silu(net.level.first(seen)))
    torch.testing.assert_close(net._told(PAPER.embed(sigma), None), want, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("channels", [1, 7, 55, 140])
@pytest.mark.parametrize("length", [1, 12, 24, 64])
def test_any_number_of_channels_and_any_length_that_fits_come_back(channels, length):
    net = awake(small())
    out = net(normal(2, channels, length), torch.zeros(2))
    assert out.shape == (2, channels, length) and out.isfinite().all() and (out != 0).any()


def test_a_longer_window_than_fits_is_refused():
    with pytest.raises(ValueError, match="delay 8 and embedding 8 has 64"):
        small()(normal(1, 2, 65), torch.zeros(1))


def test_another_length_is_what_a_network_of_that_length_says():
    net, other = awake(small(24)), awake(small(48))
    other.load_state_dict(net.state_dict())
    x, t = normal(2, 3, 48), torch.zeros(2)
    assert torch.equal(net(x, t), other(x, t))


def test_overlapping_columns_and_larger_images_work():
    for length, delay, embedding in [(24, 3, 8), (96, 6, 16)]:
        net = awake(small(length, delay=delay, embedding=embedding))
        assert net(normal(2, 3, length), torch.zeros(2)).shape == (2, 3, length)


def test_another_token_gives_other_outputs_and_none_is_the_zero_token():
    net = awake(small())
    x, t = normal(1, 3, 24).expand(3, -1, -1), torch.zeros(3)
    out = net(x, t, normal(3, 128))
    assert not torch.allclose(out[0], out[1]) and not torch.allclose(out[1], out[2])
    torch.testing.assert_close(net(x, t), net(x, t, torch.zeros(3, 128)))


def test_a_row_of_the_released_table_is_its_vector():
    net = awake(small(compat=True))
    x, t, rows = normal(3, 2, 24), torch.zeros(3), torch.tensor([0, 31, 4])
    assert torch.equal(net(x, t, rows), net(x, t, net.tokens.weight[rows]))
    assert abs(net.tokens.weight.std() - 1) < 0.05
    with pytest.raises(ValueError, match="no table of tokens"):
        small()(x, t, rows)


def test_every_row_is_answered_by_itself():
    net = awake(small())
    x, t, token = normal(4, 3, 24), torch.arange(4.0) * 100, normal(4, 128)
    torch.testing.assert_close(
        net(x, t, token)[2:3], net(x[2:3], t[2:3], token[2:3]), rtol=1e-4, atol=1e-5
    )


@pytest.mark.parametrize("length", [12, 24, 36])
def test_padding_is_0_going_in_and_has_no_gradient_coming_out(length):
    net, seen = awake(small(length)), {}

    def keep(name):
        def hook(module, given, out):
            seen[name] = (given[0], out)
            out.retain_grad()

        return hook

    net.first.register_forward_hook(keep("first"))
    net.last.register_forward_hook(keep("last"))
    net(normal(2, 3, length), torch.zeros(2)).square().sum().backward()
    mask = net.image.mask
    assert mask.sum() == 64 - length
    assert (seen["first"][0][:, :, mask] == 0).all()
    assert (seen["last"][1].grad[:, :, mask] == 0).all()
    assert (seen["last"][1].grad[:, :, ~mask] != 0).all()


def test_channels_filled_up_with_zeros_are_cut_off_again():
    net = awake(small(channels=6))
    x, t = normal(2, 4, 24), torch.zeros(2)
    filled = torch.cat([x, torch.zeros(2, 2, 24)], dim=1)
    torch.testing.assert_close(net(x, t), net(filled, t)[:, :4])
    assert net.first.weight.shape == (8, 6, 3, 3) and net.last.weight.shape == (6, 8, 3, 3)
    assert (small(channels=6)(x, t) == 0).all()
    with pytest.raises(ValueError, match="at most 6 channels; got 7"):
        net(normal(2, 7, 24), t)


def test_dropout_reaches_the_network():
    net = awake(small(dropout=0.5))
    x, t = normal(2, 3, 24), torch.zeros(2)
    still = net(x, t)
    assert torch.equal(net(x, t), still)
    net.train()
    assert not torch.equal(net(x, t), net(x, t))
    none = awake(small(dropout=0.0)).train()
    assert torch.equal(none(x, t), none(x, t))


def test_every_weight_has_a_gradient():
    net = awake(small())
    net(normal(4, 3, 64), torch.arange(4.0), normal(4, 128)).square().sum().backward()
    assert [
        name for name, p in net.named_parameters() if p.grad is None or (p.grad == 0).all()
    ] == []


def test_settings_that_cannot_be_are_refused():
    with pytest.raises(ValueError, match="side 12 cannot be halved 3 times"):
        small(embedding=12)
    with pytest.raises(ValueError, match=r"\[8, 4, 2, 1\] of this image; got \[16\]"):
        small(attention=(16,))
    with pytest.raises(ValueError, match="even and at least 4; got 3"):
        small(width=3)
    with pytest.raises(ValueError, match="'dynamic' or a number of at least 1; got 0"):
        small(channels=0)
    with pytest.raises(ValueError, match="got 'padded'"):
        small(channels="padded")
    with pytest.raises(ValueError, match=r"shape \(2, 128\), one vector per window; got \(2, 64\)"):
        small()(normal(2, 3, 24), torch.zeros(2), normal(2, 64))


# The published diffusion, on the library's core.


def test_the_papers_levels_go_from_80_to_002_and_then_to_0():
    grid = PAPER.grid(36)
    assert len(grid) == 37 and grid[-1] == 0
    torch.testing.assert_close(grid[[0, 35]], torch.tensor([80.0, 0.002], dtype=torch.float64))
    seventh = [80 ** (1 / 7) + i / 35 * (0.002 ** (1 / 7) - 80 ** (1 / 7)) for i in range(36)]
    want = torch.tensor([root**7 for root in seventh], dtype=torch.float64)
    torch.testing.assert_close(grid[:-1], want)


def test_the_papers_loss_is_the_plain_one_of_the_denoiser():
    denoiser = Denoiser(awake(small()).double(), PAPER, "karras", 0.5)
    x = 0.5 * normal(8, 3, 24).double()
    pair = denoiser.pair(x, None, StepDraws(0, 0))
    sigma = (1 / pair.signal - 1).sqrt()
    weight = (sigma**2 + 0.5**2) / (sigma * 0.5) ** 2
    out = sigma * 0.5 / (sigma**2 + 0.5**2).sqrt()
    torch.testing.assert_close(weight * out**2, torch.ones_like(out))
    weighted = weight[:, None, None] * (pair.estimate - x).square()
    torch.testing.assert_close(weighted, (pair.output - pair.target).square())


def test_36_steps_ask_the_network_71_times_and_padding_stays_0():
    net = awake(small(multipliers=(1, 2), attention=(8, 4)))
    calls = []

    def look(module, given):
        calls.append((given[0][:, :, net.image.mask] == 0).all())

    net.first.register_forward_pre_hook(look)
    denoiser = Denoiser(net, PAPER, "karras", 0.5)
    got = sample(denoiser, normal(2, 3, 24), PAPER.grid(36), step=STEPS["heun"])
    assert len(calls) == 71 and all(calls)
    assert got.shape == (2, 3, 24) and got.isfinite().all()


@pytest.mark.parametrize("spread", [0.3, 0.5, 1.0])
def test_the_papers_sampler_reaches_the_gaussian_it_was_given(spread):
    noise = StepDraws(0, 0).normal((2_000,)).double()
    model = gaussian(PAPER, 0.0, spread)
    got = sample(model, noise, PAPER.grid(36), step=STEPS["heun"])
    # The flow of a Gaussian, solved: Heun's error in 36 steps is 1.5 % at most.
    exact = noise * 80 * spread / (80**2 + spread**2) ** 0.5
    torch.testing.assert_close(got, exact, rtol=0.02, atol=1e-6)


def test_it_learns_what_it_is_shown():
    net = small(multipliers=(1, 2), attention=(8, 4))
    denoiser = Denoiser(net, PAPER, "karras", 0.5)
    time = torch.arange(24) / 24
    shift = torch.rand(32, 3, 1, generator=torch.Generator().manual_seed(0))
    x = 0.7 * torch.sin(6.283 * (time + shift))
    optimiser = torch.optim.AdamW(net.parameters(), lr=3e-3)
    losses = []
    for step in range(40):
        optimiser.zero_grad()
        pair = denoiser.pair(x, None, StepDraws(0, step))
        loss = (pair.output - pair.target).square().mean()
        loss.backward()
        optimiser.step()
        losses.append(loss.item())
    assert sum(losses[-10:]) / 10 < 0.8 * sum(losses[:5]) / 5
