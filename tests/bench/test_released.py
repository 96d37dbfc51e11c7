"""Is the released update what it is said to be: shrinking, and next to no guidance?"""

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn.functional import cross_entropy

from timeloom.bench.released import Released
from timeloom.data.windows import Windows
from timeloom.methods.diffmts import DiffMTS


class Reader(nn.Module):
    """A two-layer classifier of scaled windows (window, time, channel)."""

    def __init__(self):
        super().__init__()
        self.net = nn.Sequential(nn.Flatten(), nn.Linear(12, 8), nn.Tanh(), nn.Linear(8, 2))

    def forward(self, x):
        return self.net(x)


@pytest.fixture(scope="module")
def windows():
    rng = np.random.default_rng(0)
    y = np.arange(300) % 3 // 2
    wave = np.sin(np.arange(12) / 2)[:, None] * np.where(y == 1, 2.0, -1.0)[:, None, None]
    x = 5 + wave + 0.3 * rng.standard_normal((300, 12, 1))
    return Windows(x.astype(np.float32), np.array(["few", "many"])[1 - y], label_name="kind")


@pytest.fixture(scope="module")
def released(windows):
    generator = DiffMTS(train_steps=60, width=8, multipliers="1,2", seed=0, device="cpu").fit(
        windows
    )
    with torch.random.fork_rng():
        torch.manual_seed(0)
        reader = Reader()
    x = torch.as_tensor(generator.scaler_.transform(windows.x), dtype=torch.float32)
    told = torch.from_numpy(generator.condition_.told(windows.y, len(windows))).long()
    optimiser = torch.optim.Adam(reader.parameters(), 1e-2)
    for _ in range(60):
        optimiser.zero_grad()
        cross_entropy(reader(x), told).backward()
        optimiser.step()
    return Released(generator, reader, windows)


def scaled(released, windows):
    return released.generator.scaler_.transform(windows.x)


def test_samples_with_and_without_the_gradient_agree_and_shrink(released, windows):
    y = windows.y[:64]
    spread = [np.std(scaled(released, released.sample(y, alpha=0.0)))]
    for alpha in (0.1, 0.25, 0.5):
        pushed, alone = (
            scaled(released, released.sample(y, alpha=alpha, pushed=pushed))
            for pushed in (True, False)
        )
        assert np.abs(pushed - alone).mean() < 0.02
        assert not np.array_equal(pushed, alone)
        spread.append(np.std(pushed))
    assert 0.7 < spread[0] < 1.3
    assert spread[1] < 0.8 * spread[0] and spread[2] < 0.4 * spread[0] and spread[3] < 0.1


def test_without_strength_it_is_the_generator_at_the_released_levels(released, windows):
    y = windows.y[:5]
    base = released.sample(y, alpha=0.0, seed=3)
    np.testing.assert_array_equal(base.y, y)
    np.testing.assert_array_equal(base.x, released.sample(y, alpha=0.0, seed=3, pushed=False).x)
    assert not np.array_equal(base.x, released.sample(y, alpha=0.0, seed=4).x)


def test_on_another_schedule_ddim_without_strength_is_the_generator_bitwise(windows):
    generator = DiffMTS(train_steps=5, width=8, schedule="linear", target="noise", device="cpu")
    generator.fit(windows)
    made = Released(generator, Reader(), windows, steps=6, step="ddim").sample(
        windows.y[:9], alpha=0.0, seed=2
    )
    again = generator.sample(9, windows.y[:9], seed=2, steps=6, step="ddim")
    np.testing.assert_array_equal(made.x, again.x)


def test_the_levels_are_the_released_ones(released):
    levels = released._times()
    assert len(levels) == 21 and levels[-1] == 0 and (levels.diff() < 0).all()
    beta = np.linspace(np.sqrt(5e-4), np.sqrt(0.1), 200) ** 2
    first = np.prod(1 - beta[:192])
    np.testing.assert_allclose(float(levels[0]), np.sqrt(1 / first - 1), rtol=1e-6)


def test_the_gradient_is_the_derivative_of_the_cosine_for_the_whole_batch(released, windows):
    rng = torch.Generator().manual_seed(0)
    x = torch.randn((4, 1, 12), generator=rng)
    told = torch.tensor([0.0, 1.0, 1.0, 0.0])
    found = released._score(x, told)

    def like(x):
        own = released._direction(x.mT, told)
        pairs = zip(own, released.toward, strict=True)
        return float(sum((a.detach() * b).sum() for a, b in pairs))

    for window, time in ((0, 0), (2, 7)):
        moved = torch.zeros_like(x)
        moved[window, 0, time] = 1e-2
        slope = (like(x + moved) - like(x - moved)) / 2e-2
        assert slope == pytest.approx(float(found[window, 0, time]), rel=0.05, abs=1e-4)
    alone = released._score(x[:1], told[:1])
    assert not torch.allclose(alone, found[:1], rtol=0.05)  # it depends on the batch
