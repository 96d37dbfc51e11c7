import math

import pytest
import torch
from torch.nn.functional import avg_pool1d

from tests.nets.weights import normal
from timeloom.nets.neighbour_mask import (
    attention_mask,
    caps,
    hidden_points,
    mean_width,
    pick,
    reopened,
    widths,
)

NAN = math.nan


# The slow, obvious versions.


def slow_vector(x, i, criterion):
    channels, length = x.shape

    def value(c, j):
        j = min(max(j, 0), length - 1)
        if criterion == "pearson":
            return x[c, j].item()
        return (x[c, min(j + 1, length - 1)].item() - x[c, max(j - 1, 0)].item()) / 2

    reach = 0 if channels >= 4 else 2
    return [value(c, i + lag) for c in range(channels) for lag in range(-reach, reach + 1)]


def slow_likeness(one, other, criterion):
    pairs = [(a, b) for a, b in zip(one, other, strict=True) if not (a != a or b != b)]
    if len(pairs) < 3:
        return NAN
    means = [sum(side) / len(pairs) for side in zip(*pairs, strict=True)]
    if criterion == "gradient":
        means = [0.0, 0.0]
    top = sum((a - means[0]) * (b - means[1]) for a, b in pairs)
    one_size = sum((a - means[0]) ** 2 for a, _ in pairs)
    other_size = sum((b - means[1]) ** 2 for _, b in pairs)
    return top / math.sqrt(one_size * other_size) if one_size * other_size > 1e-20 else NAN


def slow_widths(x, picked, criterion, theta, most):
    out = torch.zeros(*picked.shape, 2, dtype=torch.long)
    for w in range(len(x)):
        for i in range(x.shape[2]):
            for side, step in enumerate((-1, 1)) if picked[w, i] else ():
                grown, cap = 0, int(most[w, i]) if torch.is_tensor(most) else most
                while grown < cap and 0 <= i + step * (grown + 1) < x.shape[2]:
                    one = slow_vector(x[w], i, criterion)
                    other = slow_vector(x[w], i + step * (grown + 1), criterion)
                    alike = criterion == "fixed" or slow_likeness(one, other, criterion) > theta
                    if not alike:
                        break
                    grown += 1
                out[w, i, side] = grown
    return out


def slow_intervals(picked, wide, w):
    """First and last point of each mask of window w, with the point it grew from."""
    for i in picked[w].nonzero()[:, 0].tolist():
        yield i, i - int(wide[w, i, 0]), i + int(wide[w, i, 1])


def slow_hidden(picked, wide):
    out = torch.zeros_like(picked)
    for w in range(len(picked)):
        for _, first, last in slow_intervals(picked, wide, w):
            for j in range(max(first, 0), min(last + 1, picked.shape[1])):
                out[w, j] = True
    return out


def slow_attention(picked, wide, scope):
    length = picked.shape[1]
    out = torch.zeros(len(picked), length, length, dtype=torch.bool)
    for w in range(len(picked)):
        for point, first, last in slow_intervals(picked, wide, w):
            for i in range(length) if scope == "key" else [point]:
                out[w, i, max(first, 0) : last + 1] = True
        for i in range(length):
            if out[w, i].all():
                out[w, i, i] = False
    return out


def related(windows, channels, length, keep, seed=0):
    """Windows whose neighbouring time points have the correlation ``keep``."""
    noise = normal(windows, channels, length, seed=seed)
    steps = [noise[:, :, 0]]
    for i in range(1, length):
        steps.append(keep * steps[-1] + math.sqrt(1 - keep**2) * noise[:, :, i])
    return torch.stack(steps, dim=2)


def smooth(windows, channels, length, over):
    """Noise averaged over so many time points, twice."""
    x = normal(windows, channels, length + 2 * (over - 1))
    return avg_pool1d(avg_pool1d(x, over, 1), over, 1)


def some(windows, length, share=0.3, seed=0):
    return torch.rand(windows, length, generator=torch.Generator().manual_seed(seed)) < share


@pytest.mark.parametrize("channels", [1, 3, 4, 12])
@pytest.mark.parametrize("criterion", ["pearson", "gradient", "fixed"])
@pytest.mark.parametrize("missing", [False, True])
def test_widths_equal_the_slow_version(channels, criterion, missing):
    x, picked = related(4, channels, 20, 0.9), some(4, 20)
    if missing:
        x[some(4, 20, 0.1, seed=1)[:, None].expand_as(x)] = NAN
        x[:, 0, 5:7] = NAN
    got = widths(x.double(), picked, criterion=criterion, corr_threshold=0.6, most=4)
    assert torch.equal(got, slow_widths(x.double(), picked, criterion, 0.6, 4))
    assert got.shape == (4, 20, 2) and (got[~picked] == 0).all() and got.any()


def test_each_point_may_have_its_own_cap():
    x, picked = related(4, 8, 20, 0.97), some(4, 20)
    most = torch.randint(0, 5, (4, 20), generator=torch.Generator().manual_seed(0))
    got = widths(x.double(), picked, most=most)
    assert torch.equal(got, slow_widths(x.double(), picked, "pearson", 0.7, most))
    assert not torch.equal(got, widths(x.double(), picked, most=4))


@pytest.mark.parametrize("length", [1, 2, 3, 25])
def test_masks_equal_the_slow_version(length):
    picked = some(6, length)
    wide = widths(related(6, 5, length, 0.95), picked, most=3)
    assert torch.equal(hidden_points(picked, wide), slow_hidden(picked, wide))
    for scope in ("query", "key"):
        mask = attention_mask(picked, wide, scope=scope)
        assert torch.equal(mask, slow_attention(picked, wide, scope))


# What is picked.


def test_the_number_of_picks_follows_the_errors_and_a_perfect_window_has_none():
    errors = normal(4, 50).square() * torch.tensor([0.0, 0.1, 1.0, 5.0])[:, None]
    for rule in ({"threshold": 0.5}, {"quantile": 0.7}):
        counts = pick(errors, **rule).sum(dim=1).tolist()
        assert counts[0] == 0 and counts == sorted(counts) and counts[3] > counts[2] > counts[1]
    assert pick(errors, share=0.1).sum(dim=1).tolist() == [0, 5, 5, 5]


def test_picks_are_the_worst_points():
    errors = normal(3, 40).square()
    by_share = pick(errors, share=0.2)
    for row, chosen in zip(errors, by_share, strict=True):
        assert set(chosen.nonzero()[:, 0].tolist()) == set(row.argsort()[-8:].tolist())
    pooled = pick(errors, quantile=0.9)
    assert pooled.sum() == 12 and errors[pooled].min() > errors[~pooled].max()
    assert torch.equal(pick(errors, threshold=1.5), errors > 1.5)
    assert not pick(errors, share=0.0).any() and not pick(errors, quantile=1.0).any()


def test_a_threshold_per_channel_and_picks_of_single_channels():
    errors = normal(2, 3, 30).square()
    limits = torch.tensor([0.5, 1.0, 2.0])[:, None]
    assert torch.equal(pick(errors, threshold=limits), errors > limits)
    assert (pick(errors, share=0.1).sum(dim=2) == 3).all()


def test_a_windows_picks_by_threshold_or_share_depend_on_itself_alone():
    errors = normal(5, 30).square()
    for rule in ({"threshold": 1.0}, {"share": 0.1}):
        assert torch.equal(pick(errors, **rule)[2:3], pick(errors[2:3], **rule))


def test_what_was_not_measured_is_not_picked():
    errors = normal(2, 30).square()
    errors[:, 10:20] = NAN
    for rule in ({"threshold": 0.1}, {"share": 0.9}, {"quantile": 0.1}):
        picked = pick(errors, **rule)
        assert picked.any() and not picked[:, 10:20].any()
    assert not pick(torch.full((2, 5), NAN), quantile=0.5).any()


# How far masks grow.


def mean(x, **how):
    picked = torch.ones(len(x), x.shape[2], dtype=torch.bool)
    return mean_width(picked, widths(x, picked, **how)).item()


@pytest.mark.parametrize("channels", [1, 12])
def test_width_grows_with_the_correlation_of_neighbours(channels):
    found = [mean(smooth(30, channels, 60, over)) for over in (1, 2, 4, 20)]
    assert found == sorted(found) and found[-1] > found[0] + 2


@pytest.mark.parametrize("criterion", ["pearson", "gradient"])
@pytest.mark.parametrize("channels", [1, 12])
def test_width_falls_as_the_threshold_rises_and_is_0_at_1(criterion, channels):
    x = related(20, channels, 40, 0.9)
    found = [
        mean(x, criterion=criterion, corr_threshold=theta) for theta in (-1.0, 0.3, 0.7, 0.9, 1.0)
    ]
    assert found == sorted(found, reverse=True) and found[1] > found[3]
    assert found[-1] == 0


def test_width_at_1_is_0_even_where_neighbours_are_the_same():
    x = normal(2, 6, 1).expand(-1, -1, 20)
    assert mean(x, corr_threshold=1.0) == 0 and mean(x, most=2) > 3.5
    line = torch.arange(20.0).expand(2, 6, 20)
    assert mean(line, criterion="gradient", corr_threshold=1.0) == 0


def test_width_grows_with_the_error_and_never_falls_again():
    x = related(1, 8, 41, 0.999)
    picked = torch.arange(41)[None] == 20
    found = []
    for error in (0.2, 0.5, 0.58, 0.8, 1.8, 3.0, 50.0, math.inf):
        most = caps(torch.full((1, 41), error), 0.1, most=5)
        found.append(int(widths(x, picked, most=most).sum()))
    assert found == sorted(found) and found[0] == 4 and found[-1] == 10


def test_caps_are_1_just_above_the_threshold_and_most_far_above_it():
    errors = torch.tensor([[0.0, 0.9, 1.1, 2.5, 4.9, 5.0, 99.0, NAN]])
    assert caps(errors, 1.0).tolist() == [[0, 0, 1, 2, 4, 5, 5, 0]]
    assert caps(errors, 0.0).tolist() == [[0, 5, 5, 5, 5, 5, 5, 0]]


def test_the_fixed_criterion_always_takes_most_up_to_the_ends():
    picked = torch.ones(1, 6, dtype=torch.bool)
    for x in (normal(1, 2, 6), torch.full((1, 9, 6), NAN)):
        got = widths(x, picked, criterion="fixed", corr_threshold=1.0, most=2)
        assert got[0].tolist() == [[0, 2], [1, 2], [2, 2], [2, 2], [2, 1], [2, 0]]
    assert (widths(normal(1, 2, 6), picked, criterion="fixed", most=0) == 0).all()


def test_scale_and_unit_do_not_matter():
    x, picked = related(4, 8, 30, 0.9), some(4, 30)
    for criterion in ("pearson", "gradient"):
        want = widths(x, picked, criterion=criterion)
        assert torch.equal(widths(1e-6 * x, picked, criterion=criterion), want)
        assert torch.equal(widths(1e6 * x, picked, criterion=criterion), want)


def test_constant_and_missing_windows_grow_nothing():
    picked = torch.ones(1, 9, dtype=torch.bool)
    for value in (0.0, 0.1, 1e9, NAN):
        for channels in (1, 8):
            x = torch.full((1, channels, 9), value)
            assert (widths(x, picked) == 0).all()
            assert (widths(x, picked, criterion="gradient") == 0).all()


def test_a_windows_widths_depend_on_itself_alone():
    x, picked = related(5, 8, 30, 0.9), some(5, 30)
    assert torch.equal(widths(x, picked)[3:4], widths(x[3:4], picked[3:4]))


def test_the_mean_width_counts_both_sides_of_picked_points():
    picked = torch.tensor([[True, False, True]])
    wide = torch.tensor([[[0, 2], [0, 0], [1, 0]]])
    assert mean_width(picked, wide) == 1.5
    assert mean_width(torch.zeros_like(picked), torch.zeros_like(wide)) == 0


# What masks hide.


def test_masks_differ_between_windows_as_their_errors_do():
    errors = normal(2, 20).square()
    picked = pick(errors, threshold=1.0)
    x = related(2, 8, 20, 0.9)
    one, other = attention_mask(picked, widths(x, picked), scope="query")
    assert not torch.equal(one, other)


def test_width_0_masks_the_point_alone():
    picked, alone = torch.arange(5)[None] == 2, torch.zeros(1, 5, 2, dtype=torch.long)
    assert attention_mask(picked, alone, scope="query")[0].nonzero().tolist() == [[2, 2]]
    keys = attention_mask(picked, alone, scope="key")[0]
    assert keys.nonzero().tolist() == [[i, 2] for i in range(5)]
    assert torch.equal(hidden_points(picked, alone), picked)


@pytest.mark.parametrize("scope", ["query", "key"])
@pytest.mark.parametrize("length", [1, 2, 7])
def test_no_row_ever_loses_all_its_keys(scope, length):
    picked = torch.ones(2, length, dtype=torch.bool)
    wide = widths(normal(2, 3, length), picked, criterion="fixed", most=10)
    mask = attention_mask(picked, wide, scope=scope)
    assert not mask.all(dim=2).any()
    # Each would see nothing: it sees itself, and nothing else.
    assert torch.equal(~mask, torch.eye(length, dtype=torch.bool).expand(2, -1, -1))


def test_reopening_changes_only_rows_that_have_lost_every_key():
    mask = torch.tensor([[[True, True, True], [True, True, False], [False, False, True]]])
    want = torch.tensor([[[False, True, True], [True, True, False], [False, False, True]]])
    assert torch.equal(reopened(mask), want)


def test_without_picks_nothing_is_hidden():
    none = torch.zeros(2, 6, dtype=torch.bool)
    wide = widths(normal(2, 3, 6), none)
    assert not hidden_points(none, wide).any()
    assert not attention_mask(none, wide, scope="key").any()


def test_what_cannot_be_is_refused():
    errors, picked = normal(1, 5).square(), torch.ones(1, 5, dtype=torch.bool)
    x, wide = normal(1, 3, 5), torch.zeros(1, 5, 2, dtype=torch.long)
    for rules in ({}, {"share": 0.1, "threshold": 1.0}):
        with pytest.raises(ValueError, match="exactly one of share, quantile and threshold"):
            pick(errors, **rules)
    with pytest.raises(ValueError, match=r"share must lie in \[0, 1\]; got 1.5"):
        pick(errors, share=1.5)
    with pytest.raises(ValueError, match="got 'spearman'"):
        widths(x, picked, criterion="spearman")
    with pytest.raises(ValueError, match=r"\[-1, 1\]; got 2.0"):
        widths(x, picked, corr_threshold=2.0)
    with pytest.raises(ValueError, match="at least 0; got -1"):
        widths(x, picked, most=-1)
    with pytest.raises(ValueError, match="'query' or 'key'; got 'input'"):
        attention_mask(picked, wide, scope="input")
