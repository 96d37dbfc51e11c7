import dataclasses
import json

import numpy as np
import pytest
from torch import nn

import timeloom.methods
from tests.methods.toy import QUICK, waves
from timeloom.data.windows import Windows
from timeloom.diffusion.draws import StepDraws
from timeloom.methods.diffmts import DiffMTS


@pytest.fixture(scope="module")
def fitted():
    return DiffMTS(**QUICK).fit(waves())


def test_settings_come_back_through_json():
    settings = DiffMTS(width=16, minutes=0.5).settings
    assert settings == json.loads(json.dumps(settings))
    assert settings["width"] == 16 and settings["minutes"] == 0.5


def test_the_papers_settings_are_the_papers():
    paper = DiffMTS.paper(seed=3)
    wanted = dict(
        schedule="linear",
        diffusion_steps=500,
        beta_first=1e-4,
        beta_last=0.028,
        target="noise",
        width=32,
        multipliers="1,2,2",
        guidance=0.2,
        drop=0.2,
        scale="minmax",
        batch=256,
        lr=2e-3,
        sample_steps=500,
        sample_step="ddpm_beta",
        mmd="adaptive",
        mmd_condition=False,
        seed=3,
    )
    assert {name: paper.settings[name] for name in wanted} == wanted
    paper.width, paper.train_steps = 8, 2
    assert paper.fit(waves()).sample(2, y=50, steps=5).x.shape == (2, 16, 2)


def test_windows_come_back_in_the_shape_units_and_names_of_the_training_data(fitted):
    made = fitted.sample(30, y=25.0)
    assert made.x.shape == (30, 16, 2) and made.channels == ("low", "high")
    assert made.label_name == "load" and (made.y == 25).all()
    assert 3 < made.x[..., 1].std() / made.x[..., 0].std() < 60


def test_labels_are_drawn_from_the_training_labels_where_none_are_asked_for(fitted):
    made = fitted.sample(50)
    gaps = np.abs(made.y[:, None] - waves().y[None]).min(1)
    assert gaps.max() < 1e-4 and len(np.unique(made.y)) > 20


def test_item_i_depends_on_seed_and_i_only(fitted):
    whole = fitted.sample(7, y=10.0, seed=4)
    parts = list(fitted.shards(7, y=10.0, seed=4, size=3))
    assert [len(part) for part in parts] == [3, 3, 1]
    np.testing.assert_allclose(np.concatenate([p.x for p in parts]), whole.x, rtol=1e-4, atol=1e-4)
    assert np.abs(fitted.sample(7, y=10.0, seed=5).x - whole.x).min() > 0


def test_a_loaded_run_samples_the_same(fitted, tmp_path):
    fitted.save(tmp_path / "run")
    loaded = timeloom.methods.load(tmp_path / "run")
    assert loaded.settings == fitted.settings
    np.testing.assert_array_equal(loaded.sample(4, seed=2).x, fitted.sample(4, seed=2).x)
    assert sorted(p.name for p in (tmp_path / "run").iterdir()) == [
        "settings.json",
        "weights.safetensors",
    ]


def test_classes_are_learned_and_asked_for_by_name(tmp_path):
    model = DiffMTS(**QUICK).fit(waves(classes=["idle", "busy"]))
    made = model.sample(6, y="busy")
    assert made.y.tolist() == ["busy"] * 6
    with pytest.raises(
        ValueError, match="trained classes busy, idle; got 'bussy'. Did you mean 'busy'"
    ):
        model.sample(1, y="bussy")
    loaded = timeloom.methods.load(model.save(tmp_path / "run"))
    assert loaded.sample(2, y="idle").y.tolist() == ["idle", "idle"]
    assert set(loaded.sample(40).y) == {"idle", "busy"}


def test_unlabelled_windows_are_generated_without_labels():
    plain = waves()
    model = DiffMTS(**QUICK).fit(plain.x)
    assert model.sample(3).y is None
    with pytest.raises(ValueError, match="trained without labels"):
        model.sample(3, y=1.0)


def test_a_value_outside_what_was_trained_is_refused_or_extrapolated(fitted):
    with pytest.raises(ValueError, match="trained range .* got 140"):
        fitted.sample(2, y=140)
    assert (fitted.sample(2, y=140, extrapolate=True).y == 140).all()


def test_imputing_keeps_what_was_measured_and_leaves_no_gap(fitted):
    windows = waves(count=6)
    x = windows.x.copy()
    x[:, 5:9, 0] = np.nan
    filled = fitted.impute(dataclasses.replace(windows, x=x), steps=4)
    measured = ~np.isnan(x)
    np.testing.assert_array_equal(filled.x[measured], x[measured])
    assert np.isfinite(filled.x).all()


def test_windows_with_gaps_are_trained_on():
    windows = waves()
    x = windows.x.copy()
    x[np.random.default_rng(0).random(x.shape) < 0.3] = np.nan
    model = DiffMTS(**QUICK).fit(dataclasses.replace(windows, x=x))
    assert np.isfinite(model.sample(4).x).all()


@pytest.mark.parametrize("mmd", ["none", "fixed", "adaptive"])
def test_missing_points_are_left_out_of_the_loss(mmd):
    model = DiffMTS(**QUICK, mmd=mmd).fit(waves())
    x, measured, told = model._tensors(waves())
    measured[:, :, 5:] = 0
    pairs = []
    inner = model.model_.denoiser.pair

    def pair(*args):
        pairs.append(inner(*args))
        for part in pairs[-1][:3]:
            if part.requires_grad:
                part.retain_grad()
        return pairs[-1]

    model.model_.denoiser.pair = pair
    model.model_.train()
    model.loss(model.model_, x, measured, told, rng=StepDraws(0, 0)).backward()
    for part in (pairs[0].output, pairs[0].estimate):
        if part.grad is not None:
            reached = part.grad.abs().sum((0, 1))
            assert (reached[:5] > 0).all() and (reached[5:] == 0).all()


def test_a_constant_channel_is_refused_or_comes_back_as_it_was():
    windows = waves()
    x = np.concatenate([windows.x, np.full((80, 16, 1), 518.67)], axis=2)
    windows = Windows(x, windows.y, windows.series, windows.start)
    with pytest.raises(ValueError, match="'c2' is always 518.67"):
        DiffMTS(**QUICK).fit(windows)
    made = DiffMTS(**QUICK, keep_constant=True).fit(windows).sample(3)
    np.testing.assert_allclose(made.x[..., 2], 518.67, rtol=1e-6)


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_missing_labels_are_refused(bad):
    windows = waves()
    windows.y[[3, 7]] = bad
    with pytest.raises(ValueError, match="'load' is missing for 2 of 80 windows .* window 3"):
        DiffMTS(**QUICK).fit(windows)


def test_a_network_of_ones_own_takes_the_place_of_ours(tmp_path):
    class Own(nn.Module):
        def __init__(self):
            super().__init__()
            self.mix = nn.Conv1d(2, 2, 3, padding=1)

        def forward(self, x, t, cond):
            return self.mix(x)

    model = DiffMTS(**QUICK, net=Own()).fit(waves())
    folder = model.save(tmp_path / "run")
    with pytest.raises(ValueError, match="load it with net=… again"):
        DiffMTS.load(folder)
    made = DiffMTS.load(folder, net=Own()).sample(2, y=5.0)
    np.testing.assert_array_equal(made.x, model.sample(2, y=5.0).x)


CHANGES = dict(
    schedule="cosine", target="clean", width=16, multipliers="1,2", trend=False, trend_window=5,
    trend_parts="peak", mmd="none", mmd_weight=0.4, mmd_on="output", mmd_gate=0.3,
    mmd_condition=False, mmd_bandwidth=0.5, condition="none", drop=0.6, guidance=1.0,
    scale="minmax", sample_step="ddim", sample_steps=5, held_out=0.4, train_steps=9,
    windows_seen=100, batch=24, lr=1e-3, weight_decay=0.5, warmup=0.4, clip=0.01, average=0.5,
    seed=1,level_rho=7.0, level_high=5.0, level_mean=0.0, level_spread=0.5,
)  # fmt: skip
BETAS = dict(diffusion_steps=100, beta_first=1e-3, beta_last=0.01)
# Each has a test of its own, here or in tests/train; device and precision change no figure here.
APART = {"net", "keep_constant", "minutes", "validations", "precision", "device"}


def test_every_setting_is_tried():
    assert set(CHANGES) | set(BETAS) | APART == {f.name for f in dataclasses.fields(DiffMTS)}


@pytest.fixture(scope="module")
def before():
    base = dict(**QUICK, guidance=0.2, mmd="adaptive")
    return {
        schedule: DiffMTS(**base, schedule=schedule).fit(waves()).sample(4, seed=1).x
        for schedule in ("karras", "linear")
    }


@pytest.mark.parametrize("name", [*CHANGES, *BETAS])
def test_every_setting_changes_the_result(name, before):
    """Dead options are how the released code lost its own contributions."""
    change = {name: {**CHANGES, **BETAS}[name]}
    schedule = change.get("schedule", "linear" if name in BETAS else "karras")
    model = DiffMTS(**{**QUICK, "guidance": 0.2, "mmd": "adaptive", "schedule": schedule, **change})
    after = model.fit(waves()).sample(4, seed=1).x
    assert not np.array_equal(after, before["linear" if name in BETAS else "karras"])


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        (dict(schedule="sine"), "schedule must be"),
        (dict(mmd="some"), "mmd must be"),
        (dict(mmd_on="x"), "mmd_on must be"),
        (dict(target="score"), "target must be"),
        (dict(scale="log"), "scale must be"),
        (dict(condition="text"), "condition must be"),
        (dict(held_out=1.0), "held_out must be"),
        (dict(device="abacus"), "device must be"),
        (dict(train_steps=0), "train_steps must be at least 1; got 0"),
        (dict(minutes=-1.0), "minutes must be above 0; got -1"),
        (dict(batch=0), "batch must be at least 2; got 0"),
        (dict(warmup=1.0), "warmup must be a share below 1"),
        (dict(precision="half"), "precision must be"),
        (dict(drop=1.5), "drop must be at least 0 and below 1; got 1.5"),
        (dict(level_spread=-1.0), "level_spread must be above 0; got -1"),
        (dict(multipliers="1,a"), "multipliers must be whole numbers"),
    ],
)
def test_a_setting_that_cannot_be_is_refused(settings, sentence):
    with pytest.raises(ValueError, match=sentence):
        DiffMTS(**{**QUICK, **settings}).fit(waves()).sample(1)


def test_sampling_before_fitting_is_refused():
    with pytest.raises(ValueError, match="not fitted yet; call fit first"):
        DiffMTS().sample(3)


def test_the_constructor_does_nothing_but_store():
    assert set(vars(DiffMTS())) == {f.name for f in dataclasses.fields(DiffMTS)}


def test_the_training_data_are_not_changed():
    windows = waves()
    copy = windows.x.copy()
    DiffMTS(**QUICK).fit(windows)
    np.testing.assert_array_equal(windows.x, copy)


@pytest.mark.slow
def test_the_value_asked_for_steers_the_windows():
    model = DiffMTS(width=16, train_steps=800, batch=64).fit(waves(400))
    low, high = (model.sample(200, y=y).x[..., 0].mean() for y in (10.0, 90.0))
    assert abs((high - low) - 80 / 50) < 0.4
