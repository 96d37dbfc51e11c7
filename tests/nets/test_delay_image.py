import pytest
import torch

from timeloom.nets.delay_image import DelayImage, longest

SIZES = [(12, 8, 8), (24, 8, 8), (36, 8, 8), (48, 8, 8), (64, 8, 8), (24, 3, 8), (96, 6, 16)]
ODD = [(1, 8, 8), (5, 8, 8), (28, 3, 8), (26, 3, 8), (6, 1, 4), (6, 2, 3), (1, 1, 1)]


def normal(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def naive_columns(length, delay, embedding):
    """Time points of each column, by the definition."""
    columns, q = [], 0
    while q * delay + embedding <= length:
        columns.append([q * delay + r for r in range(embedding)])
        q += 1
    if q * delay != length:
        columns.append(list(range(q * delay, length)))
    return columns


def naive_fold(x, delay, embedding):
    """(image, mask), one pixel at a time."""
    image = torch.zeros(*x.shape[:2], embedding, embedding)
    mask = torch.ones(embedding, embedding, dtype=torch.bool)
    for q, column in enumerate(naive_columns(x.shape[2], delay, embedding)):
        for r, time in enumerate(column):
            image[:, :, r, q] = x[:, :, time]
            mask[r, q] = False
    return image, mask


def naive_unfold(image, length, delay, embedding, overlap):
    seen = [[] for _ in range(length)]
    for q, column in enumerate(naive_columns(length, delay, embedding)):
        for r, time in enumerate(column):
            seen[time].append(image[:, :, r, q])
    values = [said[-1] if overlap == "last" else sum(said) / len(said) for said in seen]
    return torch.stack(values, dim=2)


@pytest.mark.parametrize(("length", "delay", "embedding"), SIZES + ODD)
def test_folding_and_its_mask_equal_a_loop_over_pixels(length, delay, embedding):
    x, image = normal(2, 3, length), DelayImage(length, delay, embedding)
    want, mask = naive_fold(x, delay, embedding)
    assert torch.equal(image.fold(x), want) and torch.equal(image.mask, mask)
    assert torch.equal(image(x), want)


@pytest.mark.parametrize("overlap", ["last", "mean"])
@pytest.mark.parametrize(("length", "delay", "embedding"), SIZES + ODD)
def test_unfolding_equals_a_loop_over_pixels(length, delay, embedding, overlap):
    drawn = normal(2, 3, embedding, embedding)
    image = DelayImage(length, delay, embedding, overlap=overlap)
    want = naive_unfold(drawn, length, delay, embedding, overlap)
    torch.testing.assert_close(image.unfold(drawn), want)


@pytest.mark.parametrize(("length", "delay", "embedding"), SIZES + ODD)
def test_the_round_trip_is_exact(length, delay, embedding):
    x, image = normal(2, 3, length), DelayImage(length, delay, embedding)
    assert torch.equal(image.unfold(image.fold(x)), x)


def test_means_of_equal_values_are_the_values():
    x, image = normal(2, 3, 24), DelayImage(24, 3, 8, overlap="mean")
    torch.testing.assert_close(image.unfold(image.fold(x)), x)


def test_the_papers_image_is_a_plain_fold():
    x = torch.arange(64.0).reshape(1, 1, 64)
    assert torch.equal(DelayImage(64).fold(x)[0, 0], x.reshape(8, 8).T)


@pytest.mark.parametrize(
    ("size", "forgotten"), [((12, 8, 8), 4), ((36, 8, 8), 4), ((24, 3, 8), 2), ((24, 8, 8), 0)]
)
def test_the_released_mask_forgets_the_last_columns_empty_pixels(size, forgotten):
    exact, released = DelayImage(*size), DelayImage(*size, compat=True)
    assert (exact.mask & ~released.mask).sum() == forgotten
    assert not (released.mask & ~exact.mask).any()
    x = normal(1, 2, size[0])
    assert torch.equal(exact.fold(x), released.fold(x))


@pytest.mark.parametrize("overlap", ["last", "mean"])
def test_what_stands_on_padding_is_not_looked_at(overlap):
    image, drawn = DelayImage(36, overlap=overlap), normal(2, 3, 8, 8).requires_grad_()
    image.unfold(drawn).square().sum().backward()
    assert drawn.grad is not None
    assert (drawn.grad[:, :, image.mask] == 0).all()
    assert (drawn.grad[:, :, ~image.mask] != 0).all()


@pytest.mark.parametrize("overlap", ["last", "mean"])
def test_images_are_made_where_the_windows_are(overlap):
    # "meta" stands for any device: an index left on the CPU would fail.
    image = DelayImage(24, 3, 8, overlap=overlap).to("meta")
    drawn = image.fold(torch.empty(2, 3, 24, device="meta", dtype=torch.float64))
    assert drawn.is_meta and drawn.dtype == torch.float64
    assert image.unfold(drawn).is_meta and image.mask.is_meta


def test_indices_are_no_weights():
    assert DelayImage(24).state_dict() == {}


@pytest.mark.parametrize(("delay", "embedding"), [(8, 8), (3, 8), (6, 16), (1, 5)])
def test_the_longest_window_that_is_named_fits_and_one_more_does_not(delay, embedding):
    most = longest(delay, embedding)
    assert DelayImage(most, delay, embedding).columns == embedding
    with pytest.raises(ValueError, match=f"has {most}. Cut shorter windows"):
        DelayImage(most + 1, delay, embedding)


def test_windows_of_144_points_are_refused_by_the_papers_image():
    with pytest.raises(ValueError, match="144 time points fill 18 columns, more than the 8"):
        DelayImage(144)


def test_what_cannot_be_folded_is_refused():
    with pytest.raises(ValueError, match="delay 9 is larger than embedding 8"):
        DelayImage(24, 9, 8)
    with pytest.raises(ValueError, match="at least 1 time point to be folded; got 0"):
        DelayImage(0)
    with pytest.raises(ValueError, match="at least 1; got 0 and 8"):
        DelayImage(24, 0, 8)
    with pytest.raises(ValueError, match="'last' or 'mean'; got 'first'"):
        DelayImage(24, overlap="first")
    with pytest.raises(ValueError, match="24 time points; got 23"):
        DelayImage(24).fold(normal(1, 1, 23))
