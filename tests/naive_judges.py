"""Slow, obvious versions of what trains the field's judges: one network at a time."""

import numpy as np
import torch
from torch import nn


class OneGRU(nn.Module):
    """torch.nn.GRU and a linear layer, with the weights of network ``k`` of a ManyGRU."""

    def __init__(self, many, k):
        super().__init__()
        gates, channels = many.weight_ih.shape[1:]
        self.recurrent = nn.GRU(channels, gates // 3, batch_first=True)
        self.head = nn.Linear(gates // 3, many.head_weight.shape[1])
        with torch.no_grad():
            for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh"):
                getattr(self.recurrent, f"{name}_l0").copy_(getattr(many, name)[k])
            self.head.weight.copy_(many.head_weight[k])
            self.head.bias.copy_(many.head_bias[k])

    def forward(self, x):
        return self.head(self.recurrent(x)[0])


class OldGRU(nn.Module):
    """The first TensorFlow's cell, gate by gate: it resets the state before the product."""

    def __init__(self, many, k):
        super().__init__()
        self.hidden = many.weight_hh.shape[2]
        names = ("weight_ih", "weight_hh", "bias_ih", "head_weight", "head_bias")
        for name in names:
            self.register_parameter(name, nn.Parameter(getattr(many, name)[k].detach().clone()))

    def forward(self, x):
        ih, hh = self.weight_ih.split(self.hidden), self.weight_hh.split(self.hidden)
        bias = self.bias_ih.split(self.hidden)
        state, said = torch.zeros(len(x), self.hidden), []
        for t in range(x.shape[1]):
            now = x[:, t]
            reset = torch.sigmoid(now @ ih[0].T + state @ hh[0].T + bias[0])
            update = torch.sigmoid(now @ ih[1].T + state @ hh[1].T + bias[1])
            new = torch.tanh(now @ ih[2].T + (reset * state) @ hh[2].T + bias[2])
            state = update * state + (1 - update) * new
            said.append(state @ self.head_weight.T + self.head_bias)
        return torch.stack(said, dim=1)


def discriminative_repeat(judge, real, synthetic, rng, *, batch, steps):
    """The accuracy of one judge: two forwards a step, rows from ``rng`` in the published order."""
    cross_entropy = nn.functional.binary_cross_entropy_with_logits
    optimiser = torch.optim.Adam(judge.parameters(), lr=1e-3)
    sides = [torch.as_tensor(side, dtype=torch.float32) for side in (real, synthetic)]
    orders = [rng.permutation(len(side)) for side in sides]
    learn = [
        side[order[: int(len(order) * 0.8)]] for side, order in zip(sides, orders, strict=True)
    ]
    test = [side[order[int(len(order) * 0.8) :]] for side, order in zip(sides, orders, strict=True)]
    rng.integers(2**62)  # the weights' seed is drawn here
    for _ in range(steps):
        loss = 0
        for side, label in zip(learn, (1.0, 0.0), strict=True):
            size = min(batch, len(side))
            rows = rng.choice(len(side), size, replace=False, shuffle=False)
            logits = judge(side[rows])[:, -1, 0]
            loss = loss + cross_entropy(logits, torch.full_like(logits, label))
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    with torch.no_grad():
        right = [judge(test[0])[:, -1, 0] > 0, judge(test[1])[:, -1, 0] <= 0]
    return float(np.mean(torch.cat(right).numpy()))
