import math

import numpy as np
import pytest
import torch

from tests.diffusion.exact import ExactMixture, Fixed, estimate_of, gaussian
from timeloom.diffusion.draws import ItemDraws, StepDraws
from timeloom.diffusion.noise import BetaSchedule, CosineSchedule, KarrasSchedule
from timeloom.diffusion.sample import STEPS, ddim, ddpm, dpmpp_2m, heun, sample

ALL = sorted(STEPS)


def draw(model, step, steps, count=10_000, seed=0):
    noise = StepDraws(seed, 0).normal((count,)).double()
    rng = StepDraws(seed, 1)
    return sample(model, noise, model.schedule.grid(steps), step=STEPS[step], rng=rng)


# Reached spread for a target of 0.300: the known convergence of each step (a deterministic step
# is exact as steps grow; few ancestral steps shrink the spread).
@pytest.mark.parametrize(
    ("step", "steps", "low", "high"),
    [
        ("heun", 36, 0.294, 0.31),
        ("heun", 144, 0.293, 0.308),
        ("dpmpp_2m", 12, 0.29, 0.33),
        ("dpmpp_2m", 60, 0.293, 0.308),
        ("ddim", 400, 0.29, 0.306),
    ],
)
def test_a_deterministic_step_reaches_the_gaussian_it_was_given(step, steps, low, high):
    got = draw(gaussian(KarrasSchedule(high=20.0, rho=7.0), 0.5), step, steps)
    assert low < got.std() < high
    # The mean, 1/40 of the first noise level, is left out of the noise that sampling starts from.
    assert abs(got.mean() - 0.5) < 0.3 * 0.5 / 20 + 0.008


@pytest.mark.parametrize(
    ("step", "steps", "low", "high"),
    [
        ("ddpm", 50, 0.24, 0.28),
        ("ddpm", 500, 0.285, 0.305),
        ("ddpm_beta", 500, 0.293, 0.312),
        ("ddim", 250, 0.285, 0.312),
        ("heun", 100, 0.29, 0.312),
        ("dpmpp_2m", 50, 0.29, 0.312),
    ],
)
def test_a_step_on_betas_reaches_the_gaussian_it_was_given(step, steps, low, high):
    got = draw(gaussian(BetaSchedule(), 0.5), step, steps)
    assert low < got.std() < high
    assert abs(got.mean() - 0.5) < 0.02  # 3 % of the last time's signal is left out


@pytest.mark.parametrize("step", ALL)
@pytest.mark.parametrize(
    "schedule", [CosineSchedule(), KarrasSchedule(rho=7.0)], ids=["cosine", "karras"]
)
def test_every_step_reaches_both_modes_of_a_mixture(step, schedule):
    model = ExactMixture(schedule, [-1.0, 1.0], [0.1, 0.2], [0.3, 0.7])
    got = draw(model, step, 200, count=4_000)
    assert abs((got > 0).double().mean() - 0.7) < 0.03
    assert abs(got[got > 0].std() - 0.2) < 0.02 and abs(got[got < 0].std() - 0.1) < 0.015


@pytest.mark.parametrize(("steps", "worst"), [(12, 0.055), (16, 0.035), (32, 0.015)])
def test_the_default_rule_keeps_every_spread_in_few_steps(steps, worst):
    for spread in (0.3, 0.7, 1.0, 1.4, 4.0, 15.0):
        got = draw(gaussian(KarrasSchedule(), 0.0, spread), "hybrid_2m", steps)
        drawn = StepDraws(0, 0).normal((10_000,)).std()
        assert abs(got.std() / drawn / spread - 1) < worst


def test_the_rule_in_angles_is_second_order_and_right():
    model = gaussian(KarrasSchedule(high=80.0), 0.0, 0.3)
    noise = StepDraws(0, 0).normal((500,)).double()

    def angles(n):
        share = torch.linspace(0, 1, n + 1, dtype=torch.float64)
        return torch.tan(math.atan(80.0) * (1 - share) ** 1.5)

    exact = noise * 80.0 * 0.3 / (80.0**2 + 0.3**2) ** 0.5  # the flow of a Gaussian, solved
    errors = [
        (sample(model, noise, angles(n), step=STEPS["trig_2m"]) - exact).abs().mean()
        for n in (100, 200, 400)
    ]
    assert errors[0] / errors[1] > 2.5 and errors[1] / errors[2] > 2.5
    assert errors[2] < 1e-4


def test_halving_the_steps_of_a_second_order_rule_quarters_its_error():
    model = gaussian(KarrasSchedule(low=0.002, high=80.0, rho=7.0), 0.0)
    noise = StepDraws(0, 0).normal((500,)).double()
    sharp = sample(model, noise, model.schedule.grid(1000), step=heun)
    coarse, fine = (
        (sample(model, noise, model.schedule.grid(n), step=heun) - sharp).abs().mean()
        for n in (40, 80)
    )
    assert 3 < coarse / fine < 5.5


@pytest.mark.parametrize("t", [2, 10, 250, 500])
@pytest.mark.parametrize("variance", ["posterior", "beta"])
def test_the_ancestral_step_is_the_released_formula(t, variance):
    beta = torch.linspace(1e-4, 0.028, 500, dtype=torch.float64)
    bar = (1 - beta).cumprod(0)
    x = StepDraws(0, 0).normal((7,)).double()
    eps = StepDraws(0, 1).normal((7,)).double()
    noise = StepDraws(0, 2).normal((7,)).double()
    b, a, before = beta[t - 1], bar[t - 1], bar[t - 2]
    mean = x / (1 - b).sqrt() - b / ((1 - b).sqrt() * (1 - a).sqrt()) * eps  # coeff1, coeff2
    spread = (b if variance == "beta" else b * (1 - before) / (1 - a)).sqrt()
    clean = (x - (1 - a).sqrt() * eps) / a.sqrt()
    levels = BetaSchedule()
    times = torch.tensor([float(t), t - 1.0], dtype=torch.float64)
    denoise = estimate_of(Fixed(levels, clean))
    got = ddpm(denoise, x, *times, levels, StepDraws(0, 2), variance=variance)
    torch.testing.assert_close(got, mean + spread * noise, rtol=0, atol=1e-12)


def test_the_ddim_step_is_the_papers_formula():
    t, s = torch.tensor([300.0, 200.0], dtype=torch.float64)
    levels = BetaSchedule()
    (a, b), (c, d) = levels(t), levels(s)
    x, eps = (StepDraws(0, i).normal((7,)).double() for i in (0, 1))
    clean = (x - b * eps) / a  # eq. 12 with sigma = 0
    got = ddim(estimate_of(Fixed(levels, clean)), x, t, s, levels, None)
    torch.testing.assert_close(got, c * clean + d * eps, rtol=0, atol=1e-12)


def test_the_heun_step_is_algorithm_1():
    levels, model = KarrasSchedule(), gaussian(KarrasSchedule())
    t, s = torch.tensor([3.0, 2.0], dtype=torch.float64)
    x = StepDraws(0, 0).normal((7,)).double()
    d = (x - model(x, t)) / t
    euler = x + (s - t) * d
    there = (euler - model(euler, s)) / s
    got = heun(estimate_of(model), x, t, s, levels, None)
    torch.testing.assert_close(got, x + (s - t) * (d + there) / 2, rtol=0, atol=1e-12)


def test_the_multistep_rule_is_algorithm_2():
    levels, model = CosineSchedule(), gaussian(CosineSchedule())
    r, t, s = torch.tensor([400.0, 300.0, 150.0], dtype=torch.float64)
    x = StepDraws(0, 0).normal((7,)).double()
    denoise = estimate_of(model)
    between = dpmpp_2m(denoise, x, r, t, levels, None)
    got = dpmpp_2m(denoise, between, t, s, levels, None)

    def lam(u):
        a, b = levels(u)
        return (a / b).log()

    h_before, h = lam(t) - lam(r), lam(s) - lam(t)
    ratio = h_before / h
    now, before = model(between, t), model(x, r)
    mixed = (1 + 1 / (2 * ratio)) * now - 1 / (2 * ratio) * before
    (_, b_t), (a_s, b_s) = levels(t), levels(s)
    want = b_s / b_t * between - a_s * ((-h).exp() - 1) * mixed
    torch.testing.assert_close(got, want, rtol=0, atol=1e-12)


def test_the_last_step_of_a_stochastic_rule_adds_no_noise():
    model = gaussian(BetaSchedule())
    t, s = torch.tensor([1.0, 0.0], dtype=torch.float64)
    x = torch.randn(5, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    for variance in ("posterior", "beta"):
        got = ddpm(estimate_of(model), x, t, s, BetaSchedule(), None, variance=variance)
        torch.testing.assert_close(got, model(x, t))


@pytest.mark.parametrize("step", ALL)
def test_known_values_come_back_exactly_and_steer_the_rest(step):
    schedule = KarrasSchedule()

    class Pair:  # two numbers that are nearly equal
        def __init__(self):
            self.schedule = schedule

        def __call__(self, x_t, t, cond=None):
            cov = torch.tensor([[1.0, 0.99], [0.99, 1.0]], dtype=torch.float64)
            noisy = cov + schedule(t.double())[1] ** 2 * torch.eye(2, dtype=torch.float64)
            return x_t @ torch.linalg.solve(noisy, cov)

    noise = StepDraws(0, 0).normal((1000, 2)).double()
    values = torch.full_like(noise, 1.5)
    mask = torch.tensor([True, False]).expand_as(noise)
    got = sample(
        Pair(),
        noise,
        schedule.grid(60),
        step=STEPS[step],
        known=(values, mask),
        rng=StepDraws(0, 1),
    )
    assert (got[:, 0] == 1.5).all()
    # Replacing the estimate pulls less than exact conditioning (1.485) would: a known bias.
    assert 0.8 < got[:, 1].mean() < 1.6


def test_a_push_moves_the_estimate_by_what_it_says():
    model = gaussian(KarrasSchedule(), 0.0, 1e-4)
    noise = StepDraws(0, 0).normal((100,)).double()
    got = sample(model, noise, model.schedule.grid(10), push=lambda moment: 0 * moment.x_hat + 2.0)
    torch.testing.assert_close(
        got.mean(), torch.tensor(2.0, dtype=torch.float64), atol=1e-2, rtol=0
    )


@pytest.mark.parametrize("step", ALL)
def test_item_i_depends_on_seed_and_i_only(step):
    model = gaussian(KarrasSchedule())

    def items(chosen):
        rng = ItemDraws(5, chosen)
        noise = rng.normal((len(chosen), 1)).double()[:, 0]
        return sample(model, noise, model.schedule.grid(8), step=STEPS[step], rng=rng)

    whole = items([0, 1, 2, 3])
    torch.testing.assert_close(items([2, 3]), whole[2:], rtol=0, atol=0)
    assert not np.isclose(whole[0], whole[1])


def test_two_processes_draw_what_one_draws():
    whole = StepDraws(3, 128).normal((8, 2))
    halves = [StepDraws(3, 128, rank, 2).normal((4, 2)) for rank in (0, 1)]
    torch.testing.assert_close(torch.cat(halves), whole, rtol=0, atol=0)
    assert not torch.equal(whole, StepDraws(3, 256).normal((8, 2)))
