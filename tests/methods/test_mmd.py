import pytest
import torch

from tests.naive_mmd import mmd
from timeloom.methods.mmd import AdaptiveWeight, alike, conditional_mmd


def normal(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def test_it_equals_the_loop_over_all_pairs():
    x, y = normal(9, 2, 3), normal(9, 2, 3, seed=1) + 0.5
    told = torch.rand(9, generator=torch.Generator().manual_seed(2))
    given = alike(told, "value", 0.2)
    torch.testing.assert_close(
        float(conditional_mmd(x, y, given)), mmd(x, y, given), atol=1e-5, rtol=1e-4
    )


def test_equal_laws_give_zero_on_average():
    values = torch.stack(
        [
            conditional_mmd(normal(64, 14, 4, seed=i), normal(64, 14, 4, seed=1000 + i))
            for i in range(60)
        ]
    )
    error = values.std() / 60**0.5
    assert abs(values.mean()) < 3 * error


@pytest.mark.parametrize(
    "change", [lambda x, s: x + s, lambda x, s: x * (1 + s)], ids=["shift", "scale"]
)
def test_it_grows_with_shift_and_with_scale(change):
    x, y = normal(128, 14, 8), normal(128, 14, 8, seed=1)
    costs = [float(conditional_mmd(change(x, s), y)) for s in (0.0, 0.3, 0.6, 1.2)]
    assert costs == sorted(costs) and costs[-1] > costs[0] + 0.1


def test_its_gradient_is_alive_at_14_channels_by_48_points():
    noise = normal(64, 14, 48)
    predicted = (0.9 * normal(64, 14, 48, seed=1)).requires_grad_()
    conditional_mmd(predicted, noise).backward()
    assert predicted.grad.isfinite().all() and predicted.grad.abs().max() > 1e-6
    # The released kernel, with a bandwidth of 1, underflows there.
    released = torch.exp(-(predicted[:, None] - noise[None]).square().sum((2, 3)))
    assert released.max() == 0


def test_conditions_alike_everywhere_give_the_marginal_form():
    x, y = normal(32, 3, 4), normal(32, 3, 4, seed=1)
    ones = torch.ones(32, 32)
    torch.testing.assert_close(conditional_mmd(x, y, ones), conditional_mmd(x, y))
    assert torch.equal(alike(normal(32), "none", 0.1), ones)


def test_swapped_classes_are_seen_by_the_conditional_form_only():
    label = torch.arange(200) % 2
    means = torch.tensor([-2.0, 2.0])

    def windows(of, seed):
        return normal(200, 2, 3, seed=seed) + means[of][:, None, None]

    real, swapped = windows(label, 0), windows(1 - label, 1)
    given = alike(label.float(), "class", 0.1)
    assert float(conditional_mmd(swapped, real, given)) > 0.2
    assert abs(float(conditional_mmd(swapped, real))) < 0.05


def test_a_hidden_condition_is_like_nothing():
    told = torch.tensor([0.5, torch.nan, 0.5])
    for kind in ("value", "class"):
        assert alike(told, kind, 0.1).tolist() == [[1, 0, 1], [0, 0, 0], [1, 0, 1]]


def settle(loss_of, weight, steps=400):
    optimizer = torch.optim.Adam(weight.parameters(), lr=0.05)
    for _ in range(steps):
        optimizer.zero_grad()
        loss_of(weight).backward()
        optimizer.step()
    return float(weight.raw.sigmoid().detach())


def test_the_learned_weight_settles_inside_where_it_is_said_to():
    noise_loss, discrepancy = torch.tensor(0.5), torch.tensor(0.02)
    share = settle(lambda w: w(noise_loss, discrepancy), AdaptiveWeight(0.2, 0.1))
    want = torch.sigmoid(torch.tensor(0.2 * (0.5 - 0.02) / 0.1))
    assert 0.01 < share < 0.99
    assert abs(share - float(want)) < 0.01


def test_equation_11_as_printed_collapses():
    def printed(w):
        share = w.raw.sigmoid()
        return (1 - share) * 0.5 + share * 0.02

    assert settle(printed, AdaptiveWeight(), 2000) > 0.99
