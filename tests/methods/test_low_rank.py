import copy

import pytest
import torch
from torch import nn

from timeloom.methods.low_rank import freeze_but, low_rank, merge
from timeloom.nets.series_unet import SeriesUNet


def normal(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


@pytest.fixture
def net():
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        net = SeriesUNet(width=8, most=4, token=5)
        for i, parameter in enumerate(net.parameters()):
            if (parameter == 0).all():
                parameter.data = 0.05 * normal(*parameter.shape, seed=i)
        yield net.eval()


def answer(net):
    with torch.no_grad():
        return net(normal(3, 3, 9), torch.zeros(3))


def stir(net):
    """Moves every parameter that would be trained."""
    for i, parameter in enumerate(net.parameters()):
        if parameter.requires_grad:
            parameter.data += 0.1 * normal(*parameter.shape, seed=100 + i)


@pytest.mark.parametrize("rank", [0, 1, 4])
def test_a_change_starts_at_nothing_to_the_last_bit(net, rank):
    before = answer(net)
    low_rank(net, rank)
    assert torch.equal(answer(net), before)
    merge(net)
    assert torch.equal(answer(net), before)


def test_only_thin_matrices_and_what_is_no_matrix_are_trained(net):
    matrices = {n for n, p in net.named_parameters() if n.endswith("weight") and p.ndim > 1}
    rest = {name for name, _ in net.named_parameters()} - matrices
    low_rank(net, 2)
    trained = {name for name, p in net.named_parameters() if p.requires_grad}
    thin = {n for n in trained if n.endswith(("0.up", "0.down"))}
    assert trained - thin == rest and len(thin) == 2 * len(matrices)
    assert not any(p.requires_grad for n, p in net.named_parameters() if n.endswith("original"))


def test_the_change_of_every_matrix_has_the_rank_asked_for(net):
    before = {name: value.clone() for name, value in net.state_dict().items()}
    low_rank(net, 2)
    stir(net)
    merge(net)
    for name, value in net.state_dict().items():
        if name.endswith("weight") and value.ndim > 1:
            change = (value - before[name]).reshape(len(value), -1).double()
            sizes = torch.linalg.svdvals(change)
            assert (sizes[2:] < 1e-4 * sizes[0]).all() and sizes[0] > 0


def test_merging_leaves_a_plain_network_that_answers_the_same(net):
    names, kinds = set(net.state_dict()), [type(module) for module in net.modules()]
    low_rank(net, 3)
    stir(net)
    changed = answer(net)
    merge(net)
    assert set(net.state_dict()) == names
    assert [type(module) for module in net.modules()] == kinds
    assert all(isinstance(p, nn.Parameter) and p.requires_grad for p in net.parameters())
    assert torch.equal(answer(net), changed)
    other = SeriesUNet(width=8, most=4, token=5).eval()
    other.load_state_dict(net.state_dict())
    assert torch.equal(answer(other), changed)


def test_a_copy_of_a_changed_network_is_changed_by_itself(net):
    low_rank(net, 2)
    other, before = copy.deepcopy(net), answer(net)
    stir(other)
    assert torch.equal(answer(net), before) and not torch.equal(answer(other), before)


def test_only_what_is_named_stays_free(net):
    freeze_but(net, net.token.weight)
    assert [n for n, p in net.named_parameters() if p.requires_grad] == ["token.weight"]
    merge(net)
    assert all(p.requires_grad for p in net.parameters())
