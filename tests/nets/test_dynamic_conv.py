import pytest
import torch
import torch.nn.functional as F

from tests.nets.weights import normal
from timeloom.nets.delay_image import DelayImage
from timeloom.nets.dynamic_conv import DynamicConv1d, DynamicConv2d

CHANNELS = [1, 7, 55, 128, 200]


pytestmark = pytest.mark.usefixtures("fixed_weights")


def filled(conv):
    """The layer with weights that are not 0 on either side."""
    for i, parameter in enumerate(conv.parameters()):
        parameter.data = 0.1 * normal(*parameter.shape, seed=i)
    return conv


@pytest.mark.parametrize("side", ["in", "out"])
@pytest.mark.parametrize("channels", CHANNELS)
def test_it_convolves_with_the_interpolated_kernel(channels, side):
    conv = filled(DynamicConv2d(32, side))
    size = (32, channels) if side == "in" else (channels, 32)
    how = {"mode": "bicubic", "align_corners": False}
    kernel = F.interpolate(conv.weight, size=size, **how).permute(2, 3, 0, 1)
    bias = F.interpolate(conv.bias[None, None, None], size=(1, size[0]), **how)[0, 0, 0]
    x = normal(2, size[1], 8, 8)
    got = conv(x) if side == "in" else conv(x, channels)
    torch.testing.assert_close(got, F.conv2d(x, kernel, bias, padding=1), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("side", ["in", "out"])
@pytest.mark.parametrize("taps", [1, 3, 5])
@pytest.mark.parametrize("channels", [1, 7, 200])
def test_so_does_the_one_for_windows(channels, taps, side):
    conv = filled(DynamicConv1d(16, side, canonical=32, kernel=taps))
    size = (16, channels) if side == "in" else (channels, 16)
    how = {"mode": "bicubic", "align_corners": False}
    kernel = F.interpolate(conv.weight[None], size=size, **how)[0].permute(1, 2, 0)
    bias = F.interpolate(conv.bias[None, None, None], size=(1, size[0]), **how)[0, 0, 0]
    x = normal(2, size[1], 11)
    got = conv(x) if side == "in" else conv(x, channels)
    want = F.conv1d(x, kernel, bias, padding=taps // 2)
    torch.testing.assert_close(got, want, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("side", ["in", "out"])
def test_resizing_to_the_canonical_size_gives_the_kernel_back(side):
    conv = filled(DynamicConv2d(128, side))
    kernel, bias = conv.resized(128)
    assert torch.equal(kernel, conv.weight.permute(2, 3, 0, 1)) and torch.equal(bias, conv.bias)


def test_the_papers_layer_has_its_parameters():
    assert sum(p.numel() for p in DynamicConv2d(32).parameters()) == 147_584


def test_a_first_layer_starts_kaiming_uniform_and_a_last_one_at_zero():
    first, bound = DynamicConv2d(32), (128 * 9) ** -0.5  # sqrt(3 / fan-in) sqrt(1 / 3)
    for values in first.parameters():
        assert 0.9 * bound < values.abs().max() <= bound
    torch.testing.assert_close(first.weight.std(), torch.tensor(bound / 3**0.5), rtol=0.01, atol=0)
    last = DynamicConv2d(32, "out")
    assert (last(normal(2, 32, 8, 8), 7) == 0).all()


def output_variance(channels, calibrate, side="in"):
    """Over a few kernels, away from the border, where part of the kernel sees nothing."""
    variances = []
    for seed in range(6):
        conv = DynamicConv2d(32, side, calibrate=calibrate)
        if side == "out":
            conv.weight.data = normal(3, 3, 128, 128, seed=seed) * (128 * 9) ** -0.5
        x = normal(40, channels if side == "in" else 32, 8, 8, seed=seed)
        out = conv(x) if side == "in" else conv(x, channels)
        variances.append(out[:, :, 1:-1, 1:-1].var().item())
    return sum(variances) / len(variances)


@pytest.mark.parametrize("side", ["in", "out"])
@pytest.mark.parametrize("channels", CHANNELS)
def test_calibrated_the_output_has_unit_variance_for_any_number_of_channels(channels, side):
    # One kernel for one channel has few weights: its variance scatters by a tenth.
    tolerance = 0.1 if channels == 1 else 0.05
    assert abs(output_variance(channels, True, side) - 1) < tolerance


def test_the_published_layers_output_grows_with_the_channels():
    one, many = (output_variance(channels, False) for channels in (7, 128))
    assert 10 < many / one < 40


@pytest.mark.parametrize("channels", CHANNELS)
def test_gradients_reach_the_whole_kernel_or_the_part_that_is_used(channels):
    conv = DynamicConv2d(32)
    conv(normal(2, channels, 8, 8)).square().sum().backward()
    used = (conv.weight.grad != 0).any(dim=0).any(dim=0).any(dim=0).sum()  # over the input axis
    assert used >= min(channels, 128)


def test_one_convolution_of_an_image_of_eight_rows_leaves_lags_out():
    image, conv = DelayImage(64), DynamicConv2d(1)
    impulse = torch.zeros(1, 1, 64)
    impulse[0, 0, 28] = 1.0  # row 4 of column 3
    conv.bias.data.zero_()
    reached = image.unfold(conv(image.fold(impulse)))[0, 0].nonzero()[:, 0] - 28
    assert sorted(reached.tolist()) == [-9, -8, -7, -1, 0, 1, 7, 8, 9]


def test_what_cannot_be_resized_is_refused():
    with pytest.raises(ValueError, match="'in' or 'out'; got 'left'"):
        DynamicConv2d(32, "left")
    with pytest.raises(ValueError, match="must be odd, to keep the length; got 4"):
        DynamicConv1d(32, kernel=4)
    with pytest.raises(ValueError, match="at least 1; got 0 and 128"):
        DynamicConv2d(0)
    with pytest.raises(ValueError, match="told how many channels"):
        DynamicConv2d(32, "out")(normal(1, 32, 8, 8))
    with pytest.raises(ValueError, match="at least 1 channel; got 0"):
        DynamicConv1d(32, "out")(normal(1, 32, 8), 0)
