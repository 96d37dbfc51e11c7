"""A window rebuilt from itself: what is hidden from the network, and what it makes of the rest."""

from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from timeloom.diffusion.denoise import Denoiser
from timeloom.diffusion.draws import Draws, ItemDraws
from timeloom.diffusion.noise import BetaSchedule, KarrasSchedule, Schedule
from timeloom.diffusion.sample import STEPS, sample
from timeloom.methods.prepare import one_of, whole_numbers
from timeloom.nets.denoising_transformer import DenoisingTransformer, Hidden
from timeloom.nets.mask_encoder import MaskEncoder
from timeloom.nets.neighbour_mask import attention_mask, hidden_points, pick, widths
from timeloom.nets.series_unet import SeriesUNet, Told

__all__ = ["MASKS", "NETWORKS", "STARTS", "Rebuilder", "Seen"]

NETWORKS = ("series", "transformer")
MASKS = ("comb", "neighbour", "none")
STARTS = ("anchor", "blind", "noise")
PUBLISHED = 500  # noise levels of the paper, of which the sampler takes ``steps``
SCOPES = ("input", "query", "key")


class Seen(NamedTuple):
    """What a network is told beside a noisy window.

    Attributes:
        values: (window, channel, time) clean values where they are known, 0 elsewhere.
        known: (window, channel, time), 1 where they are.
        attention: (window, time, time), True where a query may not look at a key; or None.
        hidden: (window, channel, time), True where a point must not be seen at all; or None.
    """

    values: Tensor
    known: Tensor
    attention: Tensor | None = None
    hidden: Tensor | None = None


class SeriesNet(nn.Module):
    """The U-Net in time, told known points as views of their own."""

    def __init__(self, net: SeriesUNet) -> None:
        super().__init__()
        self.net = net

    def forward(self, x: Tensor, t: Tensor, seen: Seen) -> Tensor:
        """What the denoiser asked for."""
        shown = x if seen.hidden is None else x.masked_fill(seen.hidden, 0.0)
        return self.net(shown, t, Told(None, None, seen.values, seen.known))


class TransformerNet(nn.Module):
    """The transformer, which sees known points clean in the place of their noisy selves."""

    def __init__(self, net: DenoisingTransformer) -> None:
        super().__init__()
        self.net = net

    def forward(self, x: Tensor, t: Tensor, seen: Seen) -> Tensor:
        """What the denoiser asked for."""
        shown = torch.where(seen.known > 0, seen.values, x)
        return self.net(shown, t, Hidden(seen.attention, seen.hidden))


class Rebuilder(nn.Module):
    """A denoiser and, for the neighbour mask, the auto-encoder whose errors choose what to hide.

    Args:
        settings: Those of :class:`timeloom.DDMT`.
        channels: How many.

    Raises:
        ValueError: If a setting is none of its choices.
    """

    def __init__(self, settings: dict[str, Any], channels: int) -> None:
        super().__init__()
        one_of("network", settings["network"], NETWORKS)
        one_of("mask", settings["mask"], MASKS)
        one_of("start", settings["start"], STARTS)
        one_of("scope", settings["scope"], SCOPES)
        if settings["scope"] != "input" and settings["network"] == "series":
            raise ValueError(
                "a mask on attention (scope='query' or 'key') needs network='transformer'; got "
                "network='series'. Take scope='input', which hides points from any network."
            )
        self.settings = settings
        self.denoiser = Denoiser(
            _network(settings, channels), _schedule(settings), _target(settings)
        )
        self.encoder = MaskEncoder(channels) if settings["mask"] == "neighbour" else None

    def masked(self, x: Tensor, measured: Tensor) -> tuple[Tensor | None, Tensor | None]:
        """(mask on attention, points to hide) that the neighbour mask asks for in each window.

        The same in training and in scoring; no gradient goes through it.
        """
        if self.encoder is None:
            return None, None
        own = self.settings
        with torch.no_grad():
            errors = torch.where(measured > 0, self.encoder.errors(x), torch.nan).nanmean(dim=1)
        picked = pick(errors, share=own["share"])
        reach = widths(
            x,
            picked,
            criterion=own["criterion"],
            corr_threshold=own["corr_threshold"],
            most=own["most_neighbours"],
        )
        if own["scope"] == "input":
            hidden = hidden_points(picked, reach)[:, None].expand(x.shape)
            return None, hidden
        return attention_mask(picked, reach, scope=own["scope"]), None

    def loss(self, x: Tensor, measured: Tensor, given: Tensor, rng: Draws) -> Tensor:
        """Mean square over what was measured; with a neighbour mask the auto-encoder's beside it.

        Args:
            x: (window, channel, time) scaled, without gaps.
            measured: 1 where a point was measured.
            given: 1 where a point is known to the network.
            rng: Of this step.
        """
        attention, hidden = self.masked(x, measured)
        if hidden is not None:
            given = given * ~hidden
        pair = self.denoiser.pair(x, Seen(x * given, given, attention, hidden), rng)
        count = measured.sum().clamp(min=1)
        loss = ((pair.output - pair.target).square() * measured).sum() / count
        if self.encoder is None:
            return loss
        # Apart from each other but for the sum: no weight has a gradient from both.
        return loss + (self.encoder.errors(x) * measured).sum() / count

    @torch.no_grad()
    def rebuilt(self, x: Tensor, measured: Tensor, parts: Tensor, items: list[int]) -> Tensor:
        """(window, channel, time): every point as the network has it.

        With the comb every point is rebuilt while it is hidden, part by part. With the neighbour
        mask, or none, the window is rebuilt in one go from its anchor.

        Args:
            x: (window, channel, time) scaled, without gaps.
            measured: 1 where a point was measured.
            parts: (part, time) of the comb.
            items: Numbers of the windows, for what is drawn.
        """
        if self.settings["start"] == "noise":
            return self._drawn(x, measured, items)
        if self.settings["mask"] != "comb":
            attention, hidden = self.masked(x, measured)
            given = measured * 0
            return self._estimate(x, Seen(x * given, given, attention, hidden))
        out = torch.zeros_like(x)
        for part in parts:
            given = measured * ~part
            out = torch.where(part, self._estimate(x, Seen(x * given, given)), out)
        return out

    def _estimate(self, x: Tensor, seen: Seen) -> Tensor:
        """From the window itself as if it were at the anchor's level; no noise is added."""
        blind = self.settings["start"] == "blind"
        level = self.settings["level_high" if blind else "anchor"]
        # Of a Karras schedule: time is the level, and what is noised keeps its size.
        return self.denoiser(x * seen.known if blind else x, torch.tensor(level).to(x), seen)

    def _drawn(self, x: Tensor, measured: Tensor, items: list[int]) -> Tensor:
        """As published: from noise; what comes out knows of ``x`` what the mask tells of it."""
        rng = ItemDraws(self.settings["seed"], items)
        times = self.denoiser.schedule.grid(self.settings["steps"])
        none = torch.zeros_like(x)
        return sample(
            self.denoiser,
            rng.normal(x.shape).to(x),
            times,
            step=STEPS["ddpm"],
            cond=Seen(none, none, *self.masked(x, measured)),
            rng=rng,
        )


def _network(settings: dict[str, Any], channels: int) -> nn.Module:
    if settings["network"] == "series":
        return SeriesNet(
            SeriesUNet(
                most=channels,
                width=settings["width"],
                multipliers=whole_numbers("multipliers", settings["multipliers"]),
                token=0,
            )
        )
    paper = settings["start"] == "noise"
    sizes = dict(width=settings["width"], layers=settings["layers"], heads=settings["heads"])
    make = DenoisingTransformer.paper if paper else DenoisingTransformer
    return TransformerNet(make(channels, **sizes, feedforward=settings["width"]))


def _schedule(settings: dict[str, Any]) -> Schedule:
    if settings["start"] == "noise":
        return BetaSchedule(PUBLISHED, 1e-4, 0.02)
    return KarrasSchedule(
        **{key: settings[f"level_{key}"] for key in ("low", "high", "mean", "spread")}
    )


def _target(settings: dict[str, Any]) -> str:
    if settings["start"] == "noise":
        return "noise"
    # Every other target adds a share of the noisy window to the output, hidden points included.
    return "clean" if settings["mask"] == "neighbour" else "karras"
