"""What is known of one data set before a network sees it: its scale, its coordinates, its rules."""

import copy
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from timeloom.data.frame import Frame
from timeloom.data.project import Projection
from timeloom.data.scale import Scaler
from timeloom.data.windows import Windows
from timeloom.diffusion.sample import Moment
from timeloom.methods.estimator import part_of
from timeloom.methods.prepare import bridge

__all__ = ["Domain", "Map"]

Array = NDArray[Any]


@dataclass(frozen=True)
class Map:
    """The linear map between scaled windows and the ones that are diffused, as tensors.

    Attributes:
        mix: (channel, component).
        there: (component, time, time), see :class:`timeloom.data.frame.Frame`.
        back: (component, time, time), its inverse.
        plain: Whether it changes nothing, so that nothing need be computed.
        shift: (channel,) what is constant in all windows and in no component.
    """

    mix: Tensor
    there: Tensor
    back: Tensor
    plain: bool
    shift: Tensor | None = None

    @classmethod
    def of(cls, frame: Frame) -> Self:
        """The map of a frame that has learned."""
        there, back = (torch.from_numpy(f.astype(np.float32)) for f in frame.filters())
        plain = frame.kind == "plain" and frame.whitening == 0
        mix = torch.from_numpy(frame.mix_.astype(np.float32))
        shift = torch.from_numpy(frame.shift_.astype(np.float32)) if any(frame.shift_) else None
        return cls(mix, there, back, plain, shift)

    def forward(self, z: Tensor) -> Tensor:
        """(window, channel, time), scaled, to (window, component, time)."""
        if self.plain:
            return z
        return torch.einsum("kst,ck,nct->nks", self.there.to(z), self.mix.to(z), z)

    def inverse(self, w: Tensor) -> Tensor:
        """(window, component, time) to (window, channel, time), scaled."""
        if self.plain:
            return w
        z = torch.einsum("kst,ck,nkt->ncs", self.back.to(w), self.mix.to(w), w)
        return z if self.shift is None else z + self.shift.to(w)[:, None]

    def seen(self, z: Tensor, known: Tensor) -> tuple[Tensor, Tensor]:
        """What is known of each component: (values, share), both (window, component, time)."""
        if self.plain:
            return z * known, known
        mix = self.mix.to(z)
        z = z if self.shift is None else z - self.shift.to(z)[:, None]
        share = torch.einsum("ck,nct->nkt", mix.square(), known)
        return torch.einsum("ck,nct->nkt", mix, z * known), share


class Domain:
    """One data set's scaler, coordinates for every length, and rules.

    Args:
        scale: Kind of the :class:`~timeloom.data.scale.Scaler`.
        frame: What every :class:`~timeloom.data.frame.Frame` is made with.
        rules: Whether rules between channels are learned and kept.
    """

    def __init__(self, scale: str, frame: dict[str, Any], rules: bool) -> None:
        self.scaler, self.frame, self.rules = Scaler(scale), frame, rules
        self.frames: dict[int, Frame] = {}
        self.channels: tuple[str, ...] = ()
        self.projection: Projection | None = None
        self._maps: dict[int, Map] = {}
        self._laws: dict[tuple[int, bytes], Tensor] = {}

    def learn(self, parts: list[Windows]) -> Self:
        """Learns from windows of one or several lengths, all with the same channels."""
        self.channels = parts[0].channels
        flat = [part.x.reshape(-1, part.shape[1]) for part in parts]
        self.scaler.fit(np.concatenate(flat))
        if self.rules:
            found = Projection.learn(max(parts, key=len).x, self.channels)
            self.projection = found if len(found) else None
        for part in parts:
            self.frames[part.shape[0]] = Frame(**self.frame).fit(self._scaled(part.x))
        return self

    @property
    def longest(self) -> Frame:
        """The frame of the longest windows."""
        return self.frames[max(self.frames)]

    @property
    def lengths(self) -> tuple[int, ...]:
        """The lengths that were learned from, in time points."""
        return tuple(sorted(self.frames))

    def map(self, length: int) -> Map:
        """The map for windows of a length that was learned from."""
        if length not in self._maps:
            self._maps[length] = Map.of(self.frames[length])
        return self._maps[length]

    def tensors(self, x: Array) -> tuple[Tensor, Tensor]:
        """(scaled windows without gaps, which points were measured), (window, channel, time)."""
        measured = torch.from_numpy(~np.isnan(x)).to(torch.float32)
        z = torch.from_numpy(self._scaled(x).astype(np.float32))
        return z.mT.contiguous(), measured.mT.contiguous()

    def finish(self, w: Tensor, length: int) -> Array:
        """(window, component, time) to windows (window, time, channel) in the source's units."""
        z = self.map(length).inverse(w).mT.cpu().numpy()
        x = self.scaler.inverse(z)
        return x if self.projection is None else self.projection(x)

    def push(self, moment: Moment, length: int, known: tuple[Tensor, Tensor] | None) -> Tensor:
        """What brings an estimate to where the rules hold and known points are what they are."""
        turn = self.map(length)
        z = turn.inverse(moment.x_hat)
        if self._linear is not None:
            z = self._linear(z, axis=1)
        if known is not None:
            values, mask = known
            if (mask == mask[:1, :1]).all():
                z = z + self._follow(turn, values - z, length, mask[0, 0])
            z = torch.where(mask, values, z)
        return turn.forward(z) - moment.x_hat

    def _follow(self, turn: Map, missed: Tensor, length: int, known: Tensor) -> Tensor:
        """How all points move when known ones do, by the Gaussian law of the set's components.

        Without it the rest of a window would not follow, and a seam would show (Matheron's rule).
        """
        place = (length, known.cpu().numpy().tobytes())
        if place not in self._laws:
            law = torch.from_numpy(self.frames[length].covariance())
            at = known.cpu()
            own = law[:, at][:, :, at]
            calm = 1e-4 * own.diagonal(dim1=1, dim2=2).mean(1)[:, None, None]
            own = own + calm * torch.eye(own.shape[1], dtype=own.dtype)
            self._laws[place] = torch.linalg.solve(own, law[:, at]).to(torch.float32)
        mix = turn.mix.to(missed)
        of = torch.einsum("ck,nct->nkt", mix, missed[..., known])
        return torch.einsum("kts,ck,nkt->ncs", self._laws[place].to(missed), mix, of)

    def without_rules(self) -> "Domain":
        """The same but for the rules, which are neither kept nor looked for."""
        new = copy.copy(self)
        new.__dict__.pop("_linear", None)
        new.rules, new.projection = False, None
        return new

    @cached_property
    def _linear(self) -> Projection | None:
        """The rules for scaled windows; none where scaling is no straight line."""
        if self.projection is None or self.scaler.kind == "quantile":
            return None
        return self.projection.scaled(self.scaler.center_, self.scaler.spread_)

    @property
    def pushes(self) -> bool:
        """Whether an estimate has to be moved even where nothing is known."""
        return self._linear is not None

    def check_shape(self, windows: Windows, *, exact: bool) -> None:
        """Refuses windows that are not of this set's shape.

        Raises:
            ValueError: If channels differ in number; or, if ``exact``, the length is none that
                the set was learned at; or else, it is below half of the longest.
        """
        length, channels = windows.shape
        if channels != len(self.channels):
            raise ValueError(
                f"windows must have the set's {len(self.channels)} channels; got {channels}."
            )
        if exact and length not in self.lengths:
            raise ValueError(
                f"windows must have one of the lengths {list(self.lengths)} that the set was "
                f"learned at; got {length}. Cut them so, or use extend for longer ones."
            )
        if not exact and length < max(self.lengths) // 2:
            raise ValueError(
                f"windows to go on with must have at least {max(self.lengths) // 2} time points, "
                f"half a window of the set; got {length}."
            )

    def _scaled(self, x: Array) -> Array:
        return bridge(self.scaler.transform(np.asarray(x, dtype=np.float64)))

    def facts(self) -> dict[str, Any]:
        """What JSON holds of it."""
        rules = None if self.projection is None else list(self.projection.sentences)
        return dict(channels=list(self.channels), lengths=list(self.lengths), rules=rules)

    def arrays(self) -> dict[str, Array]:
        """The rest, by name."""
        arrays = {f"scaler/{k}": v for k, v in self.scaler.state().items()}
        for length, frame in self.frames.items():
            arrays |= {f"frame/{length}/{k}": v for k, v in frame.state().items()}
        if self.projection is not None:
            arrays |= {f"rules/{k}": v for k, v in self.projection.state().items()}
        return arrays

    def restore(self, facts: dict[str, Any], arrays: dict[str, Array]) -> Self:
        """Takes back what the two above gave."""
        self.channels = tuple(facts["channels"])
        self.scaler.restore(part_of(arrays, "scaler/"))
        for length in facts["lengths"]:
            state = part_of(arrays, f"frame/{length}/")
            self.frames[length] = Frame(**self.frame).restore(state)
        if facts["rules"] is not None:
            state = part_of(arrays, "rules/")
            self.projection = Projection.restore(state, facts["rules"])
        return self
