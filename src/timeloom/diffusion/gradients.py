"""What a classifier's loss on some windows says of its parameters: gradients, norms, influence.

A gradient is one vector over all parameters that are trained, in their order. The loss of a window
is the cross-entropy between the classifier's outputs (window, class) and its class.
"""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn.functional import softplus

__all__ = ["class_gradients", "differentiable", "gradient_norms", "influence", "loss_of", "moved"]

CHUNK = 1024  # windows of one pass
EACH = 128  # windows whose own gradients are held at a time: memory is this times the parameters


def loss_of(said: Float[Tensor, "window class"], told: Int[Tensor, " window"]) -> Float[Tensor, ""]:
    """The cross-entropy, summed over windows, whose gradient is right to the last digits.

    ``softplus(logsumexp of the other outputs - the right one)``. The usual form subtracts 1 from
    a probability: for a window that is classified with certainty nothing but rounding is left.
    """
    right = said.gather(1, told[:, None])
    others = said.scatter(1, told[:, None], -torch.inf)
    return softplus(others.logsumexp(dim=1) - right[:, 0], threshold=60).sum()


def class_gradients(
    classifier: nn.Module, x: Float[Tensor, "window ..."], y: Int[Tensor, " window"], classes: int
) -> Float[Tensor, "class parameter"]:
    """The mean gradient of the loss over the windows of each class; 0 where a class has none.

    Args:
        classifier: In evaluation mode; what needs no gradient is left out.
        x: What it reads.
        y: Classes, from 0 to ``classes`` - 1.
        classes: How many there are.
    """
    own = _trained(classifier)
    like = next(iter(own.values()))
    total = like.new_zeros(classes, sum(p.numel() for p in own.values()))
    with torch.enable_grad(), differentiable(classifier):
        for label in range(classes):
            rows = x[y == label]
            for part in rows.split(CHUNK) if len(rows) else ():
                told = torch.full((len(part),), label, device=x.device)
                loss = loss_of(classifier(part), told)
                found = torch.autograd.grad(loss, list(own.values()), allow_unused=True)
                total[label] += _flat(found, own) / len(rows)
    return total


def gradient_norms(
    classifier: nn.Module, x: Float[Tensor, "window ..."], y: Int[Tensor, " window"]
) -> Float[Tensor, " window"]:
    """The length of the gradient of each window's own loss over all parameters.

    Source: TarDiff (arXiv 2504.17613), table 3.
    """
    return torch.cat([each.norm(dim=1) for each in _own_gradients(classifier, x, y)])


def influence(
    classifier: nn.Module,
    toward: Float[Tensor, " parameter"],
    x: Float[Tensor, "window ..."],
    y: Int[Tensor, " window"],
) -> Float[Tensor, " window"]:
    """Cosine between each window's own gradient and ``toward``; 0 where one of them vanishes.

    Positive: a step of gradient descent on the window also lowers the loss whose gradient
    ``toward`` is. Source: TracIn (Pruthi et al. 2020, arXiv 2002.08484), normalised.
    """
    unit = toward / toward.norm().clamp(min=torch.finfo(toward.dtype).tiny)
    found = []
    for each in _own_gradients(classifier, x, y):
        norm = each.norm(dim=1)
        found.append(torch.where(norm > 0, each @ unit / norm.clamp(min=1e-30), 0.0))
    return torch.cat(found)


def moved(classifier: nn.Module, way: Float[Tensor, " parameter"]) -> dict[str, Tensor]:
    """``way`` cut to the shapes of the parameters that are trained, by name."""
    own, found, at = _trained(classifier), {}, 0
    for name, parameter in own.items():
        found[name] = way[at : at + parameter.numel()].view_as(parameter)
        at += parameter.numel()
    return found


@contextmanager
def differentiable(classifier: nn.Module) -> Iterator[None]:
    """Without cuDNN, whose recurrent layers have no gradient in evaluation mode."""
    recurrent = any(isinstance(part, nn.RNNBase) for part in classifier.modules())
    with torch.backends.cudnn.flags(enabled=torch.backends.cudnn.enabled and not recurrent):
        yield


def _own_gradients(classifier: nn.Module, x: Tensor, y: Tensor) -> Iterator[Tensor]:
    """(window, parameter) gradients of single windows, some at a time."""
    own = {name: p.detach() for name, p in _trained(classifier).items()}

    def loss(parameters: dict[str, Tensor], window: Tensor, label: Tensor) -> Tensor:
        said = torch.func.functional_call(classifier, parameters, (window[None],))
        return loss_of(said, label[None])

    each = torch.func.vmap(torch.func.grad(loss), in_dims=(None, 0, 0))
    for part, label in zip(x.split(EACH), y.split(EACH), strict=True):
        with differentiable(classifier):
            if any(isinstance(module, nn.RNNBase) for module in classifier.modules()):
                # Recurrent layers have no rule for vmap.
                rows = [torch.func.grad(loss)(own, *pair) for pair in zip(part, label, strict=True)]
                found = {name: torch.stack([row[name] for row in rows]) for name in own}
            else:
                found = each(own, part, label)
        yield torch.cat([found[name].flatten(1) for name in own], dim=1)


def _trained(classifier: nn.Module) -> dict[str, Tensor]:
    return {name: p for name, p in classifier.named_parameters() if p.requires_grad}


def _flat(found: tuple[Tensor | None, ...], own: dict[str, Tensor]) -> Tensor:
    pairs = zip(found, own.values(), strict=True)
    return torch.cat(
        [torch.zeros_like(p).flatten() if g is None else g.flatten() for g, p in pairs]
    )
