"""Do many small networks side by side do what each would do alone?"""

import pytest
import torch

from tests.naive_judges import OldGRU, OneGRU
from timeloom.nets.many_gru import ManyGRU

ALONE = {"after": OneGRU, "before": OldGRU}
SEEDS = (3, 1, 4)


def windows(count=3, windows=9, length=7, channels=5, seed=0):
    rng = torch.Generator().manual_seed(seed)
    return torch.randn(count, windows, length, channels, generator=rng)


def many(reset, hidden=4, outputs=2, seeds=SEEDS):
    return ManyGRU(seeds, 5, hidden, outputs, reset=reset)


@pytest.mark.parametrize("reset", ALONE)
@pytest.mark.parametrize("hidden", [1, 4])
def test_each_network_reads_what_it_would_read_alone(reset, hidden):
    net, x = many(reset, hidden), windows()
    every, last = net(x, every=True), net(x)
    for k in range(3):
        alone = ALONE[reset](net, k)(x[k])
        torch.testing.assert_close(every[k].permute(2, 1, 0), alone, atol=1e-5, rtol=0)
        torch.testing.assert_close(last[k].T, alone[:, -1], atol=1e-5, rtol=0)


@pytest.mark.parametrize("reset", ALONE)
@pytest.mark.parametrize("every", [False, True])
def test_after_some_steps_each_network_is_what_it_would_be_alone(reset, every):
    net = many(reset)
    singles = [ALONE[reset](net, k) for k in range(3)]
    optimisers = [torch.optim.Adam(one.parameters(), lr=1e-2) for one in (net, *singles)]
    for step in range(12):
        x, wanted = windows(seed=step), torch.sin(torch.tensor(float(step)))
        for optimiser in optimisers:
            optimiser.zero_grad()
        ((net(x, every=every) - wanted) ** 2).flatten(1).mean(1).sum().backward()
        for k, one in enumerate(singles):
            said = one(x[k]) if every else one(x[k])[:, -1]
            ((said - wanted) ** 2).mean().backward()
        for optimiser in optimisers:
            optimiser.step()
    x = windows(seed=99)
    for k, one in enumerate(singles):
        torch.testing.assert_close(
            net(x, every=True)[k].permute(2, 1, 0), one(x[k]), atol=1e-4, rtol=0
        )


@pytest.mark.parametrize("reset", ALONE)
def test_the_gradient_of_the_windows_is_that_of_differences(reset):
    net = many(reset, seeds=(0, 1)).double()
    x = windows(count=2, windows=2, length=3).double().requires_grad_()
    assert torch.autograd.gradcheck(lambda given: net(given, every=True), (x,))


@pytest.mark.parametrize("reset", ALONE)
def test_first_weights_depend_on_the_network_s_own_seed_alone(reset):
    three, one = many(reset), many(reset, seeds=SEEDS[1:2])
    for name, weight in three.named_parameters():
        assert torch.equal(weight[1:2], dict(one.named_parameters())[name])
    assert not torch.equal(three.weight_ih[0], three.weight_ih[1])


def test_first_weights_are_those_of_the_two_libraries():
    ours = ManyGRU(range(200), 6, 3).requires_grad_(False)
    assert float(ours.weight_ih.abs().max()) == pytest.approx(3**-0.5, rel=0.01)
    assert float(ours.head_bias.std()) == pytest.approx(1 / 3, rel=0.2)
    old = ManyGRU(range(200), 6, 3, reset="before").requires_grad_(False)
    assert float(old.weight_ih[:, :6].abs().max()) == pytest.approx((6 / 15) ** 0.5, rel=0.01)
    assert float(old.weight_ih[:, 6:].abs().max()) == pytest.approx((6 / 12) ** 0.5, rel=0.01)
    assert old.bias_ih[0].tolist() == [1] * 6 + [0] * 3


def test_no_network_s_gradient_reaches_another():
    net, x = many("after"), windows()
    net(x)[1].sum().backward()
    for weight in net.parameters():
        assert not weight.grad[0].any() and not weight.grad[2].any()
