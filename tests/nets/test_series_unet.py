import pytest
import torch
import torch.nn.functional as F
from torch.utils.flop_counter import FlopCounterMode

from tests.nets.weights import awake, normal
from timeloom.nets.series_unet import ResidualBlock, SeriesUNet, SlicedConv, TimeAttention, Told

KINDS = ["sliced", "padded", "dynamic"]


pytestmark = pytest.mark.usefixtures("fixed_weights")


def small(**settings):
    return SeriesUNet(**{"width": 8, "token": 5, "most": 6, **settings})


def everything(count, channels, length, seed=0):
    """A noisy series and all that a network can be told of it."""
    back = normal(channels, length, length, seed=seed + 1) * length**-0.5
    known = (normal(count, channels, length, seed=seed + 2) > 0).float()
    values = normal(count, channels, length, seed=seed + 3) * known
    told = Told(normal(count, 5, seed=seed + 4), back, values, known)
    return normal(count, channels, length, seed=seed), torch.zeros(count), told


@pytest.mark.parametrize("doors", KINDS)
def test_it_gives_0_at_the_start(doors):
    x, t, told = everything(2, 3, 12)
    assert (small(doors=doors)(x, t, told) == 0).all()
    assert (small(doors=doors)(x, t) == 0).all()


@pytest.mark.parametrize("doors", KINDS)
@pytest.mark.parametrize("channels", [1, 7, 500])
@pytest.mark.parametrize("length", [5, 24, 200])
def test_any_number_of_components_and_any_length_come_back(doors, channels, length):
    if channels * length > 50_000:
        length = 50
    net = awake(small(doors=doors, multipliers=(1, 2, 2)))
    with torch.no_grad():
        out = net(*everything(2, channels, length))
    assert out.shape == (2, channels, length) and out.isfinite().all()
    own = channels if doors == "dynamic" else min(channels, 6)
    assert (out[:, :own] != 0).any(dim=2).all() and (out[:, own:] == 0).all()


@pytest.mark.parametrize("length", [1, 2, 3])
def test_so_do_the_shortest(length):
    assert awake(small())(*everything(2, 3, length)).isfinite().all()


def work(net, channels):
    x, t = normal(1, channels, 24), torch.zeros(1)
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        net(x, t)
    return counter.get_total_flops()


def test_its_cost_hardly_depends_on_the_number_of_components():
    net = SeriesUNet()
    assert work(net, 32) < 1.15 * work(net, 1)
    assert work(net, 500) == work(net, 32)


def test_components_that_a_set_does_not_have_leave_their_weights_alone():
    net = awake(small())
    net(*everything(2, 2, 12)).square().sum().backward()
    for way in net.doors.ways:
        assert (way.weight.grad[:, :2] != 0).any() and (way.weight.grad[:, 2:] == 0).all()
    assert (net.doors.out.weight.grad[:2] != 0).any() and (net.doors.out.weight.grad[2:] == 0).all()


@pytest.mark.parametrize("count", [1, 4, 9])
def test_a_sliced_convolution_equals_loops(count):
    way, x = SlicedConv(4, 3, 3, bias=False), normal(2, count, 5)
    used, want = min(count, 4), torch.zeros(2, 3, 5)
    for n in range(2):
        for o in range(3):
            for t in range(5):
                for c in range(used):
                    for k in range(3):
                        if 0 <= t + k - 1 < 5:
                            want[n, o, t] += way.weight[o, c, k].item() * x[n, c, t + k - 1]
    torch.testing.assert_close(way.read(x), want / used**0.5, rtol=1e-4, atol=1e-5)

    out, h = SlicedConv(3, 4, 3), normal(2, 3, 5)
    whole = F.conv1d(h, out.weight, out.bias, padding=1)
    got = out.write(h, count)
    assert got.shape == (2, count, 5)
    torch.testing.assert_close(got[:, :used], whole[:, :used], rtol=1e-4, atol=1e-5)
    assert (got[:, used:] == 0).all()


@pytest.mark.parametrize("doors", ["sliced", "dynamic"])
def test_what_comes_in_has_the_same_spread_however_many_components_there_are(doors):
    spreads = {}
    for channels in (1, 7, 55):
        found = []
        for seed in range(12):
            torch.manual_seed(seed)
            net = SeriesUNet(width=48, most=55, doors=doors)
            x, same = normal(20, channels, 24, seed=seed), normal(20, channels, 24, seed=seed + 50)
            with torch.no_grad():
                found.append(net.doors.enter(x, None, same, None)[..., 1:-1].std())
        spreads[channels] = torch.stack(found).mean()
    for spread in spreads.values():
        assert abs(spread / spreads[55] - 1) < 0.15


def test_only_what_is_given_is_read():
    net = awake(small())
    x, t, told = everything(2, 3, 12)
    seen = [net(x, t, told._replace(**{name: None})) for name in Told._fields]
    whole = net(x, t, told)
    assert all(not torch.allclose(one, whole, atol=1e-5) for one in seen)
    nothing = told._replace(values=torch.zeros(2, 3, 12), known=torch.zeros(2, 3, 12))
    torch.testing.assert_close(
        net(x, t, nothing), net(x, t, told._replace(values=None, known=None)), rtol=1e-4, atol=1e-5
    )


def test_the_token_and_the_time_change_the_output():
    net = awake(small())
    x, _, told = everything(1, 3, 12)
    x, two = x.expand(2, -1, -1), Told(normal(2, 5))
    at_once = net(x, torch.zeros(2), two)
    assert not torch.allclose(at_once[0], at_once[1], atol=1e-5)
    later = net(x, torch.tensor([0.0, 500.0]), Told(two.token[:1].expand(2, -1)))
    assert not torch.allclose(later[0], later[1], atol=1e-5)
    without = small(token=0)
    assert without.token is None
    awake(without)
    torch.testing.assert_close(without(x, torch.zeros(2), two), without(x, torch.zeros(2)))


def test_every_window_is_answered_by_itself():
    net = awake(small())
    x, t, told = everything(4, 3, 13)
    one = Told(told.token[2:3], told.back, told.values[2:3], told.known[2:3])
    torch.testing.assert_close(net(x, t, told)[2:3], net(x[2:3], t[2:3], one), rtol=1e-4, atol=1e-5)


def test_attention_equals_its_formula_and_starts_as_the_identity():
    attend, x = TimeAttention(8), normal(2, 8, 6)
    assert torch.equal(attend(x), x)
    awake(attend)
    h = F.group_norm(x, 1, attend.norm.weight, attend.norm.bias)
    q, k, v = attend.qkv(h).reshape(2, 3, 4, 2, 6).unbind(1)  # (window, head, feature, time)
    weight = (torch.einsum("whfs,whft->whst", q, k) / 2**0.5).softmax(-1)
    mixed = torch.einsum("whst,whft->whfs", weight, v).reshape(2, 8, 6)
    torch.testing.assert_close(attend(x), x + attend.out(mixed), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("attention", [True, False])
def test_with_attention_every_time_point_reaches_every_other(attention):
    net = awake(small(attention=attention, multipliers=(1, 2))).double()
    x = normal(1, 2, 64).double().requires_grad_()
    # Sums over the window, such as those of the normalisations, reach everywhere: leave them out.
    for module in net.modules():
        if isinstance(module, ResidualBlock):
            module.first_norm = module.second_norm = torch.nn.Identity()
        if isinstance(module, TimeAttention):
            module.norm = torch.nn.Identity()
    net.norm = torch.nn.Identity()
    (slope,) = torch.autograd.grad(net(x, torch.zeros(1).double())[0, 0, 2], x)
    reached = slope[0].abs().sum(0) > 0
    assert reached[:10].all() and reached.all() == attention


def test_a_block_starts_as_its_shortcut():
    block, x = ResidualBlock(8, 16, 6, 3, 8), normal(2, 8, 9)
    torch.testing.assert_close(block(x, normal(2, 6)), block.short(x))
    same = ResidualBlock(8, 8, 6, 3, 8)
    assert torch.equal(same(x, normal(2, 6)), x)


def test_what_cannot_be_built_is_refused():
    with pytest.raises(ValueError, match="width must be a multiple of 8; got 12"):
        SeriesUNet(width=12)
    with pytest.raises(ValueError, match="kernel must be odd, to keep the length; got 4"):
        SeriesUNet(kernel=4)
