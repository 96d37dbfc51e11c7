import numpy as np
import pytest
import torch

import timeloom as tl
from timeloom.data.frame import Frame
from timeloom.diffusion.draws import StepDraws
from timeloom.methods.episode import FEWEST, episode
from timeloom.methods.fewshot import describe
from timeloom.methods.fewshot_training import ADAPT, loss_of
from timeloom.methods.imagenfew import ImagenFew

FRAME = dict(kind="principal", whitening=0.5, white_from=32)


def normal(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def walks(count=40, channels=3, seed=0):
    return normal(count, channels, 12, seed=seed).cumsum(2) + torch.arange(channels)[:, None]


class Fixed:
    """Draws that always give the same share."""

    def __init__(self, share):
        self.share = share

    def uniform(self, shape):
        return torch.full(tuple(shape), self.share)

    normal = uniform


@pytest.mark.parametrize("share, few", [(0.0, FEWEST), (0.5, 15), (0.9999, 40)])
def test_an_episode_is_what_adapting_to_its_first_windows_would_see(share, few):
    z = walks()
    seen = episode(z, FRAME, Fixed(share))
    x = z[:few].mT.numpy().astype(np.float64)
    centre, spread = x.mean((0, 1)), x.std((0, 1))
    slow = Frame(**FRAME).fit((x - centre) / spread)
    scaled = (z.mT.numpy() - centre) / spread
    np.testing.assert_allclose(seen.z.mT, scaled, atol=1e-4)
    np.testing.assert_allclose(seen.turn.forward(seen.z), slow.transform(scaled), atol=1e-3)
    torch.testing.assert_close(seen.about, describe(slow), rtol=1e-3, atol=1e-3)


def test_there_is_none_where_the_few_say_nothing_of_the_others():
    still = walks()
    still[:FEWEST] = 1
    assert episode(still, FRAME, Fixed(0.0)) is None
    calm = torch.zeros(40, 1, 12)
    calm[:FEWEST] = 0.06 * normal(FEWEST, 1, 12)
    calm[FEWEST:] = 50 * normal(34, 1, 12, seed=1)
    assert episode(calm, FRAME, Fixed(0.0)) is None


def test_a_channel_that_stands_still_in_the_few_keeps_the_scale_of_the_set():
    z = walks()
    z[:FEWEST, 1] = 0.3
    seen = episode(z, FRAME, Fixed(0.0))
    torch.testing.assert_close(seen.z[:, 1], z[:, 1])
    assert seen.turn.mix.shape == (3, 2)  # its direction has no spread in the few


@pytest.fixture(scope="module")
def two():
    sets = {str(i): walks(40, 2, seed=i).mT.numpy() for i in range(2)}
    return ImagenFew(width=8, train_steps=2, batch=8, seed=0, device="cpu").fit(sets)


def batch_of(model, name):
    z, measured = model.domains_[name].tensors(walks(40, 2, seed=int(name)).mT.numpy())
    return z, measured, torch.full((len(z),), int(name))


def test_episodes_are_for_the_training_of_several_sets(two):
    def loss(share):
        own = _with(two, episodes=share)
        return loss_of(own, two.model_, batch_of(two, "0"), StepDraws(0, 0)).item()

    two.model_.train()
    assert loss(0.0) != loss(1.0)
    two.model_.eval()
    assert loss(0.0) == loss(1.0)
    assert ADAPT["episodes"] == 0
    assert two.adapt(walks(10, 2, seed=5).mT.numpy(), steps=1).episodes == 0


def test_no_token_of_a_known_set_is_asked_for_in_an_episode(two):
    two.model_.train()
    two.model_.zero_grad()
    loss_of(_with(two, episodes=1.0), two.model_, batch_of(two, "1"), StepDraws(0, 0)).backward()
    assert (two.model_.table.grad == 0).all()
    assert (two.model_.describe.weight.grad != 0).any()
    two.model_.zero_grad()
    two.model_.eval()


def _with(model, **settings):
    new = ImagenFew(**{**model.settings, **settings})
    new.domains_ = model.domains_
    return new


def test_the_share_is_a_share():
    with pytest.raises(ValueError, match="episodes"):
        tl.ImagenFew(episodes=1.5).fit({"a": walks().mT.numpy(), "b": walks().mT.numpy()})
