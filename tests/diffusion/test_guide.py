"""The influence push: equal to loops, per window, of a known size, nothing where it must be."""

import copy

import pytest
import torch
from torch import nn

from tests import naive_influence as naive
from tests.diffusion.exact import Fixed, Silent
from timeloom.diffusion.draws import StepDraws
from timeloom.diffusion.gradients import class_gradients
from timeloom.diffusion.guide import Influence
from timeloom.diffusion.noise import BetaSchedule, KarrasSchedule
from timeloom.diffusion.sample import STEPS, Moment, sample
from timeloom.nets.gru import GRUReader
from timeloom.nets.resnet import ResNet
from timeloom.train.reader import train_reader


def small(classes=3, seed=0):
    """Two layers that read windows of (2, 3), in double precision."""
    torch.manual_seed(seed)
    layers = nn.Sequential(nn.Flatten(), nn.Linear(6, 5), nn.Tanh(), nn.Linear(5, classes))
    return layers.double().eval()


def windows(count=11, classes=3, seed=1):
    rng = torch.Generator().manual_seed(seed)
    x = torch.randn(count, 2, 3, generator=rng, dtype=torch.float64)
    return x, torch.arange(count) % classes


@pytest.fixture
def net():
    return small()


@pytest.fixture
def toward(net):
    return naive.mean_gradient(net, *windows(20, seed=7))


def moment(x_hat, cond=None, x_t=None, landing=(1.0, 0.5), gain=0.25, progress=0.0):
    cond = torch.zeros(len(x_hat)) if cond is None else cond
    x_t = x_hat if x_t is None else x_t
    return Moment(x_t, x_hat, cond, (1.0, 1.0), landing, gain, progress)


@pytest.mark.parametrize("exact", [True, False])
def test_the_gradient_equals_a_loop_over_windows_and_parameters(net, toward, exact):
    x, y = windows()
    wanted = naive.pull(net, toward, x, y)
    found = Influence(net, toward, scale=1.0, exact=exact).gradient(x, y.double())
    torch.testing.assert_close(found, wanted, rtol=1e-5, atol=1e-6 * float(wanted.abs().max()))


def one_step(step, schedule, clean, push, t, s):
    """What a single step from t to s arrives at, from the same noise every time."""
    noise = StepDraws(0, 0).normal(clean.shape).double()
    times = torch.tensor([t, s], dtype=torch.float64)
    how = dict(step=STEPS[step], cond=torch.zeros(len(clean)), rng=StepDraws(0, 1))
    return sample(Fixed(schedule, clean), noise, times, push=push, **how)


CASES = [
    ("ddim", BetaSchedule(), 300.0, 200.0),
    ("ddim", BetaSchedule(), 500.0, 499.0),
    ("ddim", KarrasSchedule(), 3.0, 1.0),
    ("ddpm", BetaSchedule(), 300.0, 200.0),
    ("ddpm", BetaSchedule(), 250.0, 249.0),
    ("ddpm_beta", BetaSchedule(), 250.0, 249.0),
    ("ddpm", BetaSchedule(), 1.0, 0.0),
    ("ddim", BetaSchedule(), 1.0, 0.0),
    ("dpmpp_2m", KarrasSchedule(), 3.0, 1.0),
]


@pytest.mark.parametrize(("step", "schedule", "t", "s"), CASES)
def test_the_gain_is_how_far_a_step_moves_with_its_estimate(step, schedule, t, s):
    clean = windows(5)[0]
    gains = []

    def nudge(moment):
        gains.append(moment.gain)
        return torch.full_like(moment.x_hat, 0.7)

    moved = one_step(step, schedule, clean, nudge, t, s) - one_step(
        step, schedule, clean, None, t, s
    )
    torch.testing.assert_close(moved, torch.full_like(clean, 0.7 * gains[0]), rtol=1e-8, atol=1e-12)
    if s == 0:
        assert gains[0] == pytest.approx(1.0, rel=1e-9)


@pytest.mark.parametrize(("step", "schedule", "t", "s"), CASES)
def test_a_push_on_the_mean_equals_the_papers(net, toward, step, schedule, t, s):
    """x_s + w J, of J at the clean estimate, as in algorithm 1."""
    clean, y = windows(5)[0], torch.zeros(5, dtype=torch.long)
    push = Influence(net, toward, scale=3.0, strength="absolute", exact=True)
    moved = one_step(step, schedule, clean, push, t, s) - one_step(
        step, schedule, clean, None, t, s
    )
    wanted = 3.0 * naive.pull(net, toward, clean, y)
    torch.testing.assert_close(moved, wanted, rtol=1e-6, atol=1e-9 * float(wanted.abs().max()))


def test_both_estimates_of_heun_are_pushed_and_each_counts_half():
    schedule, clean, seen = KarrasSchedule(), windows(5)[0], []

    def only(which):
        def push(moment):
            seen.append(moment)
            now = (len(seen) - 1) % 2 == which
            return torch.full_like(moment.x_hat, 1.0 if now else 0.0)

        return push

    base = one_step("heun", schedule, clean, None, 3.0, 1.0)
    second = one_step("heun", schedule, clean, only(1), 3.0, 1.0) - base
    assert [one.level[1] for one in seen] == pytest.approx([3.0, 1.0])
    assert [one.landing[1] for one in seen] == pytest.approx([1.0, 1.0])
    torch.testing.assert_close(second, torch.full_like(clean, seen[1].gain / 2))
    assert seen[0].gain == pytest.approx(1 - 1 / 3) and seen[1].gain == pytest.approx(3 - 1)


@pytest.mark.parametrize("strength", ["relative", "absolute"])
@pytest.mark.parametrize("step", sorted(STEPS))
def test_every_rule_can_be_pushed_and_the_last_relative_push_is_nothing(
    net, toward, step, strength
):
    schedule, clean = KarrasSchedule(), windows(4)[0]
    push, pushes = Influence(net, toward, scale=0.2, strength=strength), []

    def watched(moment):
        pushes.append((moment.landing[1], push(moment)))
        return pushes[-1][1]

    noise = StepDraws(0, 0).normal(clean.shape).double()
    how = dict(step=STEPS[step], cond=torch.zeros(4), rng=Silent())
    got = sample(Fixed(schedule, clean), noise, schedule.grid(5), push=watched, **how)
    assert torch.isfinite(got).all()
    for landing, moved in pushes:
        assert bool((moved == 0).all()) == (landing == 0 and strength == "relative")
    assert pushes[-1][0] == 0


@pytest.mark.parametrize("landing", [(1.0, 0.5), (0.8, 0.6), (0.3, 0.95), (1.0, 20.0)])
def test_a_relative_push_has_the_size_that_it_says(net, toward, landing):
    x, y = windows()
    found = Influence(net, toward, scale=0.3)(moment(x, y.double(), landing=landing))
    rms = found.flatten(1).square().mean(1).sqrt()
    alpha, sigma = landing
    wanted = torch.full_like(rms, 0.3 * sigma / (alpha**2 + sigma**2) ** 0.5)
    torch.testing.assert_close(rms, wanted)
    gradient = Influence(net, toward, scale=0.3).gradient(x, y.double())
    angle = torch.cosine_similarity(found.flatten(1), gradient.flatten(1))
    torch.testing.assert_close(angle, torch.ones_like(angle))


def test_an_absolute_push_is_linear_in_its_strength_and_knows_no_noise(net, toward):
    at = moment(*windows(), landing=(1.0, 0.0))
    one, ten, back = (
        Influence(net, toward, scale=scale, strength="absolute")(at) for scale in (1.0, 10.0, -1.0)
    )
    torch.testing.assert_close(ten, 10 * one)
    torch.testing.assert_close(back, -one)
    assert (one.flatten(1).norm(dim=1) > 0).all()


def test_a_push_raises_the_influence_and_a_negative_one_lowers_it(net, toward):
    x, y = windows()

    def product(x):
        return torch.stack(
            [naive.own_gradient(net, *pair).detach() @ toward for pair in zip(x, y, strict=True)]
        )

    for scale, sign in ((1e-4, 1), (-1e-4, -1)):
        pushed = x + Influence(net, toward, scale=scale)(moment(x, y.double()))
        assert (sign * (product(pushed) - product(x)) > 0).all()


def test_only_the_last_share_of_the_steps_is_pushed(net, toward):
    x = windows(2)[0]
    for last, count in ((1.0, 10), (0.5, 5), (0.3, 3), (0.25, 2), (0.01, 0)):
        push = Influence(net, toward, scale=1.0, last=last)
        pushed = [bool(push(moment(x, progress=k / 10)).any()) for k in range(10)]
        assert pushed == [False] * (10 - count) + [True] * count


def test_the_gradient_is_taken_at_the_clean_or_at_the_noisy_window(net, toward):
    x, y = windows()
    other = windows(seed=9)[0]
    for at, where in (("clean", x), ("noisy", other)):
        push = Influence(net, toward, scale=0.25, strength="absolute", at=at)
        torch.testing.assert_close(
            push(moment(x, y.double(), x_t=other)), push.gradient(where, y.double())
        )


def test_windows_without_a_class_are_left_alone(net, toward):
    x, y = windows()
    push = Influence(net, toward, scale=1.0)
    cond = torch.where(y == 1, torch.nan, y.double())
    found = push(moment(x, cond))
    assert (found[y == 1] == 0).all() and torch.isfinite(found).all()
    torch.testing.assert_close(found[y != 1], push(moment(x, y.double()))[y != 1])
    none = Moment(x, x, None, (1.0, 1.0), (1.0, 0.5), 0.25, 0.0)
    assert (push(none) == 0).all()


NETS = {
    "resnet": lambda classes: ResNet(2, classes, width=12, smooth=True),
    "gru": lambda classes: GRUReader(2, classes, hidden=12),
}


def trained(kind, classes=3, steps=60):
    """A network of ours in single precision after training, its windows, and their gradient."""
    rng = torch.Generator().manual_seed(4)
    y = torch.arange(90) % classes
    wave = torch.sin(torch.arange(12) * (1.0 + y[:, None]) / 2)
    x = torch.stack([wave, wave.flip(1)], dim=1) + 0.7 * torch.randn(90, 2, 12, generator=rng)
    torch.manual_seed(5)
    net = NETS[kind](classes)
    loss = nn.functional.cross_entropy
    train_reader(net, x, y, loss=loss, steps=steps, batch=32, rate=5e-3)
    return net, x, y, class_gradients(net, x[60:], y[60:], classes).mean(0)


@pytest.fixture(scope="module", params=NETS)
def ours(request):
    return trained(request.param)


def test_the_difference_agrees_with_the_exact_gradient_for_our_networks(ours):
    net, x, y, toward = ours
    quick, exact = (
        Influence(net, toward, scale=1.0, exact=how).gradient(x, y.float()).flatten(1).double()
        for how in (False, True)
    )
    double = naive.pull_backward(copy.deepcopy(net), toward, x, y).flatten(1).double()
    assert float(torch.cosine_similarity(exact, double).min()) > 0.9999
    assert float(torch.cosine_similarity(quick, double).min()) > 0.99
    sizes = quick.norm(dim=1) / double.norm(dim=1)
    assert 0.9 < float(sizes.min()) and float(sizes.max()) < 1.1


@pytest.mark.parametrize("strength", ["relative", "absolute"])
def test_a_window_is_pushed_alike_in_any_batch_and_any_order(ours, strength):
    net, x, y, toward = ours
    push = Influence(net, toward, scale=0.3, strength=strength)
    whole = push(moment(x[:64], y[:64].float()))
    for size in (1, 7):
        parts = [push(moment(x[rows], y[rows].float())) for rows in torch.arange(64).split(size)]
        gap = (torch.cat(parts) - whole).flatten(1).norm(dim=1) / whole.flatten(1).norm(dim=1)
        assert float(gap.max()) < 0.02  # rounding of single precision, in a difference
    order = torch.randperm(64, generator=torch.Generator().manual_seed(0))
    mixed = push(moment(x[:64][order], y[:64][order].float()))
    gap = (mixed - whole[order]).flatten(1).norm(dim=1) / whole[order].flatten(1).norm(dim=1)
    assert float(gap.max()) < 0.02


def test_a_double_precision_push_does_not_depend_on_the_batch_at_all(net, toward):
    x, y = windows(64)
    push = Influence(net, toward, scale=0.3, exact=True)
    alone = torch.cat([push(moment(x[i : i + 1], y[i : i + 1].double())) for i in range(64)])
    torch.testing.assert_close(alone, push(moment(x, y.double())), rtol=1e-9, atol=1e-12)


def test_dropout_is_not_active_whatever_the_mode_of_the_classifier():
    torch.manual_seed(0)
    net = nn.Sequential(nn.Flatten(), nn.Linear(6, 8), nn.Tanh(), nn.Dropout(0.5), nn.Linear(8, 3))
    net.double().train()
    x, y = windows()
    toward = naive.mean_gradient(net.eval(), x, y)
    net.train()
    for exact in (True, False):
        push = Influence(net, toward, scale=1.0, exact=exact)
        wanted = naive.pull(net.eval(), toward, x, y)
        net.train()
        torch.testing.assert_close(push.gradient(x, y.double()), wanted, rtol=1e-4, atol=1e-8)
    assert net.training  # what was given is left in its mode


def test_the_classifier_that_was_given_stays_as_it_was_and_is_not_followed(net, toward):
    x, y = windows()
    before = copy.deepcopy(net.state_dict())
    pushes = [Influence(net, toward, scale=1.0, exact=exact) for exact in (True, False)]
    found = [push(moment(x, y.double())) for push in pushes]
    for name, value in net.state_dict().items():
        assert torch.equal(value, before[name])
    assert all(p.grad is None and p.requires_grad for p in net.parameters())
    with torch.no_grad():
        for p in net.parameters():
            p += 1.0
    for push, was in zip(pushes, found, strict=True):
        torch.testing.assert_close(push(moment(x, y.double())), was)


@pytest.mark.parametrize("bad", [0.0, torch.nan, torch.inf])
def test_a_guidance_gradient_that_points_nowhere_is_refused(net, toward, bad):
    with pytest.raises(ValueError, match="must be finite and not 0; its length is"):
        Influence(net, bad * toward, scale=1.0)


@pytest.mark.parametrize("sure", [1, 10, 30, 100])
def test_a_classifier_that_is_certain_pushes_no_further_than_others(sure):
    torch.manual_seed(0)
    net = ResNet(2, 2, smooth=True)
    x, y = torch.randn(64, 2, 12), torch.arange(64) % 2
    train_reader(net, x, y, loss=torch.nn.functional.cross_entropy, steps=40)
    toward = class_gradients(net, x, y, 2)[1]
    with torch.no_grad():
        net.head.weight *= sure
    push = Influence(net, toward, scale=0.5)(moment(x, y.float()))
    rms = push.flatten(1).square().mean(dim=1).sqrt()
    assert torch.isfinite(push).all() and rms.max() <= 0.5 * 0.5 + 1e-5


def test_a_parameter_that_the_outputs_do_not_need_changes_nothing(net, toward):
    class Idle(nn.Module):
        def __init__(self):
            super().__init__()
            self.inner, self.idle = net, nn.Linear(2, 2).double()

        def forward(self, x):
            return self.inner(x)

    x, y = windows()
    longer = torch.cat([toward, torch.zeros(6, dtype=torch.float64)])
    found = Influence(Idle(), longer, scale=1.0, exact=True).gradient(x, y.double())
    wanted = Influence(net, toward, scale=1.0, exact=True).gradient(x, y.double())
    torch.testing.assert_close(found, wanted)
