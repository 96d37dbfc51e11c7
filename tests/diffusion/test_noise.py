import pytest
import torch

from timeloom.diffusion.draws import StepDraws
from timeloom.diffusion.noise import BetaSchedule, CosineSchedule, KarrasSchedule

SCHEDULES = [BetaSchedule(), CosineSchedule(), KarrasSchedule()]


@pytest.mark.parametrize("schedule", SCHEDULES, ids=lambda s: type(s).__name__)
def test_time_zero_is_clean_and_noise_grows_with_time(schedule):
    times = schedule.grid(10)
    assert times[-1] == 0 and (times.diff() < 0).all()
    alpha, sigma = schedule(times)
    assert alpha[-1] == 1 and sigma[-1] == 0
    assert ((sigma / alpha).diff() < 0).all()


@pytest.mark.parametrize("schedule", SCHEDULES[:2], ids=lambda s: type(s).__name__)
def test_beta_schedules_keep_the_variance(schedule):
    alpha, sigma = schedule(schedule.grid())
    torch.testing.assert_close(alpha**2 + sigma**2, torch.ones_like(alpha), rtol=0, atol=1e-12)


def test_the_linear_schedule_is_the_released_one():
    beta = torch.linspace(1e-4, 0.028, 500, dtype=torch.float64)
    alpha, _ = BetaSchedule()(torch.arange(501.0, dtype=torch.float64))
    torch.testing.assert_close(alpha[1:] ** 2, (1 - beta).cumprod(0), rtol=0, atol=1e-12)
    assert abs(float(alpha[-1] ** 2) - 8.3e-4) < 1e-4  # shared fact: what is left of the signal


def test_the_cosine_schedule_is_the_papers():
    alpha, _ = CosineSchedule()(torch.tensor([250.0], dtype=torch.float64))
    u = torch.tensor([0.0, 250 / 500], dtype=torch.float64)
    f = torch.cos((u + 0.008) / 1.008 * torch.pi / 2) ** 2
    torch.testing.assert_close(alpha[0] ** 2, f[1] / f[0], rtol=0, atol=1e-12)


def test_training_times_cover_the_schedule_evenly():
    times = BetaSchedule(steps=10).draw(20_000, StepDraws(0, 0))
    assert times.min() == 1 and times.max() == 10
    assert (times.long().bincount()[1:] > 1800).all()


def test_karras_training_levels_are_log_normal():
    times = KarrasSchedule().draw(50_000, StepDraws(0, 0)).log()
    assert abs(times.mean() + 0.2) < 0.02 and abs(times.std() - 1.6) < 0.02


def test_too_many_steps_are_refused():
    with pytest.raises(ValueError, match="1 to 500; got 501"):
        BetaSchedule().grid(501)
    with pytest.raises(ValueError, match="at least 1 step; got 0"):
        KarrasSchedule().grid(0)
