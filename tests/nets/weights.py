"""Weights for tests of networks: fixed numbers, and none that start at 0."""

import torch


def normal(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def awake(net):
    """The network with small random numbers where it starts at 0."""
    for i, parameter in enumerate(net.parameters()):
        if (parameter == 0).all():
            parameter.data = 0.05 * normal(*parameter.shape, seed=i)
    return net.eval()
