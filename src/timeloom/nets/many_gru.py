"""Many small recurrent networks side by side, each with weights and batches of its own."""

from collections.abc import Sequence
from typing import Any, Literal

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

__all__ = ["ManyGRU"]


class ManyGRU(nn.Module):
    """One-layer GRUs with a linear head, as many as there are seeds, run as one network.

    A judge of the field has a handful of units, so that training one is nearly all waiting for
    calls; ten of them in one batched product cost little more than one. Network k depends on
    ``seeds[k]`` and on its own windows alone: no number of its neighbours enters.

    Args:
        seeds: One per network, for its first weights.
        channels: Channels of a window.
        hidden: Units of each network.
        outputs: Numbers that the head reads from a state.
        reset: Where the reset gate acts: ``"after"`` the product with the hidden state
            (torch.nn.GRU, whose first weights these are then), or ``"before"`` it (Cho et al.
            2014 and the first TensorFlow, whose first weights these are then: Glorot's uniform
            ones, biases of the gates 1, other biases 0).
    """

    weight_ih: Tensor
    weight_hh: Tensor
    bias_ih: Tensor
    bias_hh: Tensor
    head_weight: Tensor
    head_bias: Tensor

    def __init__(
        self,
        seeds: Sequence[int],
        channels: int,
        hidden: int,
        outputs: int = 1,
        *,
        reset: Literal["after", "before"] = "after",
    ) -> None:
        super().__init__()
        self.reset = reset
        first = _torch_weights if reset == "after" else _glorot_weights
        drawn = [first(seed, channels, hidden, outputs) for seed in seeds]
        for name in drawn[0]:
            self.register_parameter(name, nn.Parameter(torch.stack([one[name] for one in drawn])))

    def forward(
        self, x: Float[Tensor, "network window time channel"], *, every: bool = False
    ) -> Float[Tensor, "network output ..."]:
        """What the heads read from the last state, or from ``every`` state.

        Returns:
            (network, output, window), or with ``every`` (network, output, time, window).
        """
        states: Any = _Recurrence.apply(
            x, self.weight_ih, self.weight_hh, self.bias_ih, self.bias_hh, self.reset
        )
        if not every:
            return torch.baddbmm(self.head_bias[:, :, None], self.head_weight, states[-1])
        # (time, network, hidden, window) -> (network, hidden, time * window)
        flat = states.permute(1, 2, 0, 3).flatten(2)
        read = torch.baddbmm(self.head_bias[:, :, None], self.head_weight, flat)
        return read.unflatten(2, (x.shape[2], x.shape[1]))


def _torch_weights(seed: int, channels: int, hidden: int, outputs: int) -> dict[str, Tensor]:
    rng = torch.Generator().manual_seed(seed)
    shapes = {
        "weight_ih": (3 * hidden, channels),
        "weight_hh": (3 * hidden, hidden),
        "bias_ih": (3 * hidden,),
        "bias_hh": (3 * hidden,),
        "head_weight": (outputs, hidden),
        "head_bias": (outputs,),
    }
    bound = hidden**-0.5
    return {
        name: torch.empty(shape).uniform_(-bound, bound, generator=rng)
        for name, shape in shapes.items()
    }


def _glorot_weights(seed: int, channels: int, hidden: int, outputs: int) -> dict[str, Tensor]:
    rng = torch.Generator().manual_seed(seed)

    def drawn(fan_out: int, fan_in: int) -> Tensor:
        bound = (6 / (fan_in + fan_out)) ** 0.5
        return torch.empty(fan_out, fan_in).uniform_(-bound, bound, generator=rng)

    both = torch.cat([drawn(2 * hidden, channels + hidden), drawn(hidden, channels + hidden)])
    return {
        "weight_ih": both[:, :channels],
        "weight_hh": both[:, channels:],
        "bias_ih": torch.cat([torch.ones(2 * hidden), torch.zeros(hidden)]),
        "bias_hh": torch.zeros(3 * hidden),
        "head_weight": drawn(outputs, hidden),
        "head_bias": torch.zeros(outputs),
    }


class _Recurrence(torch.autograd.Function):
    """All states of many GRUs, with the gradient written out.

    Left to automatic differentiation, each of some fifteen operations a time point is recorded and
    played back on a few thousand numbers. Here the derivatives of all gates are taken for all time
    points at once, and what must go back in time, the gradient of the state, takes three
    operations a time point.
    """

    @staticmethod
    def forward(
        ctx: Any,
        x: Float[Tensor, "network window time channel"],
        weight_ih: Float[Tensor, "network gates channel"],
        weight_hh: Float[Tensor, "network gates hidden"],
        bias_ih: Float[Tensor, "network gates"],
        bias_hh: Float[Tensor, "network gates"],
        reset: str,
    ) -> Float[Tensor, "time network hidden window"]:
        count, windows, length, channels = x.shape
        hidden = weight_hh.shape[2]
        # All that is multiplied by weights: the windows, a 1 for the bias, the states (later).
        fed = x.new_empty(count, channels + 1 + hidden, length, windows)
        fed[:, :channels] = x.permute(0, 3, 2, 1)
        fed[:, channels] = 1
        bias = bias_ih.clone()
        bias[:, : 2 * hidden] += bias_hh[:, : 2 * hidden]
        weight = torch.cat([weight_ih, bias[:, :, None]], 2)
        seen = torch.bmm(weight, fed[:, : channels + 1].flatten(2))
        seen = seen.unflatten(2, (length, windows)).permute(2, 0, 1, 3)
        # Each time point contiguous: the small products below are five times slower otherwise.
        gates, new = seen[:, :, : 2 * hidden].contiguous(), seen[:, :, 2 * hidden :].contiguous()
        states = x.new_zeros(length + 1, count, hidden, windows)
        run = _run_after if reset == "after" else _run_before
        inner = run(gates, new, states, weight_hh, bias_hh[:, 2 * hidden :, None])
        fed[:, channels + 1 :] = states[:-1].permute(1, 2, 0, 3)
        ctx.reset = reset
        ctx.save_for_backward(fed, weight_ih, weight_hh, gates, new, inner, states)
        return states[1:]

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *grad_outputs: Tensor) -> Any:  # pyright: ignore
        fed, weight_ih, weight_hh, gates, new, inner, states = ctx.saved_tensors
        both, channels = 2 * weight_hh.shape[2], weight_ih.shape[2]
        back = _back_after if ctx.reset == "after" else _back_before
        at_gates, at_new, at_inner = back(grad_outputs[0], gates, new, inner, states, weight_hh)
        parts = [part.permute(1, 2, 0, 3) for part in (at_gates, at_new)]
        at_input = torch.cat(parts, 1).flatten(2)
        grads = torch.bmm(at_input, fed.flatten(2).transpose(1, 2))
        grad_ih, bias_ih, grad_hh = grads.split([channels, 1, grads.shape[2] - channels - 1], 2)
        bias_hh = bias_ih.clone()
        if at_inner is None:  # the product is of the states times the reset gate, without a bias
            grad_hh[:, both:] = torch.bmm(at_input[:, both:], _flat(inner).transpose(1, 2))
            bias_hh.zero_()
        else:
            inner_grads = torch.bmm(_flat(at_inner), fed[:, channels:].flatten(2).transpose(1, 2))
            bias_hh[:, both:], grad_hh[:, both:] = inner_grads[:, :, :1], inner_grads[:, :, 1:]
        grad_x = None
        if ctx.needs_input_grad[0]:
            grad_x = torch.bmm(weight_ih.transpose(1, 2), at_input)
            grad_x = grad_x.unflatten(2, fed.shape[2:]).permute(0, 3, 2, 1)
        return grad_x, grad_ih, grad_hh, bias_ih[:, :, 0], bias_hh[:, :, 0], None


def _flat(x: Tensor) -> Tensor:
    """(time, network, feature, window) -> (network, feature, time * window)."""
    return x.permute(1, 2, 0, 3).flatten(2)


def _run_after(gates: Tensor, new: Tensor, states: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    """Fills gates (reset, update), candidates and states; returns the inner products."""
    hidden = states.shape[2]
    to_gates, to_new = weight[:, : 2 * hidden].contiguous(), weight[:, 2 * hidden :].contiguous()
    inner = torch.empty_like(new)
    bias = bias.expand_as(inner[0])
    steps = zip(
        gates.unbind(),
        gates[:, :, :hidden].unbind(),
        gates[:, :, hidden:].unbind(),
        new.unbind(),
        inner.unbind(),
        states[:-1].unbind(),
        states[1:].unbind(),
        strict=True,
    )
    for both, reset, update, candidate, product, before, after in steps:
        both.baddbmm_(to_gates, before).sigmoid_()
        torch.baddbmm(bias, to_new, before, out=product)
        candidate.addcmul_(reset, product).tanh_()
        torch.lerp(candidate, before, update, out=after)
    return inner


def _back_after(
    given: Tensor, gates: Tensor, new: Tensor, inner: Tensor, states: Tensor, weight: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """Gradients at the sums inside gates, candidate and inner product."""
    length, count, hidden, windows = new.shape
    reset, update = gates[:, :, :hidden], gates[:, :, hidden:]
    to_new = (1 - update) * (1 - new * new)
    # First what a state's gradient is multiplied by, then, from the end back, the products.
    at = new.new_empty(length, count, 3, hidden, windows)
    torch.mul(to_new, reset, out=at[:, :, 2])
    torch.mul(inner * (1 - reset), at[:, :, 2], out=at[:, :, 0])
    torch.mul(states[:-1] - new, update * (1 - update), out=at[:, :, 1])
    at_state = given.clone(memory_format=torch.contiguous_format)
    ahead = weight.transpose(1, 2).contiguous()
    steps = list(
        zip(
            at_state.unbind(),
            at_state[:, :, None].unbind(),
            at.unbind(),
            at.flatten(2, 3).unbind(),
            update.unbind(),
            strict=True,
        )
    )
    for t in range(length - 1, -1, -1):
        here, here_wide, parts, parts_flat, keep = steps[t]
        parts.mul_(here_wide)
        if t:
            steps[t - 1][0].addcmul_(here, keep).baddbmm_(ahead, parts_flat)
    at_gates = at[:, :, :2].flatten(2, 3)
    return at_gates, to_new * at_state, at[:, :, 2]


def _run_before(gates: Tensor, new: Tensor, states: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    """As :func:`_run_after`; returns the states times the reset gate. ``bias`` has no place."""
    hidden = states.shape[2]
    to_gates, to_new = weight[:, : 2 * hidden].contiguous(), weight[:, 2 * hidden :].contiguous()
    fed = torch.empty_like(new)
    steps = zip(
        gates.unbind(),
        gates[:, :, :hidden].unbind(),
        gates[:, :, hidden:].unbind(),
        new.unbind(),
        fed.unbind(),
        states[:-1].unbind(),
        states[1:].unbind(),
        strict=True,
    )
    for both, reset, update, candidate, kept, before, after in steps:
        both.baddbmm_(to_gates, before).sigmoid_()
        torch.mul(reset, before, out=kept)
        candidate.baddbmm_(to_new, kept).tanh_()
        torch.lerp(candidate, before, update, out=after)
    return fed


def _back_before(
    given: Tensor, gates: Tensor, new: Tensor, fed: Tensor, states: Tensor, weight: Tensor
) -> tuple[Tensor, Tensor, None]:
    """As :func:`_back_after`; the inner product's is the candidate's."""
    hidden = new.shape[2]
    reset, update = gates[:, :, :hidden], gates[:, :, hidden:]
    to_new = (1 - update) * (1 - new * new)
    to_update = (states[:-1] - new) * update * (1 - update)
    to_reset = fed * (1 - reset)
    at_gates, at_new = torch.empty_like(gates), torch.empty_like(new)
    at_state = given.clone(memory_format=torch.contiguous_format)
    through_gates = weight[:, : 2 * hidden].transpose(1, 2).contiguous()
    through_new = weight[:, 2 * hidden :].transpose(1, 2).contiguous()
    for t in range(len(new) - 1, -1, -1):
        here = at_state[t]
        torch.mul(to_new[t], here, out=at_new[t])
        at_fed = torch.bmm(through_new, at_new[t])
        torch.mul(to_reset[t], at_fed, out=at_gates[t, :, :hidden])
        torch.mul(to_update[t], here, out=at_gates[t, :, hidden:])
        if t:
            back = at_state[t - 1].addcmul_(here, update[t]).addcmul_(at_fed, reset[t])
            back.baddbmm_(through_gates, at_gates[t])
    return at_gates, at_new, None
