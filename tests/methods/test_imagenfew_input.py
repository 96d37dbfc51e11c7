import json
import warnings

import numpy as np
import pytest

import timeloom.methods
from tests.methods.test_imagenfew import QUICK, walks
from timeloom.data.windows import Windows
from timeloom.methods.imagenfew import ImagenFew


@pytest.fixture(scope="module")
def fitted():
    return ImagenFew(**QUICK).fit({"a": walks(), "b": walks(seed=1, channels=3)})


def test_sampling_before_fitting_is_refused():
    for what in (
        lambda model: model.sample(3),
        lambda model: model.adapt(walks()),
        lambda model: model.sets_,
        lambda model: model.tokens_,
        lambda model: model.save("nowhere"),
    ):
        with pytest.raises(ValueError, match="not fitted yet; call fit first"):
            what(ImagenFew())


@pytest.mark.parametrize("count", [0, 1, 3])
def test_fewer_than_four_windows_are_refused(fitted, count):
    with pytest.raises(ValueError, match=f"at least 4 windows, better 10; got {count}"):
        fitted.adapt(walks(6, seed=9)[np.arange(count)])
    assert fitted.adapt(walks(4, seed=9), steps=1).sample(1).shape == (12, 2)


@pytest.mark.parametrize("shape", [(8, 12, 0), (8, 0, 2)])
def test_windows_without_channels_or_time_are_refused(fitted, shape):
    for what in (fitted.adapt, ImagenFew(**QUICK).fit):
        with pytest.raises(ValueError, match="at least 1 time point and 1 channel; got"):
            what(Windows(np.zeros(shape)))


def test_five_hundred_channels_work(fitted):
    few = fitted.adapt(walks(5, 6, 3, seed=9).x @ np.ones((3, 500)), steps=1)
    assert few.sample(2).shape == (6, 500)
    many = np.random.default_rng(0).normal(size=(5, 6, 500))
    assert np.isfinite(fitted.adapt(many, steps=1).sample(2).x).all()


def test_windows_that_are_all_the_same_are_refused(fitted):
    for what in (fitted.adapt, ImagenFew(**QUICK).fit):
        with pytest.raises(ValueError, match="windows must vary"):
            what(Windows(np.full((8, 12, 2), 3.0)))


@pytest.mark.parametrize("how", [dict(), dict(channel_map="dynamic"), dict(scale="minmax")])
def test_a_constant_channel_among_others_comes_back_as_it_was(how):
    still = np.full((12, 12, 1), 518.67)
    model = ImagenFew(**QUICK | how | dict(train_steps=1))
    model.fit(np.concatenate([walks(12).x, still], axis=2))
    few = model.adapt(np.concatenate([walks(12, seed=9).x, still], axis=2), steps=1)
    for made in (model.sample(3), model.sample(2, length=20), few.sample(2)):
        np.testing.assert_allclose(made.x[..., 2], 518.67, rtol=1e-6)
        assert np.isfinite(made.x).all() and made.x[..., 0].std() > 0


def test_windows_with_gaps_are_learned_from(fitted):
    x = walks(12, seed=4).x
    x[np.random.default_rng(0).random(x.shape) < 0.3] = np.nan
    assert np.isfinite(fitted.adapt(x, steps=2).sample(3).x).all()
    x[:, :, 1] = np.nan
    with pytest.raises(ValueError, match="'c1' is NaN in all 12 windows"):
        fitted.adapt(x)
    x[3, 3, 0] = np.inf
    with pytest.raises(ValueError, match="'c0' holds inf"):
        fitted.adapt(x)


def test_a_name_that_is_taken_and_one_that_is_not_known_are_refused(fitted):
    with pytest.raises(ValueError, match="knows 'a' already. Choose another name"):
        fitted.adapt(walks(6, seed=9), name="a")
    with pytest.raises(ValueError, match=r"sets trained on \(a, b\); got 'c'"):
        fitted.sample(2, name="c")
    with pytest.raises(ValueError, match=r"sets trained on \(a, b\); got 'c'"):
        fitted.impute(walks(2), name="c")


def test_what_would_change_the_network_is_refused(fitted):
    for setting in (dict(width=16), dict(whitening=1.0), dict(tokens=False)):
        with pytest.raises(ValueError, match=f"got {next(iter(setting))}, which belongs to"):
            fitted.adapt(walks(6, seed=9), **setting)
    with pytest.raises(
        ValueError, match="how must be one of auto, full, low_rank, token; got 'bias'"
    ):
        fitted.adapt(walks(6, seed=9), how="bias")
    with pytest.raises(ValueError, match="rank must be at least 0"):
        fitted.adapt(walks(6, seed=9), how="low_rank", rank=-1)
    with pytest.raises(ValueError, match="known must be at least 0 and at most 1; got 2"):
        fitted.adapt(walks(6, seed=9), known=2.0)


def test_windows_of_the_corpus_are_said_to_be(fitted):
    with pytest.warns(UserWarning, match="these windows are from 'a'.*say nothing of new data"):
        fitted.adapt(walks()[np.arange(6)], steps=1)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        fitted.adapt(walks(6, seed=9), steps=1)


def test_labels_are_refused_with_advice(fitted):
    with pytest.raises(ValueError, match="y must be left out; give every class a name of its own"):
        ImagenFew(**QUICK).fit(walks().x, np.zeros(20))
    with pytest.raises(ValueError, match="knows sets, not labels; name a set by name="):
        list(fitted.shards(2, "fault"))


def test_sets_that_cannot_be_are_refused():
    with pytest.raises(ValueError, match="at least one set of windows; got none"):
        ImagenFew(**QUICK).fit({})
    with pytest.raises(ValueError, match="set 'a' holds no windows; leave it out"):
        ImagenFew(**QUICK).fit({"a": []})
    with pytest.raises(ValueError, match="set 'a' must have the same channels at every length"):
        ImagenFew(**QUICK).fit({"a": [walks(), walks(channels=3)]})
    with pytest.raises(ValueError, match="at least 2 windows; got 1"):
        ImagenFew(**QUICK).fit({"a": walks(), "b": walks(1)})


def test_the_image_network_says_what_it_cannot_hold():
    small = dict(QUICK, network="image", channel_map="padded", multipliers="1,2")
    with pytest.raises(ValueError, match="100 time points fill 13 columns.*Cut shorter windows"):
        ImagenFew(**small).fit(walks(length=100))
    with pytest.raises(ValueError, match=r"windows of one length; got \[7, 12\].*network='series'"):
        ImagenFew(**small).fit({"a": walks(), "b": walks(length=7)})
    with pytest.raises(ValueError, match="at most 4 channels; got 6"):
        ImagenFew(**small).fit(walks(channels=6))
    model = ImagenFew(**small).fit(walks())
    with pytest.raises(ValueError, match="100 time points fill 13 columns"):
        model.adapt(walks(6, length=100, seed=9), steps=1)


def test_windows_that_do_not_fit_the_set_are_refused(fitted):
    with pytest.raises(ValueError, match="set's 3 channels; got 2"):
        fitted.impute(walks(2), name="b")
    with pytest.raises(ValueError, match=r"one of the lengths \[12\].*; got 9.*use extend"):
        fitted.impute(walks(2, length=9), name="a")
    with pytest.raises(ValueError, match="at least 6 time points.*; got 5"):
        fitted.extend(walks(2, length=5), 20, name="a")
    with pytest.raises(ValueError, match="at least that of the windows, 12; got 11"):
        fitted.extend(walks(2), 11, name="a")


def test_a_sample_that_cannot_be_is_refused(fitted):
    for bad, sentence in (
        (dict(count=0), "number of windows must be at least 1; got 0"),
        (dict(count=2, length=0), "length must be at least 1 time point; got 0"),
        (dict(count=2, step="leap"), "step must be one of .*; got 'leap'"),
        (dict(count=2, steps=0), "at least 1"),
    ):
        with pytest.raises(ValueError, match=sentence):
            fitted.sample(**bad)


def test_weights_of_another_version_are_refused(fitted, tmp_path):
    file = fitted.save(tmp_path / "run") / "settings.json"
    whole = json.loads(file.read_text())
    file.write_text(json.dumps(whole | {"format": 99, "version": "9.0"}))
    with pytest.raises(ValueError, match="written by a newer timeloom .9.0, format 99"):
        timeloom.methods.load(tmp_path / "run")
    whole["settings"]["width"] = 16
    file.write_text(json.dumps(whole))
    with pytest.raises((ValueError, RuntimeError), match="size mismatch"):
        timeloom.methods.load(tmp_path / "run")


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        (dict(network="text"), "network must be one of series, image"),
        (dict(channel_map="all"), "channel_map must be one of principal, dynamic, padded"),
        (dict(multipliers="1,a"), "multipliers must be whole numbers"),
        (dict(width=12), "width must be a multiple of 8; got 12"),
        (dict(kernel=4), "kernel must be odd"),
        (dict(most=0), "most must be at least 1"),
        (dict(whitening=2.0), "whitening must be at least 0 and at most 1; got 2"),
        (dict(known=-0.1), "known must be"),
        (dict(token_drop=1.5), "token_drop must be"),
        (dict(token_width=0), "token_width must be at least 1"),
        (dict(balance=-1.0), "balance must be at least 0"),
        (dict(level_low=0.0), "level_low must be above 0"),
        (dict(scale="log"), "scale must be"),
        (dict(held_out=1.0), "held_out must be"),
        (dict(train_steps=0), "train_steps must be at least 1"),
        (dict(device="abacus"), "device must be|cpu"),
    ],
)
def test_a_setting_that_cannot_be_is_refused(settings, sentence):
    with pytest.raises(ValueError, match=sentence):
        ImagenFew(**{**QUICK, **settings}).fit(walks()).sample(1)


def test_a_run_with_a_setting_of_another_version_is_said(fitted, tmp_path):
    fitted.save(tmp_path)
    place = tmp_path / "settings.json"
    place.write_text(place.read_text().replace('"token_drop"', '"token_lost"'))
    with pytest.raises(ValueError, match="a setting that this version .* does not know, 'token_lo"):
        timeloom.methods.load(tmp_path)
