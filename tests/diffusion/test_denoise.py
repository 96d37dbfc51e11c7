import pytest
import torch
from torch import nn

from timeloom.diffusion.denoise import TARGETS, Denoiser
from timeloom.diffusion.draws import StepDraws
from timeloom.diffusion.guide import ClassifierFree
from timeloom.diffusion.noise import BetaSchedule, CosineSchedule, KarrasSchedule

SCHEDULES = [BetaSchedule(), CosineSchedule(), KarrasSchedule()]


class Anything(nn.Module):
    """A net with no structure; the condition shifts what it says."""

    def forward(self, x, t, cond):
        told = torch.zeros(len(x), dtype=x.dtype) if cond is None else cond.nan_to_num(-3.0)
        return torch.sin(3 * x) + 0.01 * t[:, None, None] + told[:, None, None]


class Says(nn.Module):
    def __init__(self, answer):
        super().__init__()
        self.answer = answer

    def forward(self, x, t, cond):
        return self.answer


@pytest.mark.parametrize("schedule", SCHEDULES, ids=lambda s: type(s).__name__)
@pytest.mark.parametrize("target", TARGETS)
def test_a_net_that_answers_the_target_gives_the_clean_window(schedule, target):
    x = StepDraws(0, 0).normal((6, 2, 5)).double()
    denoiser = Denoiser(Anything(), schedule, target)
    pair = denoiser.pair(x, None, StepDraws(0, 1))
    denoiser.net = Says(pair.target)
    right = denoiser.pair(x, None, StepDraws(0, 1))
    torch.testing.assert_close(right.estimate, x, rtol=0, atol=1e-9)


@pytest.mark.parametrize(
    ("target", "schedule", "formula"),
    [
        ("noise", BetaSchedule(), lambda x, n, a, b: n),
        ("clean", BetaSchedule(), lambda x, n, a, b: x),
        ("velocity", BetaSchedule(), lambda x, n, a, b: a * n - b * x),
        # EDM, table 1, with data of spread 1: (x - c_skip (x + sigma n)) / c_out
        (
            "karras",
            KarrasSchedule(),
            lambda x, n, a, b: (x - (x + b * n) / (1 + b**2)) / (b / (1 + b**2).sqrt()),
        ),
    ],
)
def test_what_the_loss_compares_is_the_papers_target(target, schedule, formula):
    x = StepDraws(0, 0).normal((6, 2, 5)).double()
    rng = StepDraws(0, 7)
    t = schedule.draw(6, rng).double()
    noise = rng.normal(x.shape).double()
    a, b = (level[:, None, None] for level in schedule(t))
    pair = Denoiser(Anything(), schedule, target).pair(x, None, StepDraws(0, 7))
    torch.testing.assert_close(pair.target, formula(x, noise, a, b), rtol=0, atol=1e-9)


def test_guidance_on_the_estimate_is_guidance_on_the_noise():
    schedule, w = BetaSchedule(), 0.7
    denoiser = Denoiser(Anything(), schedule, "noise")
    x_t = StepDraws(0, 0).normal((4, 2, 5)).double()
    t = torch.tensor(250.0, dtype=torch.float64)
    cond = torch.tensor([0.1, 0.2, 0.9, 0.0], dtype=torch.float64)
    got = ClassifierFree(denoiser, w)(x_t, t, cond)
    net, told = denoiser.net, schedule.embed(t).expand(4)
    eps = (1 + w) * net(x_t, told, cond) - w * net(x_t, told, cond * torch.nan)
    a, b = schedule(t)
    torch.testing.assert_close(got, (x_t - b * eps) / a, rtol=0, atol=1e-12)


def test_guidance_of_weight_zero_is_the_denoiser_itself():
    denoiser = Denoiser(Anything(), KarrasSchedule())
    x_t, t = StepDraws(0, 0).normal((4, 2, 5)).double(), torch.tensor(2.0, dtype=torch.float64)
    cond = torch.rand(4, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    assert torch.equal(ClassifierFree(denoiser, 0.0)(x_t, t, cond), denoiser(x_t, t, cond))


def test_an_unknown_target_is_refused():
    with pytest.raises(ValueError, match="target must be one of"):
        Denoiser(Anything(), BetaSchedule(), "score")
