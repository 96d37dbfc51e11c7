"""The parts of ImagenFew: its network with the tokens, and its loss."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor, nn

from timeloom.data.frame import Frame
from timeloom.data.windows import Windows
from timeloom.diffusion.denoise import Denoiser
from timeloom.diffusion.draws import Draws
from timeloom.diffusion.noise import KarrasSchedule
from timeloom.methods.domain import Map
from timeloom.methods.estimator import as_windows
from timeloom.methods.prepare import given_points, one_of, whole_numbers
from timeloom.nets.image_unet import ImageUNet
from timeloom.nets.series_unet import SeriesUNet, Told
from timeloom.train.ranks import together

__all__ = [
    "TokenDenoiser",
    "as_sets",
    "describe",
    "masked_loss",
    "tokened",
]

Array = NDArray[Any]

COMPONENTS, BANDS = 4, 6  # what a set is described by: octaves of the spectra of its first four
LOUD = 9.0  # mean square of a white window above which it counts for less
DESCRIBED = COMPONENTS * (BANDS + 3)  # numbers


class TokenNet(nn.Module):
    """A published network that is told a token and nothing else, called as ours is."""

    def __init__(self, net: nn.Module) -> None:
        super().__init__()
        self.net = net

    def forward(self, x: Tensor, t: Tensor, told: Told | None = None) -> Tensor:
        """Passes the token on."""
        return self.net(x, t, None if told is None else told.token)


class TokenDenoiser(nn.Module):
    """A denoiser and what it is told of each set.

    A token is a learned vector plus, where sets are described, a linear function of the
    description: a set that was never seen has a token too.

    Args:
        denoiser: Its network takes a :class:`~timeloom.nets.series_unet.Told`.
        width: Numbers of a token; 0 for none.
        descriptions: (set, number), see :func:`describe`.
        described: Whether tokens follow the descriptions.
    """

    descriptions: Tensor

    def __init__(
        self, denoiser: Denoiser, width: int, descriptions: Tensor, described: bool
    ) -> None:
        super().__init__()
        self.denoiser = denoiser
        sets = len(descriptions)
        # As published, unit normal where the token is all there is; else it begins at 0.
        start = torch.zeros(sets, width) if described else torch.randn(sets, width)
        self.table = nn.Parameter(start) if width else None
        self.describe = nn.Linear(DESCRIBED, width) if width and described else None
        self.register_buffer("descriptions", descriptions)

    def token(self, which: Tensor, drop: bool = False) -> Tensor | None:
        """(window, number) tokens of sets (window,); ``drop`` leaves out what was learned."""
        if self.table is None:
            return None
        own = self.table[which]
        if self.describe is None:
            return own
        told = self.describe(self.descriptions[which])
        return told + own * (0 if drop else 1)

    def tokens(self) -> NDArray[np.float32]:
        """(set, number) tokens of all sets; no numbers where there are none."""
        every = torch.arange(len(self.descriptions), device=self.descriptions.device)
        with torch.no_grad():
            tokens = self.token(every)
        return np.zeros((len(every), 0), np.float32) if tokens is None else tokens.cpu().numpy()

    def add(self, description: Tensor, seed: int) -> None:
        """Makes room for one more set; ``seed`` is that of a token that does not begin at 0."""
        self.descriptions = torch.cat([self.descriptions, description[None]])
        if self.table is not None:
            sets, width = self.table.shape
            rng = torch.Generator().manual_seed(seed * 1_000_003 + sets)
            fresh = torch.zeros(1, width) if self.describe else torch.randn(1, width, generator=rng)
            self.table = nn.Parameter(torch.cat([self.table.data, fresh.to(self.table)]))


def network_of(settings: dict[str, Any], lengths: Sequence[int]) -> nn.Module:
    """The network that the settings name.

    Raises:
        ValueError: If a setting is none of its choices, or windows are too long for it.
    """
    doors = settings["channel_map"]
    one_of("network", settings["network"], ("series", "image"))
    one_of("channel_map", doors, ("principal", "dynamic", "padded"))
    parts = whole_numbers("multipliers", settings["multipliers"])
    token = settings["token_width"] if settings["tokens"] else 0
    if settings["network"] == "image":
        if len(set(lengths)) > 1:
            raise ValueError(
                f"network='image' holds windows of one length; got {sorted(set(lengths))}. Give "
                "windows of one length, or use network='series'."
            )
        channels = settings["most"] if doors == "padded" else "dynamic"
        net = ImageUNet(
            lengths[0],
            width=settings["width"],
            multipliers=parts,
            attention=[side for side in (8, 4, 2) if side >= 8 >> (len(parts) - 1)],
            token=token,
            channels=channels,
        )
        return TokenNet(net)
    return SeriesUNet(
        most=settings["most"],
        width=settings["width"],
        multipliers=parts,
        kernel=settings["kernel"],
        attention=settings["attention"],
        token=token,
        doors="sliced" if doors == "principal" else doors,
    )


def describe(frame: Frame) -> Tensor:
    """(36,) numbers of about 1 that describe a set before anything is learned of it.

    Of each of the first four components the cosine spectrum in six octaves, its share of the
    variance, how many components there are, and that it is there. All of it comes from the
    coordinates that are learned anyway, so that ten windows will do.
    """
    power = np.square(frame.gain_)
    edges = np.geomspace(1, power.shape[1], BANDS).round()
    edges = np.unique(np.concatenate([[0], edges])).astype(int)
    share = power.sum(axis=1) / power.sum()
    out = np.zeros((COMPONENTS, BANDS + 3), np.float32)
    for k, own in enumerate(power[:COMPONENTS]):
        bands = np.array([own[a:b].mean() for a, b in zip(edges[:-1], edges[1:], strict=True)])
        out[k, : len(bands)] = np.log10(np.maximum(bands / own.sum(), 1e-8)) / 3
        out[k, BANDS:] = np.log10(max(share[k], 1e-8)) / 3, np.log2(len(power)) / 4, 1.0
    return torch.from_numpy(out.ravel())


@contextmanager
def own_dropout(model: TokenDenoiser, rng: Draws) -> Iterator[None]:
    """Inside, dropout is a function of the step, though it asks the global generator."""
    drops = model.training and isinstance(model.denoiser.net, TokenNet)
    place = model.descriptions
    with torch.random.fork_rng([place.device] if place.is_cuda else [], enabled=drops):
        if drops:
            torch.manual_seed(int(rng.uniform((1,)).double() * 2**31))
        yield


def masked_loss(
    model: TokenDenoiser,
    turn: Map,
    batch: tuple[Tensor, Tensor, Tensor],
    share: float,
    drop: float,
    rng: Draws,
) -> Tensor:
    """Mean square of what the network should have put out, over what was measured.

    Args:
        model: Trained, or its averaged copy.
        turn: Of the set that all windows are of.
        batch: Scaled windows and what was measured of them, both (window, channel, time), and the
            set's place (window,).
        share: Of the windows of which some points are given.
        drop: Share of the steps in which the set's own token is left out.
        rng: Of this step.
    """
    z, measured, which = batch
    # One process decides for all, so that several are as one with the whole batch.
    left_out = model.training and float(together(rng.uniform((len(z),)).to(z.device))[0]) < drop
    told = Told(model.token(which, left_out), None if turn.plain else turn.back.to(z))
    if share > 0:
        given = given_points(z.shape, share, rng).to(z.device) * measured
        told = Told(told.token, told.back, *turn.seen(z, given))
    w = turn.forward(z)
    with own_dropout(model, rng):
        pair = model.denoiser.pair(w, told, rng)
    _, weight = turn.seen(z, measured)
    # One burst of a heavy-tailed set would drown all other windows of its batch.
    weight = weight * (LOUD / w.square().mean((1, 2), keepdim=True).clamp(min=LOUD))
    counted = together(weight.sum()[None]).mean()  # gradients are averaged over processes
    return ((pair.output - pair.target).square() * weight).sum() / counted.clamp(min=1)


def as_sets(windows: Any, y: ArrayLike | None = None) -> dict[str, list[Windows]]:
    """``{name: [windows of each length]}`` of what a user gives.

    Raises:
        ValueError: If a set is empty, or its parts differ in their channels.
    """
    if y is not None:
        raise ValueError(
            "labels are no conditions here, so y must be left out; give every class a name of its "
            'own: {"fault": windows, "normal": windows}.'
        )
    if not isinstance(windows, Mapping):
        return {"data": [as_windows(windows)]}
    sets = {}
    for name, given in windows.items():
        several = isinstance(given, (list, tuple)) and all(isinstance(w, Windows) for w in given)
        parts = list(given) if several else [as_windows(given)]
        if not parts:
            raise ValueError(f"set '{name}' holds no windows; leave it out.")
        if len({part.channels for part in parts}) > 1:
            raise ValueError(
                f"the windows of set '{name}' must have the same channels at every length; got "
                f"{' and '.join(str(part.channels) for part in parts[:2])}."
            )
        sets[str(name)] = parts
    if not sets:
        raise ValueError("fit needs at least one set of windows; got none.")
    return sets


def tokened(
    settings: dict[str, Any], lengths: Sequence[int], descriptions: Tensor
) -> TokenDenoiser:
    """A new denoiser with a token for each of the sets that are described.

    Weights are drawn by the settings' seed, from a generator of their own: nothing seeds globally.
    """
    schedule = KarrasSchedule(
        **{key: settings[f"level_{key}"] for key in ("low", "high", "rho", "mean", "spread")}
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(settings["seed"])
        net = network_of(settings, lengths)
        denoiser = Denoiser(net, schedule, "karras", settings["data_spread"])
        width = settings["token_width"] if settings["tokens"] else 0
        return TokenDenoiser(denoiser, width, descriptions, settings["network"] == "series")
