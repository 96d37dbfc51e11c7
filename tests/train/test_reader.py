"""Training a reader: which windows it is shown, and which weights it keeps."""

import copy

import pytest
import torch
from torch import nn
from torch.nn.functional import mse_loss

from timeloom.train.reader import outputs_of, train_reader


class Watched(nn.Module):
    """One layer that remembers which rows it was shown in training: x holds their numbers."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.layer = nn.Linear(1, 1)
        self.rows = []

    def forward(self, x):
        if self.training:
            self.rows.append(x[:, 0].long())
        return self.layer(x)


def numbers(count):
    x = torch.arange(count, dtype=torch.float32)[:, None]
    return x, x.clone()


def shown(count, steps, batch, **how):
    net, (x, y) = Watched(), numbers(count)
    train_reader(net, x, y, loss=mse_loss, steps=steps, batch=batch, **how)
    assert [len(rows) for rows in net.rows] == [batch] * steps
    return torch.cat(net.rows)


def test_windows_are_shown_in_passes():
    rows = shown(10, steps=5, batch=6)
    assert torch.bincount(rows).tolist() == [3] * 10
    assert sorted(rows[:10].tolist()) == list(range(10))
    assert rows[:10].tolist() != rows[10:20].tolist()


def test_few_windows_come_more_than_once_in_a_step():
    assert torch.bincount(shown(3, steps=2, batch=9)).tolist() == [6, 6, 6]


def test_weights_say_how_often_each_window_is_drawn():
    """A class of 5 among 100 windows fills half of the batches when it shall."""
    label = torch.arange(100) < 5
    counts = torch.bincount(label.long())
    rows = shown(100, steps=100, batch=32, weights=(1.0 / counts)[label.long()])
    share = label[rows].double().mean()
    assert abs(share - 0.5) < 5 * 0.5 / 3200**0.5
    each = torch.bincount(rows[label[rows]], minlength=5)[:5].double()
    assert each.min() > 0.7 * each.mean()  # and every one of the five alike
    plain = shown(100, steps=100, batch=32)
    assert label[plain].double().mean() == 0.05


def test_the_seed_decides_the_order():
    for weights in (None, torch.ones(20)):
        first, again, other = (
            shown(20, steps=3, batch=8, seed=seed, weights=weights) for seed in (1, 1, 2)
        )
        assert torch.equal(first, again) and not torch.equal(first, other)


def test_the_global_generator_is_left_alone():
    net, (x, y) = nn.Linear(1, 1), numbers(5)
    torch.manual_seed(3)
    train_reader(net, x, y, loss=mse_loss, steps=2, batch=4, weights=torch.ones(5))
    after = torch.rand(())
    torch.manual_seed(3)
    assert torch.equal(torch.rand(()), after)


def scored(values, steps=12):
    """Trains with scores that are given one after another; the weights at each, and at the end."""
    net, (x, y), seen = nn.Linear(1, 1), numbers(8), []

    def score(now):
        seen.append(copy.deepcopy(now.state_dict()))
        return values[len(seen) - 1]

    how = dict(steps=steps, batch=4, checks=len(values), score=score)
    chosen = train_reader(net, x, y, loss=mse_loss, **how)
    assert len(seen) == len(values)
    return chosen, seen, net.state_dict()


def same(one, other):
    return all(torch.equal(one[name], other[name]) for name in one)


@pytest.mark.parametrize("best", [0, 1, 2, 3])
def test_the_best_weights_are_kept_as_they_were(best):
    """A shallow copy would hold the last ones whatever the score said."""
    values = [1.0, 1.0, 1.0, 1.0]
    values[best] = 0.5
    chosen, seen, kept = scored(values)
    assert chosen == 3 * (best + 1) and same(kept, seen[best])
    assert all(not same(kept, other) for k, other in enumerate(seen) if k != best)


def test_among_equal_scores_the_first_is_kept():
    chosen, seen, kept = scored([0.2, 0.2, 0.2])
    assert chosen == 4 and same(kept, seen[0])


def test_without_a_score_the_last_weights_are_kept():
    (x, y), net = numbers(8), nn.Linear(1, 1)
    other = copy.deepcopy(net)
    assert train_reader(net, x, y, loss=mse_loss, steps=7, batch=4) == 7
    how = dict(checks=7, score=lambda now: -float(len(asked.append(1) or asked)))
    asked = []
    assert train_reader(other, x, y, loss=mse_loss, steps=7, batch=4, **how) == 7
    assert same(net.state_dict(), other.state_dict())


def test_it_learns_and_ends_in_evaluation_mode():
    torch.manual_seed(0)
    net = nn.Sequential(nn.Linear(1, 16), nn.ReLU(), nn.Dropout(0.5), nn.Linear(16, 1))
    x = torch.linspace(-1, 1, 50)[:, None]
    before = float(mse_loss(outputs_of(net, x), 2 * x))
    train_reader(net, x, 2 * x, loss=mse_loss, steps=100, batch=25, rate=1e-2)
    assert not net.training
    assert float(mse_loss(outputs_of(net, x), 2 * x)) < before / 4
    assert torch.equal(net(x), net(x))


def test_outputs_in_chunks_equal_those_in_one_piece_and_dropout_rests():
    net = nn.Sequential(nn.Linear(3, 4), nn.Dropout(0.5)).train()
    x = torch.randn(11, 3, generator=torch.Generator().manual_seed(0))
    whole = outputs_of(net, x)
    assert not whole.requires_grad and whole.shape == (11, 4)
    torch.testing.assert_close(outputs_of(net, x, chunk=4), whole)
    torch.testing.assert_close(whole, net[0](x).detach())
