import signal

import numpy as np
import pytest
import torch

import timeloom.methods
from timeloom.data.windows import Windows
from timeloom.diffusion.draws import StepDraws
from timeloom.methods.fewshot import describe, masked_loss
from timeloom.methods.imagenfew import ImagenFew
from timeloom.methods.prepare import given_points
from timeloom.nets.image_unet import SelfAttention

QUICK = dict(
    width=8, token_width=8, most=4, train_steps=4, batch=8, validations=2, device="cpu",
    sample_steps=4,
)  # fmt: skip


def walks(count=20, length=12, channels=2, seed=0):
    x = np.random.default_rng(seed).normal(size=(count, length, channels)).cumsum(axis=1)
    return Windows(x * 10.0 ** np.arange(channels))


def signs(count=12, length=8, seed=0):
    """Windows that are all but constant at +1 or at -1: nothing a Gaussian law could give."""
    rng = np.random.default_rng(seed)
    level = rng.choice([-1.0, 1.0], size=(count, 1, 1))
    return Windows(level + 0.05 * rng.normal(size=(count, length, 1)))


MIXED = {
    "one": walks(channels=1),
    "three": [walks(channels=3, seed=1), walks(length=7, channels=3, seed=2)],
    "many": walks(count=12, length=9, channels=6, seed=3),
}


def awake(model):
    """Random numbers where a few steps have left the network near 0, so that all can be told."""
    for i, parameter in enumerate(model.model_.parameters()):
        if parameter.abs().max() < 0.02:
            rng = torch.Generator().manual_seed(i)
            parameter.data = 0.05 * torch.randn(parameter.shape, generator=rng)
    return model


@pytest.fixture(scope="module")
def fitted():
    return awake(ImagenFew(**QUICK).fit(MIXED))


@pytest.fixture(scope="module")
def image():
    return ImagenFew.paper(**QUICK | dict(multipliers="1,1,2")).fit(
        {"a": walks(), "b": walks(seed=1)}
    )


def state(model):
    return {k: v.clone() for k, v in model.model_.state_dict().items()}


def test_sets_of_any_channels_and_lengths_are_trained_on_together(fitted):
    assert fitted.sets_ == ("one", "three", "many")
    assert {name: token.shape for name, token in fitted.tokens_.items()} == {
        name: (8,) for name in MIXED
    }
    shapes = dict(one=(12, 1), three=(12, 3), many=(9, 6))
    for name, shape in shapes.items():
        made = fitted.sample(3, name=name)
        assert made.x.shape == (3, *shape) and np.isfinite(made.x).all()
    assert fitted.sample(2).shape == (9, 6)  # the last one where none is named
    assert fitted.sample(2, name="three", length=7).shape == (7, 3)


def test_item_i_depends_on_seed_and_i_only(fitted):
    whole = fitted.sample(7, name="three", seed=4)
    parts = list(fitted.shards(7, name="three", seed=4, size=3))
    assert [len(part) for part in parts] == [3, 3, 1]
    np.testing.assert_allclose(np.concatenate([p.x for p in parts]), whole.x, rtol=1e-3, atol=1e-3)
    assert whole.series.tolist() == list(range(7))
    assert np.abs(fitted.sample(7, name="three", seed=5).x - whole.x).max(axis=(1, 2)).min() > 0


@pytest.mark.parametrize("length", [1, 5, 9, 12, 13, 40])
def test_any_length_can_be_asked_for(fitted, length):
    made = fitted.sample(2, name="one", length=length)
    assert made.x.shape == (2, length, 1) and np.isfinite(made.x).all()
    if length <= 12:
        np.testing.assert_array_equal(made.x, fitted.sample(2, name="one").x[:, :length])


def test_a_loaded_run_samples_the_same(fitted, tmp_path):
    loaded = timeloom.methods.load(fitted.save(tmp_path / "run"))
    assert loaded.settings == fitted.settings and loaded.sets_ == fitted.sets_
    for name in MIXED:
        np.testing.assert_array_equal(
            loaded.sample(3, name=name, seed=2).x, fitted.sample(3, name=name, seed=2).x
        )
        np.testing.assert_array_equal(loaded.tokens_[name], fitted.tokens_[name])


def test_a_run_that_was_stopped_goes_on_as_if_it_had_not_been(tmp_path):
    settings = QUICK | dict(train_steps=8, held_out=0.3)
    unbroken = ImagenFew(**settings).fit(MIXED)
    run = ImagenFew(**settings)
    with pytest.raises(KeyboardInterrupt):
        for progress in run.training(MIXED, folder=tmp_path):
            if progress.step == 3:
                signal.raise_signal(signal.SIGINT)
    again = ImagenFew(**settings).fit(MIXED, folder=tmp_path, resume=True)
    for name, value in state(unbroken).items():
        assert torch.equal(value, again.model_.state_dict()[name]), name


@pytest.mark.parametrize("how", ["full", "token", "low_rank"])
def test_adapting_leaves_the_old_one_as_it_was(fitted, how):
    before, samples = state(fitted), fitted.sample(3, seed=1).x
    few = fitted.adapt(walks(6, 10, 2, seed=9), name="mine", how=how, steps=3)
    assert few.sets_ == (*fitted.sets_, "mine") and fitted.sets_ == ("one", "three", "many")
    assert set(few.model_.state_dict()) == set(before)
    assert few.sample(4).shape == (10, 2)
    assert all(torch.equal(value, before[name]) for name, value in state(fitted).items())
    np.testing.assert_array_equal(fitted.sample(3, seed=1).x, samples)


def test_adapting_the_token_alone_changes_no_other_set(fitted):
    few = fitted.adapt(walks(6, 10, 2, seed=9), how="token", steps=3, weight_decay=0.5, lr=0.1)
    for name, value in state(fitted).items():
        new = few.model_.state_dict()[name]
        assert torch.equal(new if new.shape == value.shape else new[:-1], value), name
    assert (few.model_.table[-1] != 0).any()
    for name in MIXED:
        np.testing.assert_array_equal(few.tokens_[name], fitted.tokens_[name])
        np.testing.assert_array_equal(few.sample(2, name=name).x, fitted.sample(2, name=name).x)


def test_adapting_by_a_seed_is_repeatable_and_leaves_the_global_generator(image, fitted):
    for model in (image, fitted):
        torch.manual_seed(1)
        one = model.adapt(walks(6, 12, 2, seed=9), how="low_rank", steps=2, seed=3)
        first = torch.rand(1)
        torch.manual_seed(2)
        two = model.adapt(walks(6, 12, 2, seed=9), how="low_rank", steps=2, seed=3)
        torch.manual_seed(1)
        assert torch.equal(torch.rand(1), first)
        for name, value in state(one).items():
            assert torch.equal(value, two.model_.state_dict()[name]), name


def test_a_change_of_rank_0_trains_what_is_no_matrix(fitted):
    few = fitted.adapt(walks(6, 10, 2, seed=9), how="low_rank", rank=0, steps=2)
    for name, value in fitted.model_.named_parameters():
        if name.endswith("weight") and value.ndim > 1:
            assert torch.equal(few.model_.get_parameter(name), value), name


def test_adapted_and_loaded_samples_the_same_at_another_length_too(fitted, image, tmp_path):
    for model in (fitted, image):
        few = model.adapt(walks(6, 10, 2, seed=9), name="mine", steps=2)
        loaded = timeloom.methods.load(few.save(tmp_path / model.network))
        np.testing.assert_array_equal(loaded.sample(2).x, few.sample(2).x)
        assert loaded.sample(2).shape == (10, 2)


@pytest.mark.slow
def test_what_was_adapted_to_is_drawn_and_not_its_gaussian():
    base = ImagenFew(**QUICK | dict(width=16, train_steps=60, batch=32)).fit(walks(200, 8, 1))
    few = base.adapt(signs(), steps=1, lr=1e-9)
    more = base.adapt(signs(), steps=300)

    def gap(model):
        """How far levels are from +1 and -1; .4 for a Gaussian."""
        return abs(abs(model.sample(200, steps=10).x.mean(axis=(1, 2))) - 1).mean()

    assert gap(more) < 0.5 * gap(few)


def test_imputing_keeps_what_was_measured_and_leaves_no_gap(fitted):
    x = walks(5, 12, 3, seed=8).x.copy()
    x[:, 4:8] = np.nan
    x[2, :, 0] = np.nan
    filled = fitted.impute(Windows(x), name="three", seed=3)
    known = ~np.isnan(x)
    np.testing.assert_array_equal(filled.x[known], x[known])
    assert np.isfinite(filled.x).all()
    again = fitted.impute(Windows(x), name="three", seed=4)
    assert (filled.x[:, 5] != again.x[:, 5]).all()


@pytest.mark.parametrize("start", [6, 12, 20])
def test_going_on_begins_with_what_was_given(fitted, start):
    given = walks(3, start, 3, seed=8)
    longer = fitted.extend(given, 31, name="three")
    assert longer.x.shape == (3, 31, 3) and np.isfinite(longer.x).all()
    np.testing.assert_array_equal(longer.x[:, :start], given.x)
    same = fitted.extend(given, start, name="three")
    np.testing.assert_array_equal(same.x, given.x)


@pytest.mark.slow
def test_going_on_leaves_no_seam():
    rng = np.random.default_rng(0)
    time = np.arange(64)
    x = np.sin(time / 3 + rng.uniform(0, 6, (400, 1)))[..., None]
    settings = QUICK | dict(width=16, train_steps=500, batch=32, sample_steps=10, known=0.5)
    model = ImagenFew(**settings).fit(Windows(x[:, :16]))
    longer = model.extend(Windows(x[:100, :16]), 48).x[..., 0]
    steps = np.square(np.diff(longer)).mean(axis=0)
    usual = np.delete(steps, [15, 23, 31, 39])
    assert steps[[15, 23, 31, 39]].max() < 1.5 * usual.mean()


def test_given_points_are_of_every_kind_and_of_the_share_asked_for():
    shape = (4_000, 3, 10)
    known = given_points(torch.Size(shape), 0.4, StepDraws(0, 0))
    assert known.shape == shape and set(known.unique().tolist()) == {0.0, 1.0}
    told = known.flatten(1).any(dim=1)
    # A stretch at an edge may be of no points: a tenth of the half that forecasts.
    assert 0.34 < told.float().mean() < 0.42
    same = (known == known[:, :1]).flatten(1).all(dim=1) & told
    rows = known[same, 0]
    prefix = (rows[:, :-1] >= rows[:, 1:]).all(dim=1)
    suffix = (rows[:, :-1] <= rows[:, 1:]).all(dim=1)
    edge = (prefix | suffix).float().sum() / told.sum()
    assert 0.4 < edge < 0.65  # half of them, and blocks that lie at an edge in all channels
    assert prefix.sum() > 1.5 * suffix.sum()
    assert (given_points(torch.Size(shape), 0.0, StepDraws(0, 0)) == 0).all()
    every = given_points(torch.Size(shape), 1.0, StepDraws(0, 0))
    assert every.flatten(1).any(dim=1).float().mean() > 0.9
    assert torch.equal(known, given_points(torch.Size(shape), 0.4, StepDraws(0, 0)))


def plain(fitted_on, **settings):
    return ImagenFew(**QUICK | dict(channel_map="padded", whitening=0.0, known=0.5) | settings).fit(
        fitted_on
    )


def test_what_stands_on_points_that_were_not_measured_is_no_part_of_the_loss():
    model = plain(walks(), train_steps=1)
    for parameter in model.model_.denoiser.net.doors.out.parameters():
        parameter.data.zero_()  # an output of 0: the loss is what the target says
    z, measured = model.domains_["data"].tensors(walks(8, seed=5).x)
    measured[:, :, 5:9] = 0
    which, turn = torch.zeros(8, dtype=torch.long), model.domains_["data"].map(12)

    def loss(values):
        other = torch.where(measured > 0, z, values)
        batch = (other, measured, which)
        return masked_loss(model.model_, turn, batch, 0.5, 0.0, StepDraws(0, 0))

    torch.testing.assert_close(loss(torch.tensor(0.0)), loss(torch.tensor(1.5)))
    measured[:, :, :] = 1
    assert loss(torch.tensor(0.0)).isfinite()


def test_a_loss_over_nothing_measured_is_0(fitted):
    turn = fitted.domains_["one"].map(12)
    batch = torch.zeros(4, 1, 12), torch.zeros(4, 1, 12), torch.zeros(4, dtype=torch.long)
    assert float(masked_loss(fitted.model_, turn, batch, 0.5, 0.0, StepDraws(0, 0)).detach()) == 0


def test_a_token_that_is_left_out_is_that_of_the_description_alone(fitted):
    model, which = fitted.model_, torch.tensor([0, 2])
    alone = model.token(which, True)
    torch.testing.assert_close(alone, model.describe(model.descriptions[which]))
    assert not torch.allclose(model.token(which), alone, atol=1e-6)


@pytest.mark.parametrize("drop", [0.0, 1.0])
def test_so_its_own_part_learns_nothing_from_the_steps_that_leave_it_out(fitted, drop):
    model, turn = fitted.model_, fitted.domains_["one"].map(12)
    z, measured = fitted.domains_["one"].tensors(MIXED["one"].x)
    model.train()
    model.zero_grad()
    batch = (z, measured, torch.zeros(len(z), dtype=torch.long))
    masked_loss(model, turn, batch, 0.3, drop, StepDraws(0, 0)).backward()
    assert bool((model.table.grad[0] != 0).any()) == (drop == 0)
    assert (model.table.grad[1:] == 0).all()
    model.zero_grad()
    model.eval()


def test_descriptions_do_not_follow_the_unit_or_the_order_of_channels():
    windows = walks(40, channels=3)
    turned = Windows(windows.x[..., [2, 0, 1]] * np.array([1e3, -0.1, 5.0]) + 7)
    model = ImagenFew(**QUICK | dict(train_steps=1)).fit({"a": windows, "b": turned})
    one, two = (describe(model.domains_[name].longest) for name in ("a", "b"))
    assert one.shape == (36,) and one.isfinite().all() and one.abs().max() < 5
    torch.testing.assert_close(one, two, rtol=1e-3, atol=1e-3)


def test_without_tokens_there_are_none():
    model = ImagenFew(**QUICK | dict(tokens=False)).fit({"a": walks(), "b": walks(seed=1)})
    assert {name: token.shape for name, token in model.tokens_.items()} == dict(a=(0,), b=(0,))
    assert model.adapt(walks(6, seed=2), steps=1).sample(1).shape == (12, 2)
    with pytest.raises(ValueError, match="how must be one of auto, full, low_rank; got 'token'"):
        model.adapt(walks(6, seed=2), how="token")


@pytest.mark.parametrize("doors", ["dynamic", "padded"])
def test_other_ways_of_channels_work_in_both_networks(doors):
    for more in (dict(), dict(network="image", multipliers="1,2")):
        model = ImagenFew(**QUICK | dict(channel_map=doors, train_steps=2) | more)
        assert model.fit({"a": walks(), "b": walks(channels=3)}).sample(2).shape == (12, 3)


def test_the_paper_takes_71_calls_of_a_network_of_its_size():
    model = ImagenFew.paper(train_steps=1, batch=2, device="cpu", validations=1)
    model.fit(walks(2, 24, 2))
    net, calls = model.model_.denoiser.net, []
    net.register_forward_hook(lambda *_: calls.append(1))
    assert model.sample(1).shape == (24, 2)
    assert len(calls) == 71 and model.sample_steps == 36
    # The released network holds 32 tokens and attends at its single pixel, where that does
    # nothing, and not at the full resolution, where its heads are none; all else is the same.
    size = sum(p.numel() for p in net.parameters())
    pixel = 3 * 128 * 129 + 128 * 129 + 2 * 128
    full = 7 * (3 * 32 * 33 + 32 * 33 + 2 * 32)
    assert size == 6_751_168 - 32 * 128 - pixel + full
    assert model.model_.table.shape == (1, 128)
    wide = [m.heads for m in net.modules() if isinstance(m, SelfAttention)]
    assert len(wide) == 21 and min(wide) == 1
