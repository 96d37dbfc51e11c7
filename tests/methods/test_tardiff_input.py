"""What TarDiff refuses, each in one sentence: settings, windows, classifiers, what is asked for."""

import numpy as np
import pytest
import torch
from torch import nn

from tests.methods.bumps import bumps, classifier, generator
from tests.methods.toy import QUICK, waves
from timeloom.data.windows import Windows
from timeloom.methods.classifier import build
from timeloom.methods.diffmts import DiffMTS
from timeloom.methods.tardiff import TarDiff

BASE = dict(scale=0.2, train_steps=20)


@pytest.fixture(scope="module")
def base():
    return generator(bumps(), steps=20)


@pytest.fixture(scope="module")
def fitted(base):
    return TarDiff(base, classifier(base, bumps()), 0.2).fit(bumps(60, seed=1))


class Sick(nn.Module):
    def forward(self, x):
        return x * torch.nan


def test_guidance_windows_among_the_test_windows_are_refused(base):
    windows, held, test = bumps(), bumps(40, seed=3), bumps(40, seed=4)
    method = TarDiff(base, classifier(base, windows), 0.2)
    method.fit(windows, guidance=held, test=test)
    for shared in (held[5:8], Windows(np.roll(held.x[:3], 2, axis=1))):
        mixed = Windows(np.concatenate([test.x, shared.x]), channels=test.channels)
        with pytest.raises(ValueError, match="must not be among the test windows; 3 of 40 are, or"):
            method.fit(windows, guidance=held, test=mixed)
    with pytest.raises(ValueError, match=r"must not be among the test windows; 40 of 40"):
        method.fit(held, test=held)


ASKED = {
    "needs the class of the windows to be drawn; give y, one class of plain, rise": (3, None),
    r"trained classes plain, rise; got 'ris'. Did you mean 'rise'": (3, "ris"),
    r"y must be one label or have shape \(3,\); got \(2,\)": (3, ["rise", "plain"]),
    "number of windows must be at least 1; got 0": (0, "rise"),
}


@pytest.mark.parametrize("sentence", ASKED)
def test_what_cannot_be_asked_for_is_refused(fitted, sentence):
    with pytest.raises(ValueError, match=sentence):
        fitted.sample(*ASKED[sentence])


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        (dict(classifier="lstm"), "classifier must be resnet or gru, or a torch module"),
        (dict(scale="x"), "scale must be a finite number or 'auto'; got 'x'"),
        (dict(scale=float("inf")), "scale must be a finite number or 'auto'; got inf"),
        (dict(source="some"), "source must be one of"),
        (dict(strength="hard"), "strength must be one of"),
        (dict(at="dawn"), "at must be one of"),
        (dict(last=0.0), "last must be a share above 0, up to 1; got 0.0"),
        (dict(last=1.5), "last must be a share above 0, up to 1; got 1.5"),
        (dict(pool=-1), "pool and train_steps must be at least 1; got -1 and 20"),
        (dict(train_steps=0), "pool and train_steps must be at least 1; got 1 and 0"),
        (dict(validation=1.0), "validation must be a share between 0 and 1; got 1.0"),
    ],
)
def test_a_setting_that_cannot_be_is_refused(base, settings, sentence):
    with pytest.raises(ValueError, match=sentence):
        TarDiff(base, **{"classifier": "gru", **BASE, **settings}).fit(bumps())


def without_rise(count):
    windows = bumps(80)
    rows = np.flatnonzero(windows.y == "rise")
    return windows[np.setdiff1d(np.arange(80), rows[count:])]


WINDOWS = {
    "every class needs at least 5 training windows; class 'rise' has 4": lambda: without_rise(4),
    "training windows need a class each": lambda: bumps().x,
    r"training windows must be as the generator's, .* \(10, 2\); got \(16, 2\)": (
        lambda: waves(classes=["plain", "rise"])
    ),
    "trained classes plain, rise; got 'dip'": lambda: bumps(60, ("dip", "rise")),
}


@pytest.mark.parametrize("sentence", WINDOWS)
def test_windows_that_do_not_fit_are_refused(base, fitted, sentence):
    with pytest.raises(ValueError, match=sentence):
        TarDiff(base, "gru", **BASE).fit(WINDOWS[sentence]())
    guidance = sentence.replace("training", "guidance").replace("at least 5", "at least 1")
    given = WINDOWS[sentence]()
    given = given if isinstance(given, Windows) else Windows(given)
    if "at least" in sentence:
        given, guidance = without_rise(0), guidance.replace("has 4", "has 0")
    with pytest.raises(ValueError, match=guidance):
        TarDiff(base, "gru", **BASE).fit(bumps(), guidance=given)


def test_windows_whose_influence_cannot_be_told_are_refused(fitted):
    with pytest.raises(ValueError, match="every window needs its class"):
        fitted.influence(bumps().x)
    with pytest.raises(ValueError, match="must be as the generator's"):
        fitted.influence(waves(classes=["plain", "rise"]))
    with pytest.raises(ValueError, match="must be as the generator's"):
        fitted.predict_proba(bumps().x[:, :, :1])
    with pytest.raises(ValueError, match="carry their own labels"):
        fitted.gradient_norms(bumps(), y="rise")
    with pytest.raises(ValueError, match="not fitted yet"):
        TarDiff(fitted.generator).influence(bumps())


def test_a_generator_that_knows_no_classes_is_refused():
    for windows, words in ((waves(), "values"), (waves().x, "windows without labels")):
        base = DiffMTS(**QUICK).fit(windows)
        sentence = f"needs a generator of classes; .* trained on {words}"
        with pytest.raises(ValueError, match=sentence):
            TarDiff(base).fit(waves(classes=["a", "b"]))
    with pytest.raises(ValueError, match="the generator is not fitted yet"):
        TarDiff(DiffMTS()).fit(waves(classes=["a", "b"]))


def test_a_classifier_that_does_not_fit_is_refused(base):
    longer = nn.Sequential(nn.Flatten(), nn.Linear(48, 2))
    for own, sentence in (
        (build("gru", 2, 3, 0), r"must return .* \(160, 2\).*; got \(160, 3\)"),
        (longer, r"must read windows .* = \(160, 10, 2\); it failed with: mat1"),
        (nn.Sequential(nn.Flatten(), nn.Linear(20, 2), Sick()), "NaN or inf for 160 of 160"),
    ):
        with pytest.raises(ValueError, match=sentence):
            TarDiff(base, own, 0.1).fit(bumps())
