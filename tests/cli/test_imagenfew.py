"""``timeloom fit imagenfew``, ``adapt``, and ``sample``, ``impute`` and ``extend`` of its runs."""

import json
import signal

import numpy as np
import pandas as pd
import pytest
from recordings import engines

import timeloom
from timeloom.cli import main

TINY = ["--set", "width=8", "--set", "token_width=8", "--set", "batch=16", "--device", "cpu"]
CHANNELS = ["heat", "press", "speed"]


def waves(count=5, cycles=40, seed=1):
    """A long table of ``count`` hours-stamped recordings of two channels."""
    rng, parts = np.random.default_rng(seed), []
    for i in range(count):
        t = np.arange(cycles) + rng.uniform(0, 9)
        hour = pd.date_range("2024-01-01", periods=cycles, freq="h")
        part = pd.DataFrame({"series": f"w{i}", "time": hour, "tide": np.sin(t / 3)})
        part["wind"] = 3 * np.cos(t / 2) + 0.1 * rng.standard_normal(cycles)
        parts.append(part)
    return pd.concat(parts, ignore_index=True)


def call(*arguments):
    assert main([str(argument) for argument in arguments]) == 0


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """Files, a run that knows ``engines`` at two lengths and ``waves``, and one adapted to new."""
    folder = tmp_path_factory.mktemp("imagenfew")
    engines().drop(columns="rul").to_csv(folder / "engines.csv", index=False)
    waves().to_csv(folder / "waves.csv", index=False)
    engines(seed=5).drop(columns="rul").to_csv(folder / "pumps.csv", index=False)
    data = [folder / "engines.csv", folder / "waves.csv"]
    how = ["--window", 8, "--window", 16, "--steps", 6, "--set", "sample_steps=3", *TINY]
    call("fit", "imagenfew", *data, "-o", folder / "base", *how)
    few = ["--window", 8, "--windows", 10, "--steps", 4, "--device", "cpu"]
    call("adapt", folder / "base", folder / "pumps.csv", "-o", folder / "run", *few)
    return folder


@pytest.fixture
def adapt(command, place, tmp_path):
    """Adapts the run to pumps; gives the outcome and the new run's folder."""

    def run(*more, data="pumps.csv", out="new"):
        few = [place / "base", place / data, "-o", tmp_path / out, "--window", 8, "--device", "cpu"]
        budget = [] if "--minutes" in more else ["--steps", 3]
        outcome = command("adapt", *few, *budget, *more)
        assert outcome.status == 0, outcome.err
        return outcome, tmp_path / out

    return run


@pytest.fixture
def sample(command, place, tmp_path):
    def run(*more, run="run"):
        outcome = command("sample", place / run, "-o", tmp_path / "out.npz", *more)
        assert outcome.status == 0, outcome.err
        return timeloom.read_windows(tmp_path / "out.npz")

    return run


def test_every_data_is_a_set_of_its_name_at_every_length(command, place, tmp_path):
    data = [place / "engines.csv", place / "waves.csv"]
    how = ["--window", 16, "--window", 8, "--window", 34, "--stride", 2, "--steps", 2, *TINY]
    outcome = command("fit", "imagenfew", *data, "-o", tmp_path / "run", *how)
    assert outcome.status == 0, outcome.err
    said = outcome.err.splitlines()
    counts = "72 windows of 8 and 48 windows of 16 time points x 3 channels"
    assert f"{data[0]}: {counts}" in said
    assert f"{data[0]}: no series has 34 time points; there are no windows of this length" in said
    assert any(line.startswith(f"{data[1]}: 85 windows of 8 and ") for line in said)
    assert sum("guessed" in line for line in said) == 2  # every file is read once
    run = timeloom.load(tmp_path / "run")
    assert run.sets_ == ("engines", "waves")
    assert [run.domains_[name].lengths for name in run.sets_] == [(8, 16), (8, 16, 34)]


def test_labels_are_not_learned_and_that_is_said(command, adapt, tmp_path):
    file = tmp_path / "labelled.csv"
    engines(seed=7).to_csv(file, index=False)
    how = ["-o", tmp_path / "fit", "--window", 8, "--steps", 1, *TINY]
    outcomes = [command("fit", "imagenfew", file, *how), adapt(data=file)[0]]
    for outcome in outcomes:
        assert outcome.status == 0 and "label 'rul' is not learned" in outcome.err


def test_a_run_that_was_stopped_says_how_to_go_on(command, place, tmp_path, monkeypatch):
    from timeloom.cli import training

    def pressed(reports, follow=training.follow):
        """Ctrl-C after the second step."""
        return follow(report for report in reports if report.step != 2 or press())

    def press():
        signal.raise_signal(signal.SIGINT)
        return True

    fit = ["fit", "imagenfew", place / "waves.csv", "-o", tmp_path / "fit", "--window", 8, *TINY]
    adapted = ["adapt", place / "base", place / "pumps.csv", "-o", tmp_path / "new", "--window", 8]
    for line in (fit, [*adapted, "--windows", 9, "--seed", 3, "--device", "cpu"]):
        line = [str(word) for word in [*line, "--steps", 4]]
        with monkeypatch.context() as patch:
            patch.setattr(training, "follow", pressed)
            outcome = command(*line)
        assert outcome.status == 130
        assert (
            outcome.err.splitlines()[-1]
            == ("stopped; what was learned is saved. Go on with: timeloom " + " ".join(line))
            + " --resume"
        )
        assert "--resume" in command(*line).err
        assert command(*line, "--resume").status == 0
        assert "has ended, so there is nothing to resume" in command(*line, "--resume").err
    unbroken = [word.replace("new", "unbroken") for word in line]
    assert command(*unbroken).status == 0
    made = [timeloom.load(tmp_path / name).sample(2).x for name in ("new", "unbroken")]
    np.testing.assert_array_equal(*made)


def test_adapting_adds_a_set_named_after_the_data_and_leaves_the_run_as_it_was(place, adapt):
    weights = place / "base" / "weights.safetensors"
    before = weights.read_bytes()
    outcome, run = adapt()
    assert timeloom.load(run).sets_ == ("engines", "waves", "pumps")
    assert weights.read_bytes() == before
    assert "138 windows of 8 time points x 3 channels" in outcome.err
    assert "trained 3 steps in " in outcome.out and f"the run is in {run}" in outcome.out


def test_windows_taken_at_random_are_decided_by_the_seed(adapt):
    outcome, one = adapt("--windows", 10, out="one")
    assert "10 windows of 8 time points x 3 channels" in outcome.err
    same, other = (
        adapt("--windows", 10, out="b")[1],
        adapt("--windows", 10, "--seed", 1, out="c")[1],
    )
    data = [
        json.loads((run / "settings.json").read_text())["fit"]["data"] for run in (one, same, other)
    ]
    assert data[0] == data[1] != data[2]


@pytest.mark.parametrize(
    "more, name, value",
    [
        (["--seed", 4], "seed", 4),
        (["--set", "lr=0.01"], "lr", 0.01),
        (["--minutes", 0.002], "minutes", 0.002),
        ([], "train_steps", 3),
    ],
    ids=["seed", "set", "minutes", "steps"],
)
def test_settings_of_training_are_kept(adapt, more, name, value):
    _, run = adapt(*more)
    assert json.loads((run / "settings.json").read_text())["settings"][name] == value


@pytest.mark.parametrize("how", ["full", "token", "low_rank"])
def test_how_says_what_is_trained(place, adapt, how):
    _, run = adapt("--how", how, "--name", "mine", "--stride", 3)
    base, new = timeloom.load(place / "base"), timeloom.load(run)
    assert new.sets_[-1] == "mine"
    arrays, fresh = (model.model_.state_dict() for model in (base, new))
    moved = {name for name in arrays if fresh[name].shape == arrays[name].shape}
    moved = {name for name in moved if not np.array_equal(fresh[name], arrays[name])}
    assert bool(moved) == (how != "token")


@pytest.mark.filterwarnings("default")
def test_data_that_were_trained_on_are_said_in_one_line(adapt):
    outcome, _ = adapt("--name", "again", data="engines.csv")
    lines = [line for line in outcome.err.splitlines() if line.startswith("timeloom: ")]
    assert len(lines) == 1 and "warning: these windows are from 'engines'" in lines[0]


def test_windows_of_any_set_and_length_are_drawn(sample):
    last = sample("-n", 3)
    assert last.x.shape == (3, 8, 3) and last.channels == tuple(CHANNELS)
    assert np.array_equal(sample("-n", 3, "--name", "pumps").x, last.x)
    assert not np.array_equal(sample("-n", 3, "--seed", 1).x, last.x)
    waves = sample("-n", 2, "--name", "waves")
    assert waves.x.shape == (2, 16, 2) and waves.channels == ("tide", "wind")
    assert sample("-n", 2, "--name", "waves", "--length", 8).x.shape == (2, 8, 2)
    assert sample("-n", 2, "--length", 21).x.shape == (2, 21, 3)


@pytest.mark.parametrize("more", [["--steps", 5], ["--step", "heun"]], ids=lambda more: more[0])
def test_every_option_of_the_sampler_changes_the_result(sample, more):
    assert not np.array_equal(sample("-n", 3).x, sample("-n", 3, *more).x)


def test_holes_are_filled_by_the_set_that_is_named(command, place, tmp_path):
    table = pd.read_csv(place / "engines.csv")
    holed = table.copy()
    holed.loc[10:14, "heat"] = np.nan
    holed.to_csv(tmp_path / "holes.csv", index=False)
    made = []
    for name in ("engines", "pumps"):
        how = ["-o", tmp_path / "out.csv", "--name", name]
        outcome = command("impute", place / "run", tmp_path / "holes.csv", *how)
        assert outcome.status == 0, outcome.err
        # 30 time points: two windows of 16, or four of 8, each
        assert f"5 missing values in {12 if name == 'engines' else 24} windows" in outcome.err
        filled = pd.read_csv(tmp_path / "out.csv", float_precision="round_trip")
        assert list(filled.columns) == ["unit", "cycle", *CHANNELS]
        measured = holed[CHANNELS].notna()
        np.testing.assert_allclose(
            filled[CHANNELS][measured], holed[CHANNELS][measured], rtol=1e-12
        )
        made.append(filled.loc[10:14, "heat"].to_numpy())
    assert np.isfinite(made).all() and not np.array_equal(*made)


@pytest.fixture
def extend(command, place, tmp_path):
    def run(data, *more, out="out.parquet"):
        how = ["-o", tmp_path / out, "--device", "cpu"]
        outcome = command("extend", place / "run", data, *how, *more)
        assert outcome.status == 0, outcome.err
        return tmp_path / out, outcome

    return run


def test_recordings_go_on_under_their_own_names_and_times(extend, place):
    out, outcome = extend(place / "waves.csv", "--length", 47, "--name", "waves")
    assert f"5 recordings go on to 47 time points; the result is in {out}" in outcome.out
    table, given = pd.read_parquet(out), waves()
    assert list(table.columns) == ["series", "time", "tide", "wind"]
    assert table["series"].tolist() == np.repeat([f"w{i}" for i in range(5)], 47).tolist()
    for name, part in table.groupby("series"):
        old = given[given["series"] == name]
        np.testing.assert_allclose(part[["tide", "wind"]][:40], old[["tide", "wind"]], rtol=1e-12)
        assert part["time"].tolist() == list(pd.date_range("2024-01-01", periods=47, freq="h"))
    assert np.isfinite(table[["tide", "wind"]]).all().all()
    model = timeloom.load(place / "run")
    windows = timeloom.cut(timeloom.read(place / "waves.csv"), 40)
    wanted = model.extend(windows, 47, name="waves").x[:, 40:]
    found = table[["tide", "wind"]].to_numpy().reshape(5, 47, 2)[:, 40:]
    np.testing.assert_allclose(found, wanted, rtol=1e-5, atol=1e-6)


def test_recordings_of_different_lengths_all_come_to_the_length(extend, place, tmp_path):
    table = pd.read_csv(place / "pumps.csv")
    table = table[(table["unit"] != 2) | (table["cycle"] <= 20)]
    table["state"] = np.where(table["unit"] == 3, "worn", "good")
    table.to_csv(tmp_path / "mixed.csv", index=False)
    out, _ = extend(tmp_path / "mixed.csv", "--length", 33, "--label", "state", out="out.csv")
    found = pd.read_csv(out)
    assert found["cycle"].tolist() == list(range(1, 34)) * 6
    assert set(found["state"][found["unit"] == 3]) == {"worn"}
    assert (found["state"] == "worn").sum() == 33
    old = table[table["unit"] == 2][CHANNELS]
    np.testing.assert_allclose(found[found["unit"] == 2][CHANNELS][:20], old, rtol=1e-12)
    assert np.isfinite(found[CHANNELS]).all().all()


def test_labels_that_change_are_left_out_of_the_future_and_that_is_said(extend, tmp_path):
    engines().to_csv(tmp_path / "worn.csv", index=False)
    out, outcome = extend(tmp_path / "worn.csv", "--length", 31)
    assert "labels change within a recording" in outcome.err
    assert list(pd.read_parquet(out).columns) == ["unit", "cycle", *CHANNELS]


def test_windows_go_on_as_windows(extend, sample, tmp_path):
    timeloom.write(tmp_path / "windows.parquet", sample("-n", 4))
    for out in ("out.parquet", "out.npz"):
        made, _ = extend(tmp_path / "windows.parquet", "--length", 19, "--seed", 2, out=out)
        assert timeloom.read_windows(made).x.shape == (4, 19, 3)


def test_pretrained_is_a_run_like_any_other(command, place, adapt, tmp_path, monkeypatch):
    monkeypatch.setattr("timeloom.methods.pretrained.FEWSHOT", place / "base")
    monkeypatch.chdir(tmp_path)
    call("sample", "pretrained", "-n", 3, "--name", "waves", "-o", "out.npz")
    own = timeloom.load(place / "base").sample(3, name="waves")
    np.testing.assert_array_equal(timeloom.read_windows("out.npz").x, own.x)
    few = ["--window", 8, "--steps", 2, "--device", "cpu"]
    call("adapt", "pretrained", place / "pumps.csv", "-o", "pretrained", *few)
    outcome = command("sample", "pretrained", "-n", 3, "--name", "pumps", "-o", "out.npz")
    assert outcome.status == 0 and "using the folder of this name here" in outcome.err


def test_an_installation_without_weights_says_so(refused, tmp_path, monkeypatch):
    monkeypatch.setattr("timeloom.methods.pretrained.FEWSHOT", tmp_path / "none")
    sentence = refused("sample", "pretrained", "-n", 3, "-o", tmp_path / "out.npz")
    assert "lacks the weights that pretrained names" in sentence


FIT = ["fit", "imagenfew", "{engines}", "-o", "{new}", "--window", 8, *TINY]
LONG = ["fit", "imagenfew", "{engines}", "-o", "{new}"]
ADAPT = ["adapt", "{base}", "{pumps}", "-o", "{new}", "--window", 8, "--steps", 2]
SAMPLE = ["sample", "{run}", "-n", 3, "-o", "{csv}"]
REFUSED = {
    "{engines} and {other} are both called 'engines'": [*FIT, "{other}"],
    "so one DATA is expected; got {engines}, {waves}. Give one, or fit imagenfew": (
        ["fit", "diffmts", "{engines}", "{waves}", "-o", "{new}", "--window", 8]
    ),
    "so one --window is expected; got 8, 16": (
        ["fit", "diffmts", "{engines}", "-o", "{new}", "--window", 8, "--window", 16]
    ),
    "fewer than length 41": [*LONG, "--window", 41],
    "fewer than length 50": [*LONG, "--window", 51, "--window", 50],
    "say how long a window is": ["fit", "imagenfew", "{mixed}", "-o", "{new}"],
    "lr must be above 0; got -1.0": [*FIT, "--set", "lr=-1"],
    "network must be one of series, image; got 'tree'": [*FIT, "--set", "network=tree"],
    "holds windows of one length; got [8, 16]": (
        [*FIT, "--window", 16, "--set", "network=image"]
    ),
    "imagenfew has no setting 'widht'": [*FIT, "--set", "widht=3"],
    "--generator belongs to fit tardiff; imagenfew takes none": [*FIT, "--generator", "{base}"],
    "adapt teaches a generator of many sets a new one, which imagenfew is; {plain} is a run of "
    "diffmts": ["adapt", "{plain}", "{pumps}", "-o", "{new}", "--window", 8],
    "the run folder {new} does not exist": ["adapt", "{new}", "{pumps}", "-o", "{new}"],
    "--how must be one of auto, full, low_rank, token; got 'half'": [*ADAPT, "--how", "half"],
    "adapting needs at least 4 windows, better 10; got 3": [*ADAPT, "--windows", 3],
    "--windows must be at most the 138 windows that {pumps} gives; got 139": (
        [*ADAPT, "--windows", 139]
    ),
    "windows must vary; every value of every one is the same": (
        ["adapt", "{base}", "{still}", "-o", "{new}", "--window", 8]
    ),
    "this generator knows 'waves' already. Choose another name": [*ADAPT, "--name", "waves"],
    "adapting can change average, batch": [*ADAPT, "--set", "width=16"],
    "batch must be at least 2; got 0": [*ADAPT, "--set", "batch=0"],
    "imagenfew has no setting 'lrr'; did you mean 'lr'?": [*ADAPT, "--set", "lrr=1"],
    "--steps and --minutes are two budgets": [*ADAPT, "--minutes", 1],
    "{base} exists already; go on with it by --resume": (
        ["adapt", "{base}", "{pumps}", "-o", "{base}", "--window", 8]
    ),
    "--y is about labels; {run} is a run of imagenfew, which knows sets instead: choose one by "
    "--name (engines, waves, pumps)": [*SAMPLE, "--y", 3],
    "--per-class is about labels": ["sample", "{run}", "--per-class", 3, "-o", "{csv}"],
    "--like is about labels": [*SAMPLE, "--like", "{waves}"],
    "--guidance is about labels": [*SAMPLE, "--guidance", 1],
    "--extrapolate is about labels": [*SAMPLE, "--extrapolate"],
    "--scale steers runs of tardiff": [*SAMPLE, "--scale", 1],
    "name must be one of the 3 sets trained on (engines, waves, pumps); got 'wave'": (
        [*SAMPLE, "--name", "wave"]
    ),
    "--name is for runs of imagenfew, which know several sets; {plain} is one of diffmts": (
        ["sample", "{plain}", "-n", 3, "-o", "{csv}", "--name", "waves"]
    ),
    "--length is for runs of imagenfew": (
        ["sample", "{plain}", "-n", 3, "-o", "{csv}", "--length", 9]
    ),
    "--name is for runs of imagenfew, which know several": (
        ["impute", "{plain}", "{pumps}", "-o", "{csv}", "--name", "waves"]
    ),
    "windows must have the set's 2 channels; got 3": (
        ["impute", "{run}", "{pumps}", "-o", "{csv}", "--name", "waves"]
    ),
    "extend goes on with recordings by a run of imagenfew; {plain} is one of diffmts": (
        ["extend", "{plain}", "{pumps}", "-o", "{csv}", "--length", 40]
    ),
    "--length must be at least that of every recording; '1' has 30 time points, --length is 29": (
        ["extend", "{run}", "{pumps}", "-o", "{csv}", "--length", 29]
    ),
    "must have at least 4 time points, half a window of the set; got 3": (
        ["extend", "{run}", "{short}", "-o", "{csv}", "--length", 9]
    ),
}  # fmt: skip


@pytest.fixture(scope="module")
def names(place, tmp_path_factory):
    """Paths by the names that wrong command lines use."""
    (place / "other").mkdir()
    table = pd.read_csv(place / "pumps.csv")
    made = {"other": "other/engines.csv", "still": "still.csv", "short": "short.csv"}
    made["mixed"] = "mixed.csv"
    table.drop(index=0).to_csv(place / made["mixed"], index=False)
    table.to_csv(place / made["other"], index=False)
    table.assign(heat=1.0, press=1.0, speed=1.0).to_csv(place / made["still"], index=False)
    table[table["cycle"] <= 3].to_csv(place / made["short"], index=False)
    how = ["--window", 8, "--steps", 2, "--set", "width=8", "--device", "cpu"]
    call("fit", "diffmts", place / "pumps.csv", "-o", place / "plain", *how)
    found = {name: place / path for name, path in made.items()}
    found |= {name: place / f"{name}.csv" for name in ("engines", "waves", "pumps")}
    found |= {name: place / name for name in ("base", "run", "plain", "new")}
    return found | {"csv": place / "out.csv"}


@pytest.mark.parametrize("sentence", REFUSED)
def test_what_is_wrong_is_said_in_one_sentence(refused, names, sentence):
    said = refused(*[str(word).format(**names) for word in REFUSED[sentence]])
    assert sentence.format(**names) in said
    assert not names["csv"].exists() and not names["new"].exists()
