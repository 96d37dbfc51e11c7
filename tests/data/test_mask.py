"""Which points are hidden."""

import numpy as np
import pytest

from tests import naive
from timeloom.data import mask

KINDS = [mask.random, mask.block, mask.geometric]
SHAPE = (300, 60, 4)


def rows(hidden):
    return hidden.transpose(0, 2, 1).reshape(-1, hidden.shape[1])


@pytest.mark.parametrize("draw", KINDS)
@pytest.mark.parametrize("share", [0.0, 0.15, 0.5])
def test_the_share_asked_for_is_hidden(draw, share):
    hidden = draw(SHAPE, share, np.random.default_rng(0))
    assert hidden.shape == SHAPE and hidden.dtype == bool
    assert abs(hidden.mean() - share) < 0.01


@pytest.mark.parametrize("draw", [mask.random, mask.geometric])
def test_every_time_point_is_as_likely_as_any_other(draw):
    hidden = draw((20000, 12, 1), 0.3, np.random.default_rng(0))
    np.testing.assert_allclose(hidden.mean(axis=(0, 2)), 0.3, atol=0.015)


@pytest.mark.parametrize("draw", KINDS)
def test_the_same_generator_gives_the_same_mask(draw):
    first, again, other = (draw(SHAPE, 0.3, np.random.default_rng(s)) for s in (0, 0, 1))
    np.testing.assert_array_equal(first, again)
    assert (first != other).any()


@pytest.mark.parametrize("draw", KINDS)
def test_channels_differ_unless_they_share_the_mask(draw):
    apart = draw(SHAPE, 0.3, np.random.default_rng(0))
    together = draw(SHAPE, 0.3, np.random.default_rng(0), shared=True)
    assert (apart != apart[..., :1]).any()
    assert (together == together[..., :1]).all()
    assert (together != together[:1]).any()


@pytest.mark.parametrize(("share", "length", "count"), [(0.5, 10, 3), (0.2, 5, 2), (0.01, 6, 1)])
def test_a_block_mask_hides_whole_blocks_the_same_number_in_every_row(share, length, count):
    for row in rows(mask.block(SHAPE, share, np.random.default_rng(0), length=length)):
        runs = naive.run_lengths(row, True)
        assert sum(runs) == count * length
        assert all(run % length == 0 for run in runs)


def test_every_placement_of_a_block_is_equally_likely():
    hidden = mask.block((30000, 6, 1), 0.5, np.random.default_rng(0), length=3)
    _, counts = np.unique(rows(hidden), axis=0, return_counts=True)
    assert len(counts) == 4
    np.testing.assert_allclose(counts / 30000, 0.25, atol=0.01)


def test_without_a_length_one_block_hides_the_whole_share():
    for row in rows(mask.block(SHAPE, 0.4, np.random.default_rng(0))):
        assert naive.run_lengths(row, True) == [24]


@pytest.mark.parametrize(("share", "length"), [(0.15, 3), (0.5, 5)])
def test_geometric_stretches_have_the_lengths_of_the_paper(share, length):
    shape = (40, 20000, 1)
    hidden = mask.geometric(shape, share, np.random.default_rng(0), mean_length=length)
    runs = [n for row in rows(hidden) for n in naive.run_lengths(row, True)]
    free = [n for row in rows(hidden) for n in naive.run_lengths(row, False)]
    assert np.mean(runs) == pytest.approx(length, rel=0.03)
    assert np.mean(free) == pytest.approx(length * (1 - share) / share, rel=0.03)
    # Geometric: the chance of exactly one point is one over the mean.
    assert np.mean(np.array(runs) == 1) == pytest.approx(1 / length, rel=0.05)


@pytest.mark.parametrize("draw", KINDS)
@pytest.mark.parametrize("share", [-0.1, 1.0, 1.5, float("nan")])
def test_a_share_outside_its_range_is_refused(draw, share):
    with pytest.raises(ValueError, match="share must be at least 0 and below 1"):
        draw(SHAPE, share, np.random.default_rng(0))


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (lambda rng: mask.random((3, 4), 0.5, rng), "window, time, channel"),
        (lambda rng: mask.block(SHAPE, 0.5, rng, length=61), "between 1 and the 60"),
        (lambda rng: mask.geometric(SHAPE, 0.5, rng, mean_length=0.5), "at least 1"),
        (lambda rng: mask.geometric(SHAPE, 0.9, rng), "at most a share of 0.75"),
    ],
)
def test_an_impossible_mask_is_refused(wrong, message):
    with pytest.raises(ValueError, match=message):
        wrong(np.random.default_rng(0))
