"""``timeloom compare``: a plan in, cells measured once, a table of ranks out."""

import tomllib
from pathlib import Path

import pytest
from recordings import engines

import timeloom
from timeloom.cli import main
from timeloom.evaluation import compare as cells
from timeloom.evaluation.plan import read_plan

PLAN = """
length = 8
stride = 4
seeds = [0, 1]
limit = 60
metrics = ["marginal_distance", "cross_correlation_error", "identical_share"]
[[sets]]
file = "engines.csv"
test = "held_out.csv"
label = "engines"
columns = { series = "unit", time = "cycle", label = "rul" }
[[methods]]
name = "diffmts"
steps = 6
settings = { width = 8, multipliers = "1,2", batch = 16, device = "cpu" }
[[methods]]
name = "copy machine"
"""
RIVALS = (
    '[[methods]]\nname = "gaussian"\n[[methods]]\nname = "jitter"\n[[methods]]\nname = "real"\n'
)


@pytest.fixture
def plan(tmp_path):
    engines(count=8, seed=0).to_csv(tmp_path / "engines.csv", index=False)
    engines(count=8, seed=1).to_csv(tmp_path / "held_out.csv", index=False)
    path = tmp_path / "plan.toml"
    path.write_text(PLAN)
    return path


def test_a_plan_becomes_a_table_and_its_second_run_only_the_table(command, plan, tmp_path):
    out = tmp_path / "out"
    first = command("compare", plan, "-o", out)
    assert first.status == 0, first.err
    assert "[1/4] engines / diffmts / seed 0" in first.out and "training, step 6" in first.out
    assert "4 cells, 0 of them measured before" in first.err
    for said in ("copy machine (reference)", "real (floor)", "overall", "The page is"):
        assert said in first.out
    assert "copy machine copies: its novelty fails" in first.out
    files = {path.name for path in out.iterdir()}
    assert files == {"cells", "ranks.md", "ranks.html", "ranks.jsonl", "records.jsonl"}
    before = (out / "ranks.md").read_text()
    second = command("compare", plan, "-o", out)
    assert second.status == 0 and "4 cells, 4 of them measured before" in second.err
    assert "[1/" not in second.out and (out / "ranks.md").read_text() == before


def test_shards_share_a_folder(command, plan, tmp_path):
    plan.write_text(PLAN.partition("[[methods]]")[0] + RIVALS)
    half = command("compare", plan, "-o", tmp_path / "out", "--shard", "1/2")
    assert half.status == 0 and "3 of 6 cells are not measured yet" in half.out
    rest = command("compare", plan, "-o", tmp_path / "out", "--shard", "2/2")
    assert rest.status == 0 and "not measured yet" not in rest.out
    assert command("compare", plan, "-o", tmp_path / "one").status == 0
    table = command("compare", plan, "-o", tmp_path / "out", "--table")
    assert table.status == 0 and "measured before" not in table.err
    assert (tmp_path / "out/ranks.md").read_text() == (tmp_path / "one/ranks.md").read_text()


def test_a_stopped_fit_goes_on_and_gives_what_an_unbroken_one_gives(command, plan, tmp_path):
    plan.write_text(PLAN.replace("[0, 1]", "[0]").replace("steps = 6", "steps = 30"))
    read = read_plan(plan)
    (fit, _) = cells.prepare(read, tmp_path / "out")
    stages = cells.attempt(read, fit, tmp_path / "out")
    while "step 12" not in next(stages).text:
        pass
    stages.close()
    for folder in ("out", "whole"):
        assert command("compare", plan, "-o", tmp_path / folder).status == 0
    assert (tmp_path / "out/ranks.md").read_text() == (tmp_path / "whole/ranks.md").read_text()


def test_windows_can_be_exported_for_a_generator_of_ones_own(command, plan, tmp_path):
    outcome = command("compare", plan, "-o", tmp_path / "out", "--export")
    assert outcome.status == 0 and "held_out.npz" in outcome.out
    train = timeloom.read_windows(tmp_path / "out/windows/engines-train.npz")
    assert train.shape == (8, 3) and train.y is not None
    timeloom.write(tmp_path / "mine-1.parquet", train)
    own = '[[methods]]\nwindows = "mine-{seed}.parquet"\nlabel = "mine"\n'
    plan.write_text(PLAN.partition("[[methods]]")[0].replace("[0, 1]", "[1]") + own)
    assert command("compare", plan, "-o", tmp_path / "out").status == 0
    assert "copies: its novelty fails" in (tmp_path / "out/ranks.md").read_text()


def test_failed_cells_are_listed_and_the_exit_status_is_one(command, plan, tmp_path, monkeypatch):
    def fail(cell, train, run):
        raise ValueError("this method has had enough.")
        yield

    monkeypatch.setattr(cells, "_fitted", fail)
    outcome = command("compare", plan, "-o", tmp_path / "out")
    assert outcome.status == 1
    for seed in (0, 1):
        said = f"failed: engines / diffmts / seed {seed}: this method has had enough."
        assert said in outcome.err
    assert "copy machine" in outcome.out
    kept = tmp_path / "out/cells/engines/diffmts/seed-0/error.txt"
    assert kept.read_text().startswith("this method has had enough.\n")


def test_ctrl_c_says_how_to_go_on(command, plan, tmp_path, monkeypatch):
    def stop(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(cells, "_fitted", stop)
    outcome = command("compare", plan, "-o", tmp_path / "out")
    assert outcome.status == 130 and "The same command goes on" in outcome.err


def test_wrong_command_lines_are_refused(refused, plan, tmp_path):
    out = tmp_path / "out"
    assert "--shard must be i/n" in refused("compare", plan, "-o", out, "--shard", "3/2")
    assert "there is no plan" in refused("compare", tmp_path / "no.toml", "-o", out)
    assert "must name a folder" in refused("compare", plan, "-o", plan)
    plan.write_text(PLAN.replace('label = "rul"', 'label = "rull"'))
    assert "rull" in refused("compare", plan, "-o", out)
    plan.write_text(PLAN.replace("length = 8", "length = 80"))
    assert "the longest: 30" in refused("compare", plan, "-o", out)
    assert not out.exists()


def test_the_help_and_the_example_are_right(capfd):
    assert main(["compare", "--help"]) == 0
    assert "--shard" in capfd.readouterr().out
    example = Path(__file__).parents[2] / "examples" / "compare.toml"
    plan = read_plan(example)
    assert len(plan.cells()) == 15
    assert cells.known_metrics() and set(tomllib.loads(example.read_text())["metrics"]) <= set(
        cells.known_metrics()
    )
