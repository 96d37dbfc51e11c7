import numpy as np
import pytest
import torch

from timeloom.train.source import Mixture, Shuffled, Source


def part(name, size, width=2):
    """Windows that carry their set and their place."""
    return torch.arange(size), torch.full((size,), name), torch.zeros(size, width)


SIZES = (1_000, 100, 10)
PARTS = [part(i, size, i + 1) for i, size in enumerate(SIZES)]


def sets_taken(source, steps=3_000, batch=4):
    taken = [int(source.take(step * batch, batch, 0, 1)[1][0]) for step in range(steps)]
    return np.bincount(taken, minlength=3) / steps


@pytest.mark.parametrize("balance", [0.0, 0.5, 1.0])
def test_sets_are_taken_as_their_size_to_the_power_of_balance(balance):
    want = np.array(SIZES) ** balance
    want = want / want.sum()
    # Five standard deviations of a share over 3,000 steps.
    tolerance = 5 * np.sqrt(want * (1 - want) / 3_000)
    assert (abs(sets_taken(Mixture(PARTS, 0, balance)) - want) < tolerance).all()


def test_all_windows_of_a_step_are_of_one_set_and_all_of_them_come():
    source, seen = Mixture(PARTS, 0, 0.0), {0: set(), 1: set(), 2: set()}
    for step in range(300):
        rows, which, data = source.take(step * 8, 8, 0, 1)
        assert len(which) == 8 and len(set(which.tolist())) == 1
        assert data.shape == (8, int(which[0]) + 1)
        seen[int(which[0])].update(rows.tolist())
    assert seen[2] == set(range(10)) and len(seen[1]) > 95 and max(seen[0]) > 900


def test_a_step_is_a_function_of_the_seed_and_the_windows_seen():
    one, two = Mixture(PARTS, 3), Mixture(PARTS, 3)
    for seen in (0, 64, 4_096_000):
        for a, b in zip(one.take(seen, 16, 0, 1), two.take(seen, 16, 0, 1), strict=True):
            assert torch.equal(a, b)
    rows = [tuple(source.take(640, 16, 0, 1)[0].tolist()) for source in (one, Mixture(PARTS, 4))]
    assert rows[0] != rows[1]
    assert rows[0] != tuple(one.take(656, 16, 0, 1)[0].tolist())


@pytest.mark.parametrize("source", [Mixture(PARTS, 0), Shuffled(PARTS[1], 0)])
@pytest.mark.parametrize("ranks", [2, 4])
def test_processes_together_take_what_one_takes(source, ranks):
    for seen in (0, 32, 96):
        whole = source.take(seen, 32, 0, 1)
        shares = [source.take(seen, 32, rank, ranks) for rank in range(ranks)]
        for i, want in enumerate(whole):
            assert torch.equal(torch.cat([share[i] for share in shares]), want)


def test_an_epoch_holds_every_window_once_and_the_next_is_in_another_order():
    source = Shuffled(part(0, 10), 5)
    rows = torch.cat([source.take(seen, 4, 0, 1)[0] for seen in range(0, 20, 4)])
    assert sorted(rows[:10].tolist()) == sorted(rows[10:].tolist()) == list(range(10))
    assert rows[:10].tolist() != rows[10:].tolist()


def test_the_order_of_an_epoch_is_the_documented_one():
    for epoch in (0, 7):
        rng = torch.Generator().manual_seed(5 * 1_000_003 + epoch)
        want = torch.randperm(10, generator=rng)
        assert torch.equal(Shuffled(part(0, 10), 5).take(10 * epoch, 10, 0, 1)[0], want)


def test_more_than_an_epoch_at_once_is_possible():
    rows = Shuffled(part(0, 3), 1).take(2, 10, 0, 1)[0]
    assert sorted(rows[1:4].tolist()) == sorted(rows[4:7].tolist()) == [0, 1, 2]


def test_both_are_sources():
    assert isinstance(Mixture(PARTS, 0), Source) and isinstance(Shuffled(PARTS[0], 0), Source)
