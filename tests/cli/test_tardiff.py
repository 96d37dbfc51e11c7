"""``timeloom fit tardiff``, ``sample`` of its runs, and ``timeloom influence``."""

import json

import numpy as np
import pandas as pd
import pytest
from recordings import SMALL

import timeloom
from timeloom.cli import main
from timeloom.cli.influence import doubted

LENGTH = 8


def machines(count=24, seed=0):
    """A long table of units that run calm or, more rarely, rough: easily told apart."""
    rng, parts = np.random.default_rng(seed), []
    for unit in range(count):
        rough = unit % 3 == 1
        t = np.arange(24) + rng.uniform(0, 6)
        heat, press = (1.6 if rough else 0.4) * np.sin(t), 30.0 * rough + 10 * np.cos(t)
        values = np.stack([heat, press], axis=1) + [0.1, 1] * rng.standard_normal((24, 2))
        part = pd.DataFrame(values, columns=["heat", "press"])
        part.insert(0, "unit", f"unit {unit}")
        part.insert(1, "cycle", np.arange(24))
        part["state"] = "rough" if rough else "calm"
        parts.append(part)
    return pd.concat(parts, ignore_index=True)


def call(*arguments):
    assert main([str(argument) for argument in arguments]) == 0


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """Data, a trained generator and a run of tardiff."""
    folder = tmp_path_factory.mktemp("tardiff")
    machines().to_csv(folder / "train.csv", index=False)
    machines(9, seed=1).to_csv(folder / "test.csv", index=False)
    data = ["--label", "state", "--stride", 4]
    budget = ["--window", LENGTH, "--steps", 120, "--set", "batch=32", "--set", "lr=0.008"]
    call("fit", "diffmts", folder / "train.csv", "-o", folder / "base", *data, *SMALL, *budget)
    base = ["--generator", folder / "base", "--steps", 20, "--set", "scale=0.2"]
    kind = ["--set", "classifier=gru", "--test", folder / "test.csv"]
    call("fit", "tardiff", folder / "train.csv", "-o", folder / "run", *data, *base, *kind)
    return folder


@pytest.fixture
def sample(command, place, tmp_path):
    """Samples from the run and reads the windows."""

    def run(*more):
        outcome = command("sample", place / "run", "-o", tmp_path / "out.npz", *more)
        assert outcome.status == 0, outcome.err
        return timeloom.read_windows(tmp_path / "out.npz")

    return run


def test_a_run_holds_the_generator_too_and_takes_its_window(place):
    names = {path.name for path in (place / "run").iterdir()}
    assert names == {"settings.json", "weights.safetensors", "generator"}
    run = timeloom.load(place / "run")
    assert run.shape_ == (LENGTH, 2) and run.classes_ == ("calm", "rough")
    settings = json.loads((place / "run" / "settings.json").read_text())["settings"]
    assert (settings["scale"], settings["classifier"], settings["train_steps"]) == (0.2, "gru", 20)


def test_progress_and_what_the_strength_is_are_shown(command, place, tmp_path):
    how = ["--label", "state", "--stride", 8, "--generator", place / "base", "--steps", 3]
    more = ["--set", "scale=auto", "--set", "classifier=gru", "--device", "cpu", "--seed", 2]
    outcome = command("fit", "tardiff", place / "train.csv", "-o", tmp_path / "run", *how, *more)
    assert outcome.status == 0, outcome.err
    assert "fit 100 %" in outcome.out and "AUROC on guidance windows is " in outcome.out
    assert "is taken" in outcome.out and f"the run is in {tmp_path / 'run'}" in outcome.out
    run = timeloom.load(tmp_path / "run")
    assert run.scales_ and run.scale == "auto" and run.seed == 2


def test_every_class_that_is_asked_for_is_drawn(sample, place):
    """A classifier of real windows finds the asked class in unguided and in guided samples."""
    run = timeloom.load(place / "run")
    for more in (["--scale", 0], [], ["--steps", 5, "--guidance", 1.0]):
        made = sample("--per-class", 60, *more)
        said = np.array(run.classes_)[run.predict_proba(made).argmax(axis=1)]
        right = (said == made.y).reshape(2, 60).mean(axis=1)
        assert right.min() > 0.9 and made.y.tolist() == ["calm"] * 60 + ["rough"] * 60


def test_scale_0_is_the_generator(sample, command, place, tmp_path):
    base = tmp_path / "base.npz"
    assert command("sample", place / "base", "-n", 6, "--y", "rough", "-o", base).status == 0
    found = sample("-n", 6, "--y", "rough", "--scale", 0)
    np.testing.assert_array_equal(found.x, timeloom.read_windows(base).x)
    assert not np.array_equal(sample("-n", 6, "--y", "rough").x, found.x)


@pytest.mark.parametrize(
    "more",
    [["--steps", 3], ["--step", "heun"], ["--guidance", 2.0], ["--scale", 0.4], ["--seed", 3]],
    ids=lambda more: more[0],
)
def test_every_option_of_the_sampler_changes_the_result(sample, more):
    plain = sample("-n", 4, "--y", "rough", "--device", "cpu")
    assert not np.array_equal(sample("-n", 4, "--y", "rough", *more).x, plain.x)


def test_labels_may_be_those_of_data(sample, place):
    made = sample("--like", place / "test.csv", "--label", "state", "--stride", 8, "-n", 12)
    assert len(made) == 12 and set(made.y) <= {"calm", "rough"}


@pytest.mark.filterwarnings("default")
def test_too_strong_a_scale_is_warned_of_in_one_line(command, place, tmp_path):
    out = tmp_path / "out.csv"
    outcome = command("sample", place / "run", "-n", 60, "--y", "calm", "--scale", 9, "-o", out)
    lines = outcome.err.splitlines()
    assert outcome.status == 0 and out.exists() and len(lines) == 1
    assert lines[0].startswith("timeloom: warning: ") and "scale=9 is too strong" in lines[0]
    assert "% of the guided values lie beyond the range" in lines[0]


def test_a_run_that_was_begun_goes_on(command, place, tmp_path, monkeypatch):
    from timeloom.methods.tardiff import TarDiff

    how = ["fit", "tardiff", place / "train.csv", "-o", tmp_path / "run", "--label", "state"]
    how += ["--stride", 8, "--generator", place / "base", "--steps", 2, "--set", "scale=0.1"]

    def stopped(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(TarDiff, "_learn_gradients", stopped)
        outcome = command(*how)
    assert outcome.status == 130 and "--resume" in outcome.err
    assert [path.name for path in (tmp_path / "run").iterdir()] == ["settings.json"]
    assert "half written" in command("sample", tmp_path / "run", "-n", 1, "-o", "a.csv").err
    assert "exists already" in command(*how).err
    assert command(*how, "--resume").status == 0
    assert timeloom.load(tmp_path / "run").scale_ == 0.1
    assert "a run that has ended" in command(*how, "--resume").err


NEW = ["--label", "state", "--stride", 4, "-o", "{new}"]
REFUSED = {
    "tardiff steers a fitted generator; name its run folder by --generator": (
        ["fit", "tardiff", "{train}", *NEW]
    ),
    "--generator belongs to fit tardiff; diffmts takes none": (
        ["fit", "diffmts", "{train}", *NEW, "--generator", "{base}"]
    ),
    "--test belongs to fit tardiff": ["fit", "diffmts", "{train}", *NEW, "--test", "{test}"],
    "--minutes is no budget of tardiff": (
        ["fit", "tardiff", "{train}", *NEW, "--generator", "{base}", "--minutes", 1]
    ),
    "the run folder {new} does not exist": (
        ["fit", "tardiff", "{train}", *NEW, "--generator", "{new}"]
    ),
    "--generator must be the run of a generator; {run} is one of tardiff": (
        ["fit", "tardiff", "{train}", *NEW, "--generator", "{run}"]
    ),
    "scale must be a finite number or 'auto'; got 'x'": (
        ["fit", "tardiff", "{train}", *NEW, "--generator", "{base}", "--set", "scale=x"]
    ),
    "pool and train_steps must be at least 1; got -2": (
        ["fit", "tardiff", "{train}", *NEW, "--generator", "{base}", "--set", "pool=-2"]
    ),
    "classifier must be resnet or gru": (
        ["fit", "tardiff", "{train}", *NEW, "--generator", "{base}", "--set", "classifier=tree"]
    ),
    "tardiff has no setting 'widht'": (
        ["fit", "tardiff", "{train}", *NEW, "--generator", "{base}", "--set", "widht=3"]
    ),
    "must be as the generator's, (time, channel) (8, 2); got (9, 2)": (
        ["fit", "tardiff", "{train}", *NEW, "--generator", "{base}", "--window", 9]
    ),
    "the generator's channels heat, press, in this order; got press, heat: order them, --channels "
    "heat,press": (
        ["fit", "tardiff", "{train}", *NEW, "--generator", "{base}", "--channels", "press,heat"]
    ),
    "the generator's channels heat, press, in this order; got warmth, press: rename them": (
        ["fit", "tardiff", "{warmth}", *NEW, "--generator", "{base}"]
    ),
    "guidance windows must not be among the test windows": (
        ["fit", "tardiff", "{train}", *NEW, "--generator", "{base}", "--test", "{train}"]
        + ["--set", "scale=0.1", "--steps", 2]
    ),
    "is neither a file nor the name of a data set": (
        ["fit", "tardiff", "{train}", *NEW, "--generator", "{base}", "--test", "nowhere.csv"]
    ),
    "training windows need a class each": (
        ["fit", "tardiff", "{bare}", "-o", "{new}", "--generator", "{base}"]
    ),
    "every class needs at least 5 training windows; class 'rough' has 0": (
        ["fit", "tardiff", "{calm}", *NEW, "--generator", "{base}"]
    ),
    "needs a generator of classes; this one was trained on windows without labels": (
        ["fit", "tardiff", "{train}", *NEW, "--generator", "{plain}"]
    ),
    "TarDiff needs the class of the windows to be drawn": (
        ["sample", "{run}", "-n", 3, "-o", "{csv}"]
    ),
    "trained classes calm, rough; got 'ruff'": (
        ["sample", "{run}", "-n", 3, "--y", "ruff", "-o", "{csv}"]
    ),
    "--scale steers runs of tardiff": (
        ["sample", "{base}", "-n", 3, "--scale", 1, "-o", "{csv}"]
    ),
    "scale must be a finite number; got nan": (
        ["sample", "{run}", "-n", 3, "--y", "calm", "--scale", "nan", "-o", "{csv}"]
    ),
    "{run} steers what is generated and fills nothing in": (
        ["impute", "{run}", "{train}", "-o", "{csv}"]
    ),
    "influence needs a run of tardiff": ["influence", "{base}", "{train}", "-o", "{csv}"],
    "-o must end in .parquet or .csv or .npz": ["influence", "{run}", "{train}", "-o", "{new}.md"],
    "{bare} has no labels to judge; name their column": (
        ["influence", "{run}", "{bare}", "-o", "{csv}"]
    ),
    "the label must be one of the trained classes calm, rough; got 'odd'": (
        ["influence", "{run}", "{odd}", "-o", "{csv}", "--label", "state"]
    ),
    "fewer than length 8": ["influence", "{run}", "{short}", "-o", "{csv}", "--label", "state"],
}  # fmt: skip


@pytest.fixture(scope="module")
def names(place):
    """Paths by the names that wrong command lines use."""
    table = machines(6)
    made = {
        "bare": table.drop(columns="state"),
        "calm": table[table["state"] == "calm"],
        "warmth": table.rename(columns={"heat": "warmth"}),
        "odd": table.assign(state="odd"),
        "short": table[table["cycle"] < 5],
    }
    for name, part in made.items():
        part.to_csv(place / f"{name}.csv", index=False)
    how = ["--window", LENGTH, "--steps", 2, *SMALL]
    call("fit", "diffmts", place / "bare.csv", "-o", place / "plain", *how)
    found = {name: place / f"{name}.csv" for name in (*made, "train", "test")}
    found |= {name: place / name for name in ("base", "run", "plain", "new")}
    return found | {"csv": place / "out.csv"}


@pytest.mark.parametrize("sentence", REFUSED)
def test_what_is_wrong_is_said_in_one_sentence(refused, names, sentence):
    said = refused(*[str(word).format(**names) for word in REFUSED[sentence]])
    assert sentence.format(**names) in said
    assert not names["csv"].exists() and not (names["new"] / "weights.safetensors").exists()
    if names["new"].exists():
        for path in names["new"].iterdir():
            path.unlink()
        names["new"].rmdir()


@pytest.fixture
def influence(command, place, tmp_path):
    """Judges windows; gives the table and what was shown."""

    def run(data, *more, out="out.parquet"):
        outcome = command("influence", place / "run", data, "-o", tmp_path / out, *more)
        assert outcome.status == 0, outcome.err
        if out.endswith(".npz"):
            with np.load(tmp_path / out) as arrays:
                return pd.DataFrame({name: arrays[name] for name in arrays}), outcome.out
        read = pd.read_csv if out.endswith(".csv") else pd.read_parquet
        return read(tmp_path / out), outcome.out

    return run


COLUMNS = "series start state influence gradient_norm loss suspicious said".split()
DATA = ["--label", "state", "--stride", 16]


def test_every_window_is_judged(influence, place):
    rows, shown = influence(place / "train.csv", *DATA)
    assert list(rows.columns) == COLUMNS and len(rows) == 24 * 2
    assert rows["series"].tolist() == np.repeat([f"unit {i}" for i in range(24)], 2).tolist()
    assert rows["start"].tolist() == [0, 16] * 24
    run = timeloom.load(place / "run")
    windows = timeloom.cut(timeloom.read(place / "train.csv", label="state"), LENGTH, 16)
    np.testing.assert_allclose(rows["influence"], run.influence(windows), rtol=1e-5, atol=1e-6)
    norms = run.gradient_norms(windows)
    np.testing.assert_allclose(rows["gradient_norm"], norms, rtol=1e-4)
    own = run.predict_proba(windows)[np.arange(48), (windows.y == "rough").astype(int)]
    np.testing.assert_allclose(rows["loss"], -np.log(own), rtol=1e-4)
    assert "influence 100 %  48 of 48 windows" in shown
    for label, count in (("calm", 32), ("rough", 16)):
        line = next(line for line in shown.splitlines() if line.startswith(label))
        helps = int(((rows["state"] == label) & (rows["influence"] > 0)).sum())
        assert line.split()[1:4] == [str(count), str(helps), str(count - helps)]


@pytest.mark.parametrize("out", ["out.csv", "out.npz"])
def test_every_kind_of_file_holds_the_same(influence, place, out):
    one, other = (influence(place / "train.csv", *DATA, out=name)[0] for name in ("o.parquet", out))
    pd.testing.assert_frame_equal(one, other, check_dtype=False, rtol=1e-5)


def test_mislabelled_windows_are_found(influence, place, tmp_path):
    table = machines()
    wrong = table["unit"].isin(["unit 3", "unit 4"])
    table.loc[wrong, "state"] = np.where(table.loc[wrong, "state"] == "calm", "rough", "calm")
    table.to_csv(tmp_path / "wrong.csv", index=False)
    rows, shown = influence(tmp_path / "wrong.csv", *DATA)
    found = rows["series"].isin(["unit 3", "unit 4"])
    assert rows["suspicious"][found].all() and not rows["suspicious"][~found].any()
    assert (rows["said"] != rows["state"])[found].all()
    assert "the 4 most suspicious of 4, worst first:" in shown and "unit 4" in shown
    plain = influence(place / "train.csv", *DATA)[1]
    assert "no window's label is contradicted by the classifier" in plain


def test_synthetic_windows_are_judged_too(influence, sample, place, tmp_path):
    made = sample("--per-class", 10)
    for name in ("made.npz", "made.parquet"):
        timeloom.write(tmp_path / name, made)
        rows, _ = influence(tmp_path / name)
        assert len(rows) == 20 and rows["state"].tolist() == made.y.tolist()
        assert rows["series"].tolist() == [str(i) for i in range(20)]
        wanted = timeloom.load(place / "run").influence(made)
        np.testing.assert_allclose(rows["influence"], wanted, rtol=1e-4, atol=1e-5)


def test_short_series_are_left_out_and_that_is_said(command, place, tmp_path):
    table = machines(4)
    table = table[(table["unit"] != "unit 0") | (table["cycle"] < 5)]
    table.to_csv(tmp_path / "mixed.csv", index=False)
    how = ["-o", tmp_path / "out.csv", "--label", "state", "--stride", 8]
    outcome = command("influence", place / "run", tmp_path / "mixed.csv", *how)
    assert "1 series shorter than 8 are left out" in outcome.err
    assert set(pd.read_csv(tmp_path / "out.csv")["series"]) == {"unit 1", "unit 2", "unit 3"}


def test_a_label_is_doubted_where_another_is_as_sure_as_it_usually_is():
    said = np.array([[0.9, 0.1], [0.7, 0.3], [0.25, 0.75], [0.45, 0.55], [0.2, 0.8], [0.3, 0.7]])
    told = np.array([0, 0, 0, 0, 1, 1])
    # Class 1 is usually said with (.8 + .7) / 2: .75 is as sure as that, .55 is not.
    assert doubted(said, told).tolist() == [False, False, True, False, False, False]
    assert not doubted(said[:1], np.array([1])).any()  # class 0 is borne by no window
