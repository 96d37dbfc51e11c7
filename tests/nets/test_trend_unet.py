import pytest
import torch

from timeloom.nets.trend_unet import StandardConv, TrendBlock, TrendUNet


def normal(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def test_the_papers_setting_has_exactly_its_parameters():
    assert sum(p.numel() for p in TrendUNet(14).parameters()) == 836_302


def test_the_trend_block_has_exactly_its_parameters():
    block = TrendBlock(64)
    assert sum(p.numel() for p in block.join.parameters()) == 8_256
    attention = [block.gain, *block.qkv.parameters(), *block.out.parameters()]
    assert sum(p.numel() for p in attention) == 32_896


@pytest.mark.parametrize("length", [24, 48, 50, 96])
def test_any_length_comes_back_as_it_went_in(length):
    net = TrendUNet(3, width=8)
    out = net(normal(2, 3, length), torch.ones(2), torch.tensor([0.3, torch.nan]))
    assert out.shape == (2, 3, length) and out.isfinite().all()


def test_trend_and_peak_mix_neighbours_in_time_and_not_channels():
    x = torch.zeros(1, 4, 9)
    x[0, 2, 3] = 1.0
    trend, peak = TrendBlock(4).pool(x)
    for pooled in (trend, peak):
        reached = pooled[0].nonzero().tolist()
        assert reached == [[2, 2], [2, 3], [2, 4]]
    torch.testing.assert_close(trend[0, 2, 3], torch.tensor(1 / 3))
    assert peak[0, 2, 2] == 1


def test_a_constant_has_equal_trend_and_peak():
    trend, peak = TrendBlock(4, window=5).pool(torch.full((2, 4, 9), 1.5))
    torch.testing.assert_close(trend, peak)
    assert (trend == 1.5).all()


def test_trend_alone_and_peak_alone_differ_from_both():
    x = normal(1, 8, 12)
    whole = TrendBlock(8)
    outs = []
    for parts in ("both", "trend", "peak"):
        block = TrendBlock(8, parts=parts)
        block.load_state_dict(whole.state_dict())
        outs.append(block(x))
    assert not torch.allclose(outs[0], outs[1]) and not torch.allclose(outs[0], outs[2])


def test_attention_over_time_equals_the_formula():
    block, x = TrendBlock(8, heads=2, head=4), normal(2, 8, 6)
    normed = (x - x.mean(1, keepdim=True)) / (x.var(1, correction=0, keepdim=True) + 1e-5).sqrt()
    q, k, v = block.qkv(normed).chunk(3, dim=1)
    outs = []
    for head in range(2):
        part = slice(4 * head, 4 * head + 4)
        weight = (q[:, part].mT @ k[:, part] / 2.0).softmax(-1)  # (window, time, time)
        outs.append(v[:, part] @ weight.mT)
    want = block.out(torch.cat(outs, dim=1))
    torch.testing.assert_close(block._attend(x), want, rtol=1e-4, atol=1e-5)


def test_standardised_weights_have_mean_0_and_variance_1():
    conv, seen = StandardConv(4, 6, 3, padding=1), {}
    eye = torch.eye(12).reshape(12, 4, 3)
    conv.bias.data.zero_()
    seen = conv(eye)[:, :, 1]  # every weight, as the response to a single one
    torch.testing.assert_close(seen.mean(0), torch.zeros(6), atol=1e-5, rtol=0)
    torch.testing.assert_close(seen.var(0, correction=0), torch.ones(6), atol=1e-2, rtol=0)


def test_no_condition_is_not_the_value_zero():
    net = TrendUNet(3, width=8).eval()
    x, t = normal(2, 3, 16), torch.ones(2)
    none, also_none = net(x, t, None), net(x, t, torch.full((2,), torch.nan))
    torch.testing.assert_close(none, also_none)
    assert not torch.allclose(none, net(x, t, torch.zeros(2)))


def test_two_calls_are_equal_and_so_is_every_row_alone():
    net = TrendUNet(3, width=8).eval()
    x, t, cond = normal(4, 3, 16), torch.ones(4), torch.tensor([0.1, torch.nan, 0.5, 1.0])
    assert torch.equal(net(x, t, cond), net(x, t, cond))
    torch.testing.assert_close(net(x, t, cond)[2:3], net(x[2:3], t[2:3], cond[2:3]))


def test_classes_are_told_apart():
    net = TrendUNet(3, classes=3, width=8).eval()
    x, t = normal(1, 3, 16).expand(2, -1, -1), torch.ones(2)
    out = net(x, t, torch.tensor([0.0, 2.0]))
    assert not torch.allclose(out[0], out[1])


def test_an_even_window_of_the_trend_is_refused():
    with pytest.raises(ValueError, match="must be odd; got 4"):
        TrendBlock(8, window=4)


def test_a_width_that_the_groups_do_not_divide_is_refused():
    with pytest.raises(ValueError, match="multiple of the 8 groups; got 12"):
        TrendUNet(3, width=12)
