"""Agreement with an independent library; skipped where it is not installed."""

import pytest
import torch

from tests.diffusion.exact import Silent, estimate_of, gaussian
from timeloom.diffusion.draws import StepDraws
from timeloom.diffusion.noise import BetaSchedule, KarrasSchedule
from timeloom.diffusion.sample import ddim, ddpm, dpmpp_2m, heun, sample

pytestmark = pytest.mark.filterwarnings("ignore")  # theirs, not ours
diffusers = pytest.importorskip("diffusers")

BETAS = dict(num_train_timesteps=500, beta_start=1e-4, beta_end=0.028, beta_schedule="linear")


def noise_of(model, x, t):
    """The noise that the exact estimate amounts to: what their schedulers expect."""
    a, b = model.schedule(torch.tensor(float(t), dtype=torch.float64))
    return (x - a * model(x, torch.tensor(float(t)))) / b


def test_ddim_agrees():
    theirs = diffusers.DDIMScheduler(**BETAS, clip_sample=False, set_alpha_to_one=True)
    theirs.set_timesteps(500)
    model = gaussian(BetaSchedule(), 0.5)
    x = noise = StepDraws(0, 0).normal((50,)).double()
    x = float(model.schedule(torch.tensor(500.0, dtype=torch.float64))[1]) * x
    for t in theirs.timesteps:
        x = theirs.step(noise_of(model, x, int(t) + 1), t, x).prev_sample
    ours = sample(model, noise, model.schedule.grid(500), step=ddim)
    # They keep their table of alphas in float32.
    torch.testing.assert_close(ours, x, rtol=0, atol=2e-4)


def test_the_mean_of_the_ancestral_step_agrees():
    theirs = diffusers.DDPMScheduler(**BETAS, clip_sample=False)
    theirs.set_timesteps(500)
    model = gaussian(BetaSchedule(), 0.5)
    x = StepDraws(0, 0).normal((50,)).double()

    for t in (499, 300, 2):
        got = ddpm(
            estimate_of(model),
            x,
            torch.tensor(float(t)).double(),
            torch.tensor(t - 1.0).double(),
            model.schedule,
            Silent(),
        )
        eps = noise_of(model, x, t)
        means = [
            theirs.step(
                eps[:, None], t - 1, x[:, None], generator=torch.Generator().manual_seed(i)
            ).prev_sample[:, 0]
            for i in range(400)
        ]
        spread = torch.stack(means).std()
        torch.testing.assert_close(
            got, torch.stack(means).mean(0), rtol=0, atol=float(5 * spread / 20) + 1e-4
        )


@pytest.mark.parametrize(
    ("theirs", "step"),
    [("EDMDPMSolverMultistepScheduler", dpmpp_2m), ("EDMEulerScheduler", ddim)],
)
def test_the_rules_on_karras_levels_agree(theirs, step):
    scheduler = getattr(diffusers, theirs)(sigma_min=0.005, sigma_max=20.0, sigma_data=1.0)
    scheduler.set_timesteps(20)
    model = gaussian(KarrasSchedule(), 0.5)
    noise = StepDraws(0, 0).normal((50,)).double()
    x = noise * 20.0
    for t, sigma in zip(scheduler.timesteps, scheduler.sigmas, strict=False):
        clean = model(x, sigma.double())
        skip, out = 1 / (1 + sigma**2), sigma / (1 + sigma**2).sqrt()
        scheduler.scale_model_input(x, t)
        x = scheduler.step((clean - skip * x) / out, t, x).prev_sample.double()
    grid = torch.cat([scheduler.sigmas.double()[:20], torch.zeros(1).double()])
    ours = sample(model, noise, grid, step=step)
    torch.testing.assert_close(ours, x, rtol=0, atol=2e-4)


def test_heun_agrees():
    scheduler = diffusers.HeunDiscreteScheduler(
        **BETAS, prediction_type="epsilon", timestep_spacing="linspace"
    )
    scheduler.set_timesteps(20)
    model = gaussian(KarrasSchedule(), 0.5)
    sigmas = scheduler.sigmas.double()
    levels = torch.cat([sigmas[:1], sigmas[1::2]])  # every inner level stands there twice
    noise = StepDraws(0, 0).normal((50,)).double()
    x = noise * sigmas[0]
    for i, t in enumerate(scheduler.timesteps):
        # The corrector stands at the next level, which is where they expect the network's answer.
        at = sigmas[i] if i % 2 == 0 else sigmas[i]
        eps = (x - model(x, at)) / at
        x = scheduler.step(eps, t, x).prev_sample
    ours = sample(model, noise, torch.cat([levels[levels > 0], torch.zeros(1)]).double(), step=heun)
    torch.testing.assert_close(ours, x, rtol=0, atol=1e-3)
