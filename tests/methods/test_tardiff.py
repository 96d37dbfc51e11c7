"""TarDiff: scale 0 is the generator, window i is its own, settings count, labels are kept."""

import copy
import dataclasses
import warnings

import numpy as np
import pytest
import torch
from torch import nn

import timeloom.methods
from tests import naive_influence as naive
from tests import naive_utility
from tests.methods.bumps import LENGTH, Told, bumps, classifier, generator
from tests.methods.toy import QUICK, waves
from timeloom.methods import drawing
from timeloom.methods.classifier import ChannelFirst
from timeloom.methods.diffmts import DiffMTS
from timeloom.methods.tardiff import TarDiff

# Of a few windows, from generators of seconds, some leave the range; one test below asks of it.
pytestmark = pytest.mark.filterwarnings("ignore:.*beyond the range:UserWarning")

LABELS = np.repeat(["plain", "rise"], 32)


@pytest.fixture(scope="module")
def base():
    return generator(bumps())


@pytest.fixture(scope="module")
def fitted(base):
    """Guided by a small network that needs neither training nor time here."""
    return TarDiff(base, classifier(base, bumps()), 0.2).fit(bumps(60, seed=1))


class Own(nn.Module):
    """A classifier of a user's own, with dropout, a batch norm and one output."""

    def __init__(self, length=LENGTH):
        super().__init__()
        torch.manual_seed(0)
        self.layers = nn.Sequential(
            nn.Flatten(),
            nn.Linear(2 * length, 8),
            nn.BatchNorm1d(8),
            nn.Tanh(),
            nn.Dropout(0.5),
            nn.Linear(8, 1),
        )

    def forward(self, x):
        return self.layers(x)


@pytest.mark.parametrize("step", [None, "ddpm", "heun", "dpmpp_2m"])
@pytest.mark.parametrize("pool", [1, 3])
def test_scale_0_is_the_generator_bit_for_bit(base, fitted, step, pool):
    method = copy.copy(fitted)
    method.pool = pool
    how = dict(seed=3, step=step, steps=4, guidance=0.5)
    found = method.sample(8, LABELS[28:36], scale=0, **how)
    wanted = base.sample(8 * pool, np.repeat(LABELS[28:36], pool), **how)
    scores = method.influence(wanted).reshape(8, pool)
    rows = np.arange(8) * pool + scores.argmax(axis=1)
    np.testing.assert_array_equal(found.x, wanted.x[rows])
    np.testing.assert_array_equal(found.y, LABELS[28:36])
    assert found.series.tolist() == list(range(8)) and found.channels == ("low", "high")


def test_pure_selection_keeps_windows_of_higher_influence(fitted):
    method = copy.copy(fitted)
    method.pool = 4
    chosen, plain = (one.sample(64, LABELS, scale=0) for one in (method, fitted))
    assert fitted.influence(chosen).mean() > fitted.influence(plain).mean() + 0.05
    assert chosen.y.tolist() == LABELS.tolist()


def test_guidance_raises_what_is_learned_and_a_negative_scale_lowers_it(fitted):
    """The product of the gradients, not its share of their lengths, is what the push raises."""

    def learned(scale):
        made = fitted.sample(64, LABELS, scale=scale)
        return float((fitted.influence(made) * fitted.gradient_norms(made)).mean())

    found = [learned(scale) for scale in (-0.3, 0, 0.1, 0.3)]
    assert found == sorted(found) and found[3] - found[0] > 0.2 * abs(found[1])


@pytest.mark.parametrize("pool", [1, 3])
@pytest.mark.parametrize("strength", ["relative", "absolute"])
def test_window_i_depends_on_seed_and_i_only(fitted, monkeypatch, pool, strength):
    method = copy.copy(fitted)
    method.pool, method.strength = pool, strength
    scale = 0.3 if strength == "relative" else 30.0
    whole = method.sample(64, LABELS, seed=5, scale=scale)
    assert np.abs(method.sample(64, LABELS, seed=6, scale=scale).x - whole.x).min() > 0
    for chunk, size in ((1, 64), (7, 20), (256, 7)):
        monkeypatch.setattr(drawing, "CHUNK", chunk)
        count = 6 if chunk == 1 else 64
        parts = list(method.shards(count, LABELS[:count], seed=5, scale=scale, size=size))
        assert [len(part) for part in parts][:-1] == [size] * (len(parts) - 1)
        x = np.concatenate([part.x for part in parts])
        near = np.isclose(x / [1, 10], whole.x[:count] / [1, 10], atol=0.03).all(axis=(1, 2))
        # Steps of a fixed length go round an optimum and can blow a rounding error up.
        assert (~near).sum() <= (1 if strength == "absolute" else 0)
        assert np.concatenate([part.series for part in parts]).tolist() == list(range(count))


def test_a_guided_sample_keeps_its_spread(base, fitted):
    labels = np.repeat(["plain", "rise"], 150)
    plain = base.sample(300, labels)
    for scale in (0.05, 0.1, 0.2):
        made = fitted.sample(300, labels, scale=scale)
        assert np.abs(made.x - plain.x).mean() > 0.005
        for rows in (slice(None), labels == "plain", labels == "rise"):
            spread = [np.sqrt(one.x[rows].var(axis=0).mean(axis=0)) for one in (made, plain)]
            np.testing.assert_allclose(spread[0], spread[1], rtol=0.1)


def test_channels_of_very_different_size_survive():
    windows = bumps(80)
    large = dataclasses.replace(windows, x=windows.x * [1e1, 1e5] + [0, 1e6])
    large_base = generator(large, steps=200)
    method = TarDiff(large_base, classifier(large_base, large), 0.2).fit(large)
    made = method.sample(64, LABELS)
    ratio = made.x.std(axis=(0, 1)) / large.x.std(axis=(0, 1))
    assert (ratio > 0.6).all() and (ratio < 1.5).all()
    assert abs(made.x[..., 1].mean() - 1e6) < 0.5 * large.x[..., 1].std()


SMALL = dict(classifier="gru", scale=0.2, train_steps=6)
CHANGES = dict(
    classifier="resnet", scale=0.1, source="minority", strength="absolute", at="noisy", last=0.4,
    pool=2, validation=0.5, train_steps=9, balance=False, seed=1,
)  # fmt: skip


def test_every_setting_is_tried():
    assert {"generator", *CHANGES} == {f.name for f in dataclasses.fields(TarDiff)}


@pytest.fixture(scope="module")
def before(base):
    made = TarDiff(base, **SMALL).fit(bumps(60, rare=0.2)).sample(6, LABELS[29:35])
    return made.x


@pytest.mark.parametrize("name", CHANGES)
def test_every_setting_changes_the_result(base, before, name):
    settings = {**SMALL, name: CHANGES[name]}
    after = TarDiff(base, **settings).fit(bumps(60, rare=0.2)).sample(6, LABELS[29:35]).x
    assert not np.allclose(after, before, rtol=0, atol=1e-4)


def test_the_three_sources_are_three_means_of_the_classes_gradients(base):
    windows, own = bumps(60, rare=0.2), classifier(base, bumps())
    found = {
        source: TarDiff(base, own, 0.2, source=source).fit(windows)
        for source in ("all", "minority", "balanced")
    }
    first = found["all"]
    share = first.counts_ / first.counts_.sum()
    rare = int(first.counts_.argmin())
    assert first.classes_[rare] == "rise"
    torch.testing.assert_close(first.toward_, share @ first.gradients_)
    torch.testing.assert_close(found["minority"].toward_, first.gradients_[rare])
    torch.testing.assert_close(found["balanced"].toward_, first.gradients_.mean(0))


def test_the_guidance_gradient_is_that_of_windows_the_classifier_never_saw(base):
    windows, held = bumps(40), bumps(16, seed=3)
    method = TarDiff(base, "gru", 0.2, source="all", train_steps=5).fit(windows, guidance=held)
    x, y = method._tensors(held)
    net = ChannelFirst(copy.deepcopy(method.classifier_).double()).eval()
    wanted = naive.mean_gradient(net, x.double(), y)
    torch.testing.assert_close(method.toward_.double(), wanted, rtol=1e-3, atol=1e-6)
    cosines = naive.cosines(net, wanted, x[:5].double(), y[:5]).numpy()
    np.testing.assert_allclose(method.influence(held[:5]), cosines, rtol=1e-3, atol=1e-5)
    norms = naive.norms(net, x[:5].double(), y[:5]).numpy()
    np.testing.assert_allclose(method.gradient_norms(held[:5]), norms, rtol=1e-3)


def test_the_classifier_rests_and_nothing_of_it_changes(base):
    own = Own().train()
    method = TarDiff(base, own, scale=0.3).fit(bumps())
    weights = [copy.deepcopy(one.state_dict()) for one in (own, method.classifier_)]
    labels = LABELS[20:44]
    twice = [method.sample(24, labels).x for _ in range(2)]
    np.testing.assert_array_equal(*twice)  # no dropout
    assert np.abs(twice[0] - base.sample(24, labels).x).min() > 0
    method.influence(bumps(20)), method.gradient_norms(bumps(20)), method.predict_proba(bumps(20))
    for one, was in zip((own, method.classifier_), weights, strict=True):
        assert all(torch.equal(value, was[name]) for name, value in one.state_dict().items())
    assert own.training and not method.classifier_.training
    assert all(p.requires_grad for p in own.parameters())


@pytest.mark.parametrize("kind", ["resnet", "gru"])
def test_a_loaded_run_samples_the_same(kind, tmp_path):
    windows = waves(40, classes=["busy", "idle", "off"])
    base = DiffMTS(**QUICK).fit(windows)
    method = TarDiff(base, kind, 0.3, train_steps=4, pool=2, source="minority")
    folder = tmp_path / "run"
    for progress in method.training(windows, folder=folder):
        assert 0 < progress.share <= 1 and progress.left >= 0
    loaded = timeloom.methods.load(folder, device="cpu")
    assert loaded.settings == method.settings and loaded.generator.device == "cpu"
    for name in ("scale_", "scales_", "exact_", "validation_auroc_", "classes_", "shape_"):
        assert getattr(loaded, name) == getattr(method, name)
    one, other = (which.sample(5, "idle", seed=1) for which in (method, loaded))
    np.testing.assert_array_equal(one.x, other.x)
    windows = windows[:8]
    np.testing.assert_array_equal(method.influence(windows), loaded.influence(windows))
    again = timeloom.methods.load(loaded.save(tmp_path / "again"))
    np.testing.assert_array_equal(again.sample(5, "idle", seed=1).x, one.x)


def test_a_module_of_ones_own_is_given_again_when_a_run_is_loaded(base, tmp_path):
    method = TarDiff(base, Own(), scale=0.3).fit(bumps())
    folder = method.save(tmp_path / "run")
    with pytest.raises(ValueError, match=r"run.generator was trained with a net of your own"):
        timeloom.methods.load(folder)
    with pytest.raises(ValueError, match="with a classifier of your own; load it with class"):
        timeloom.methods.load(folder, net=Told())
    loaded = timeloom.methods.load(folder, net=Told(), classifier=Own())
    np.testing.assert_array_equal(loaded.sample(5, "rise").x, method.sample(5, "rise").x)
    other = timeloom.methods.load(folder, generator=base, classifier=Own())
    np.testing.assert_array_equal(other.sample(5, "rise").x, method.sample(5, "rise").x)


def test_three_classes():
    names = ("dip", "late", "rise")
    windows = bumps(200, names, rare=0.34, noise=0.4)
    base = generator(windows, steps=700, guidance=1.0)
    method = TarDiff(base, "gru", 0.1, train_steps=40).fit(windows)
    assert method.validation_auroc_ > 0.9 and method.gradients_.shape[0] == 3
    asked = np.repeat(names, 100)
    real = bumps(120, names, rare=0.3, noise=0.4, seed=9)
    judge = TarDiff(base, "gru", 0.0, train_steps=60, seed=9).fit(real)
    for scale in (0, 0.1):
        said = judge.predict_proba(method.sample(300, asked, scale=scale)).argmax(axis=1)
        right = (np.array(judge.classes_)[said] == asked).reshape(3, 100).mean(axis=1)
        assert right.min() > 0.6  # far above a third, for every class: labels are kept


def test_gaps_in_guidance_windows_are_bridged(base):
    windows = bumps()
    x = windows.x.copy()
    x[np.random.default_rng(0).random(x.shape) < 0.2] = np.nan
    x[3, :, 0] = np.nan
    holed = dataclasses.replace(windows, x=x)
    method = TarDiff(base, classifier(base, windows), 0.2).fit(holed)
    assert np.isfinite(method.sample(6, "rise").x).all()
    assert np.isfinite(method.influence(holed)).all()
    again = TarDiff(base, "resnet", 0.2, train_steps=6).fit(holed)
    assert again.validation_auroc_ > 0.5 and np.isfinite(again.sample(4, "plain").x).all()


@pytest.mark.parametrize("seed", [0, 1])
def test_mislabelled_windows_hurt_and_are_found(base, seed):
    """A tenth of the training labels are wrong; guidance windows are known to be right."""
    windows = bumps(240, seed=seed)
    wrong = np.random.default_rng(seed).random(240) < 0.1
    flipped = np.where(windows.y == "rise", "plain", "rise")
    noisy = dataclasses.replace(windows, y=np.where(wrong, flipped, windows.y))
    method = TarDiff(base, "resnet", 0.0, train_steps=60).fit(noisy, guidance=bumps(80, seed=7))
    assert naive_utility.auroc(-method.influence(noisy), wrong) > 0.8
    assert naive_utility.auroc(method.gradient_norms(noisy), wrong) > 0.8
    sure = method.predict_proba(noisy)[np.arange(240), (noisy.y == "rise").astype(int)]
    assert naive_utility.auroc(-sure, wrong) > 0.9


def test_too_strong_a_scale_is_said_and_a_moderate_one_is_not(fitted):
    with pytest.warns(UserWarning, match=r"\d+\.\d% of the guided values .* scale=6 is too strong"):
        fitted.sample(64, "rise", scale=6)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        fitted.sample(64, "rise", scale=0.2)


def test_nothing_is_stored_but_settings_and_the_data_are_not_changed(base):
    assert set(vars(TarDiff(base))) == {f.name for f in dataclasses.fields(TarDiff)}
    windows = bumps()
    was = windows.x.copy()
    TarDiff(base, **SMALL).fit(windows).sample(2, "rise")
    np.testing.assert_array_equal(windows.x, was)


def test_a_run_that_was_begun_is_begun_anew(base, tmp_path):
    folder = tmp_path / "run"
    method = TarDiff(base, **SMALL)
    next(method.training(bumps(60), folder=folder))
    assert sorted(path.name for path in folder.iterdir()) == ["settings.json"]
    with pytest.raises(ValueError, match="half written"):
        timeloom.methods.load(folder)
    method.fit(bumps(60), folder=folder, resume=True)
    with pytest.raises(ValueError, match="a run that has ended"):
        method.fit(bumps(60), folder=folder, resume=True)
    assert (folder / "generator" / "weights.safetensors").exists()
