"""Plans, cells and ranks: what is refused, what is kept, who stands where."""

import json
import math

import numpy as np
import pytest

import timeloom as tl
from timeloom.evaluation import compare as cells
from timeloom.evaluation.compare import attempt, compare, gather, pending, prepare
from timeloom.evaluation.plan import read_plan
from timeloom.evaluation.rivals import RIVALS, copy_machine, gaussian, jitter, real_half
from timeloom.metrics.record import Record
from timeloom.report.ranks import markdown_page, page, rank, write_ranks

PLAN = """
length = 8
seeds = [0, 1]
limit = 40
metrics = ["marginal_distance", "identical_share"]
[[sets]]
file = "waves.npz"
[[methods]]
name = "copy machine"
[[methods]]
name = "jitter"
settings = { noise = 0.1 }
[[methods]]
windows = "made-{set}-{seed}.npz"
label = "mine"
"""


def waves(count, seed, labels=None):
    rng = np.random.default_rng(seed)
    t = np.arange(8) + rng.uniform(0, 6, (count, 1))
    return tl.Windows(np.stack([np.sin(t), np.cos(t)], axis=2), labels)


@pytest.fixture
def plan(tmp_path):
    tl.write(tmp_path / "waves.npz", waves(200, 0))
    for seed in (0, 1):
        tl.write(tmp_path / f"made-waves-{seed}.npz", waves(60, 10 + seed))

    def write(text=PLAN):
        (tmp_path / "plan.toml").write_text(text)
        return tmp_path / "plan.toml"

    return write


def finish(plan, folder, **how):
    for cell in prepare(plan, folder, **how):
        assert [*attempt(plan, cell, folder)][-1].state == "done"
    return gather(plan, folder)


def figures(records):
    return [(r.metric, r.method, r.seeds, r.value, r.floor, r.copy) for r in records]


WRONG = {
    "unknown key": ("limit = 40", "limmit = 40", "did you mean 'limit'"),
    "unknown key of a set": ('file = "waves.npz"', 'fiel = "waves.npz"', "did you mean 'file'"),
    "missing file": ("waves.npz", "wave.npz", "did you mean waves.npz"),
    "unknown rival": ('"copy machine"', '"copy mashine"', "did you mean 'copy machine'"),
    "unknown setting": ("noise", "nois", "did you mean 'noise'"),
    "setting of a wrong kind": ("0.1", '"much"', "must be a number from 0"),
    "seeds": ("[0, 1]", '["a"]', "seeds must be a list of whole numbers"),
    "seed twice": ("[0, 1]", "[0, 0]", "seeds must differ"),
    "missing table": ("made-{set}", "maid-{set}", "there is no file"),
    "method twice": ('label = "mine"', 'label = "Jitter"', "share a folder"),
    "length": ("length = 8", "length = 1", "at least 2"),
    "wrong kind": ("length = 8", "length = true", "a whole number"),
    "no method": ("[[methods]]", "[[method]]", "no key 'method'; did you mean 'methods'"),
    "no TOML": ("seeds = [", "seeds [", "is not a TOML file"),
}


@pytest.mark.parametrize("case", WRONG)
def test_a_wrong_plan_is_refused_in_one_sentence(plan, case):
    old, new, said = WRONG[case]
    with pytest.raises(ValueError) as error:
        read_plan(plan(PLAN.replace(old, new)))
    assert said in str(error.value) and "plan.toml" in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    "method, said",
    [
        ('name = "diffmts"\nsettings = { widht = 8 }', "did you mean 'width'"),
        ('name = "diffmts"\nsettings = { width = "wide" }', "must be int"),
        ('name = "diffmts"\nsettings = { seed = 3 }', "the seed is the cell's"),
        ('name = "diffmts"\nsteps = 4\nminutes = 1', "two budgets"),
        ('name = "real"\nsteps = 4', "not trained"),
        ('name = "real"\nwindows = "a.npz"', "either name"),
        ('name = "difmts"', "did you mean 'diffmts'"),
    ],
)
def test_a_wrong_method_is_refused(plan, method, said):
    with pytest.raises(ValueError, match=said):
        read_plan(plan(f"{PLAN}\n[[methods]]\n{method}\n"))


def test_an_unknown_metric_or_a_table_of_another_shape_is_refused_before_a_cell(plan, tmp_path):
    with pytest.raises(ValueError, match="did you mean 'marginal_distance'"):
        prepare(read_plan(plan(PLAN.replace('"marginal_d', '"marginl_d'))), tmp_path / "out")
    tl.write(tmp_path / "made-waves-1.npz", tl.Windows(np.zeros((9, 4, 2))))
    with pytest.raises(ValueError, match="waves / mine / seed 1: .*8 time points"):
        prepare(read_plan(plan()), tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_parts_measure_together_what_one_run_measures(plan, tmp_path):
    read = read_plan(plan())
    whole, missing = finish(read, tmp_path / "one")
    assert missing == {} and len(whole) == 12
    finish(read, tmp_path / "two", part=(2, 2))
    _, missing = gather(read, tmp_path / "two")
    assert len(missing) == 3 and set(missing.values()) == {"not measured yet"}
    shared, missing = finish(read, tmp_path / "two", part=(1, 2))
    assert missing == {} and figures(shared) == figures(whole)


def test_a_killed_run_goes_on_where_it_was(plan, tmp_path, monkeypatch):
    read = read_plan(plan())
    first, second, *_ = prepare(read, tmp_path / "out")
    assert [*attempt(read, first, tmp_path / "out")][-1].state == "done"
    stamp = (first.home(tmp_path / "out") / "records.jsonl").stat().st_mtime_ns

    def killed(*_, **__):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(cells, "evaluate_rows", killed)
        [*attempt(read, second, tmp_path / "out")]
    assert first not in pending(read, tmp_path / "out")
    records, missing = finish(read, tmp_path / "out")
    assert missing == {} and len(records) == 12
    assert (first.home(tmp_path / "out") / "records.jsonl").stat().st_mtime_ns == stamp


def test_a_failing_cell_stops_no_other_and_is_tried_again(plan, tmp_path, monkeypatch):
    read, out = read_plan(plan()), tmp_path / "out"
    good = cells.evaluate_rows

    def rows(*given, **how):
        if how["method"] == "jitter" and how["seeds"] == (1,):
            raise RuntimeError("the sky\nfell")
        return good(*given, **how)

    monkeypatch.setattr(cells, "evaluate_rows", rows)
    ends = [[*attempt(read, cell, out)][-1] for cell in prepare(read, out)]
    assert [end.state for end in ends].count("failed") == 1
    records, missing = gather(read, out)
    assert missing == {"waves / jitter / seed 1": "RuntimeError: the sky fell"}
    assert "the sky fell" in markdown_page(rank(records, missing))
    monkeypatch.setattr(cells, "evaluate_rows", good)
    assert [cell.name for cell in prepare(read, out)] == ["waves / jitter / seed 1"]
    assert finish(read, out)[1] == {}
    assert not [*out.rglob("error.txt")]


def test_changed_settings_are_refused_and_measured_anew_when_asked(plan, tmp_path):
    finish(read_plan(plan()), tmp_path / "out")
    other = read_plan(plan(PLAN.replace("0.1", "0.2")))
    with pytest.raises(ValueError, match="noise was 0.1, now 0.2.*--again"):
        prepare(other, tmp_path / "out")
    _, missing = gather(other, tmp_path / "out")
    assert all("other settings" in why for why in missing.values()) and len(missing) == 2
    left = prepare(other, tmp_path / "out", again=True)
    assert [cell.method.label for cell in left] == ["jitter", "jitter"]


def test_a_set_that_was_written_anew_is_read_anew(plan, tmp_path):
    read = read_plan(plan())
    finish(read, tmp_path / "out")
    tl.write(tmp_path / "waves.npz", waves(200, 5))
    with pytest.raises(ValueError, match="set.file was"):
        prepare(read, tmp_path / "out")
    prepare(read, tmp_path / "out", again=True)
    assert np.isin(cells.training_windows(read.sets[0])[0].x, waves(200, 5).x).all()


def test_a_table_that_was_written_anew_is_noticed(plan, tmp_path):
    finish(read_plan(plan()), tmp_path / "out")
    tl.write(tmp_path / "made-waves-0.npz", waves(60, 99))
    with pytest.raises(ValueError, match="method.windows was"):
        prepare(read_plan(plan()), tmp_path / "out")


def test_comparing_writes_tables_that_show_floor_copies_and_the_copy_machine(plan, tmp_path):
    records, text = compare(read_plan(plan()), tmp_path / "out")
    assert {r.method for r in records} == {"copy machine", "jitter", "mine"}
    assert "real (floor)" in text and "copy machine (reference)" in text
    assert "**copy machine** copies: its novelty fails in 2 of 2 cells (identical_share)" in text
    html = (tmp_path / "out" / "ranks.html").read_text()
    assert "copies" in html and "http" not in html
    lines = [json.loads(line) for line in (tmp_path / "out/ranks.jsonl").read_text().splitlines()]
    best = {line["method"]: line["rank"] for line in lines if line.get("metric")}
    assert best["mine"] < best["copy machine"]


def record(method, value, seed=0, metric="m", data="d", **more):
    more = {"about": "values", "verdict": "pass", "floor": 0.1, "copy": 0.2, **more}
    return Record(metric, value=value, method=method, data=data, seeds=(seed,), **more)


def naive_rank(values, name, floor):
    """Counts by hand: lower is better, one list of values per method."""
    place = 1.0
    for other, theirs in values.items():
        if other == name:
            continue
        a, b = max(np.mean(values[name]), floor), max(np.mean(theirs), floor)
        pooled = math.sqrt((np.var(values[name], ddof=1) + np.var(theirs, ddof=1)) / 2)
        place += 0.5 if abs(a - b) <= pooled else float(b < a)
    return place


def test_ranks_are_those_counted_by_hand(rng):
    for _ in range(20):
        values = {name: list(rng.normal(k / 3, 0.3, 3)) for k, name in enumerate("abcde")}
        records = [record(m, v, s) for m, some in values.items() for s, v in enumerate(some)]
        (row,) = rank(records).rows
        ranks = {name: row.entries[name].rank for name in values}
        assert ranks == {name: naive_rank(values, name, 0.1) for name in values}
        assert sum(ranks.values()) == pytest.approx(15)


def test_being_better_than_the_floor_gains_nothing():
    (row,) = rank([record("a", 0.01), record("b", 0.1), record("c", 0.3)]).rows
    assert [row.entries[m].rank for m in "abc"] == [1.5, 1.5, 3]
    (row,) = rank(
        [record(m, v, better="higher", floor=0.9) for m, v in (("a", 1), ("b", 0.8))]
    ).rows
    assert [row.entries[m].rank for m in "ab"] == [1, 2]


def test_a_skipped_measure_has_no_rank_and_does_not_count():
    lost = record("b", None, metric="n", verdict="skipped", why="too few windows.")
    found = rank([record("a", 1), record("b", 2), record("a", 1, metric="n"), lost])
    assert found.means["overall"]["a"] == 1 and found.means["overall"]["b"] == 2
    n = next(row for row in found.rows if row.metric == "n")
    assert n.entries["a"].rank is None and n.entries["b"].why == "too few windows."
    text = markdown_page(found)
    assert "skipped" in text and "[no rank]" in text and "1 of 2 rows" in text


def test_every_group_of_measures_counts_the_same():
    records = [record(m, v, metric=f"v{i}") for i in range(3) for m, v in (("a", 1), ("b", 2))]
    records += [record(m, v, metric="t", about="time") for m, v in (("a", 2), ("b", 1))]
    assert rank(records).means["overall"] == pytest.approx(
        {"a": 1.5, "b": 1.5, "real (floor)": 1, "copy machine (reference)": 1}
    )


def test_a_test_over_sets_is_made_where_there_are_enough():
    records = [
        record(m, v, data=f"set {i}") for i in range(6) for m, v in (("a", 1), ("b", 2), ("c", 3))
    ]
    assert "p = 0.0025" in rank(records).notes[0]
    assert "1.35 or more apart" in rank(records).notes[0]  # 2.343 * sqrt(12 / 36), Demšar's table 5
    assert "No test over sets" in rank(records[:3]).notes[0]


def test_nothing_measured_makes_a_table_too(tmp_path):
    nothing = rank([], {"a / b / seed 0": "not measured yet"})
    assert "Nothing was measured yet" in page(nothing)
    write_ranks(tmp_path, nothing, [])
    assert "seed 0: not measured yet" in (tmp_path / "ranks.md").read_text()


def test_text_of_the_plan_is_escaped_in_the_page():
    html = page(rank([record("<script>x</script>", 1), record("b", 2)]))
    assert "<script>" not in html


@pytest.mark.parametrize("labels", [None, "class", "value"])
def test_every_rival_gives_windows_like_the_real_ones(labels, rng):
    y = {"class": np.repeat(["a", "b"], 100), "value": rng.uniform(0, 9, 200)}.get(labels)
    train, real = waves(200, 0, y), waves(200, 1, y)
    for name, rival in RIVALS.items():
        for _ in range(2):
            against, made = rival.make(train, real, count=50, seed=3, **rival.settings)
            assert len(made) == 50 and made.shape == real.shape, name
            assert (made.y is None) == (y is None)
            assert against.channels == made.channels
        np.testing.assert_array_equal(
            made.x, rival.make(train, real, count=50, seed=3, **rival.settings)[1].x
        )


def test_the_gaussian_has_the_mean_and_covariance_of_the_training_windows():
    train = waves(300, 0)
    for part in (train, train[:12]):  # more windows than dimensions, and fewer
        flat = part.x.reshape(len(part), -1)
        made = gaussian(part, part, count=40000, seed=0)[1].x.reshape(40000, -1)
        np.testing.assert_allclose(made.mean(axis=0), flat.mean(axis=0), atol=0.02)
        np.testing.assert_allclose(np.cov(made.T), np.cov(flat.T), atol=0.03)


def test_the_rivals_are_what_they_say():
    train, real = waves(100, 0), waves(100, 1)
    _, copies = copy_machine(train, real, count=500, seed=0)
    assert len(copies) == 100 and len({one.tobytes() for one in copies}) == 100
    _, near = jitter(train, real, count=100, seed=0, noise=0.1)
    apart = (near.x - copies.x).std(axis=(0, 1)) / train.x.std(axis=(0, 1))
    np.testing.assert_allclose(apart, 0.1, rtol=0.1)
    first, second = real_half(train, real, count=100, seed=0)
    assert not set(first.series) & set(second.series) and len(first) + len(second) == 100
    with pytest.raises(ValueError, match="no two halves"):
        real_half(train, real[:1], count=5, seed=0)
