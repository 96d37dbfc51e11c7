"""Slow, obvious versions of a classifier's gradients and of the push: one window, one parameter."""

import torch
from torch.nn.functional import cross_entropy


def own_gradient(net, window, label):
    """The gradient of one window's loss, one number per parameter; it can be differentiated."""
    loss = cross_entropy(net(window[None]), label[None])
    found = torch.autograd.grad(loss, list(net.parameters()), create_graph=True)
    return torch.cat([one.flatten() for one in found])


def mean_gradient(net, x, y):
    """G: the mean of the windows' own gradients."""
    total = 0
    for window, label in zip(x, y, strict=True):
        total = total + own_gradient(net, window, label).detach()
    return total / len(x)


def pull(net, toward, x, y):
    """J: for every window and every parameter, G's number times how that gradient bends with x."""
    found = []
    for window, label in zip(x, y, strict=True):
        window = window.clone().requires_grad_(True)
        total = torch.zeros_like(window)
        for own, wanted in zip(own_gradient(net, window, label), toward, strict=True):
            total += wanted * torch.autograd.grad(own, window, retain_graph=True)[0]
        found.append(total)
    return torch.stack(found)


def norms(net, x, y):
    """The length of every window's own gradient."""
    pairs = zip(x, y, strict=True)
    return torch.stack([own_gradient(net, *pair).detach().norm() for pair in pairs])


def cosines(net, toward, x, y):
    """The cosine of every window's own gradient with G."""
    found = []
    for window, label in zip(x, y, strict=True):
        own = own_gradient(net, window, label).detach()
        found.append(sum(own * toward) / sum(own**2) ** 0.5 / sum(toward**2) ** 0.5)
    return torch.stack(found)


def pull_backward(net, toward, x, y):
    """As :func:`pull`, by one gradient of a gradient per window: for networks of ours."""
    found = []
    for window, label in zip(x, y, strict=True):
        window = window.clone().requires_grad_(True)
        along = own_gradient(net, window, label) @ toward
        found.append(torch.autograd.grad(along, window)[0])
    return torch.stack(found)
