"""Does the grid go on where it stopped, share its cells, skip what is absent, and add up right?"""

from dataclasses import replace

import numpy as np
import pytest

from timeloom.bench import few_arms, fewshot
from timeloom.bench.few_arms import (
    ADAPTED,
    COPY,
    EVERY,
    FLOOR,
    MAIN,
    QUICK,
    RIVALS,
    SCRATCH,
    VARIANTS,
    Arm,
    Cell,
    Made,
    NotHere,
    Place,
)
from timeloom.bench.few_judges import FIGURES, Judges
from timeloom.bench.few_page import (
    LEARN_SECONDS,
    SAMPLE_SECONDS,
    Planned,
    better_in,
    grid_of,
    write_few_page,
)
from timeloom.bench.fewshot import PLAN, QUICK_PLAN, Part, cells_of, measure, run
from timeloom.methods.imagenfew import ImagenFew
from timeloom.metrics.record import Record, read_records, write_records

PLAIN = tuple(arm for arm in EVERY if arm.name in (FLOOR, COPY, "mixup"))
CHEAP = Place(few_arms.Budget(judges=Judges(1, 10, 20, 3, 60)))


@pytest.fixture
def plain(monkeypatch):
    """The quick grid with arms that need neither weights nor data sets."""
    plan = (Part("quick", "random", ("sine",), (10, 25), 1, PLAIN),)
    monkeypatch.setattr(fewshot, "QUICK_PLAN", plan)
    monkeypatch.setattr(fewshot, "QUICK", CHEAP.budget)
    return plan


def rows(page, title):
    """The table below a heading, as lists of cells without its rule."""
    lines = page.split(f"# {title}\n", 1)[1].split("\n#", 1)[0].splitlines()
    table = [line.strip("| ").split(" | ") for line in lines if line.startswith("|")]
    return [table[0], *table[2:]]


def test_the_plan_holds_every_cell_once_and_every_arm_of_every_part():
    cells = cells_of(PLAN)
    assert len({cell for cell, _ in cells}) == len(cells) == 72 + 72 + 27
    arms = {cell: [arm.name for arm in own] for cell, own in cells}
    assert set(arms[Cell("random", "etth1", 25, 0)]) == {arm.name for arm in EVERY} - {"full"}
    assert len(arms[Cell("first", "etth1", 25, 0)]) == len(MAIN)
    assert all(len(set(own)) == len(own) for own in arms.values())
    assert {cell.name for cell, _ in cells_of(QUICK_PLAN)} == {"ecg200", "sine"}


def test_a_cell_is_called_by_its_regime():
    assert Cell("first", "etth1", 25, 0).data == "etth1, first 25"
    assert Cell("random", "ili", 0.05, 0).data == "ili, random 5%"


def test_what_is_noted_is_not_measured_again_and_what_is_missing_is_added(plain, tmp_path):
    said = list(run(True, tmp_path))
    assert len(said) == 3 and "fewshot-quick.md" in said[-1]
    path = tmp_path / "fewshot-quick.jsonl"
    whole = path.read_text()
    assert len(list(run(True, tmp_path))) == 1 and path.read_text() == whole
    kept = [r for r in read_records(path) if (r.data, r.method) != ("sine, random 25", COPY)]
    write_records(path, kept)
    again = list(run(True, tmp_path))
    assert len(again) == 2 and "copy" in again[0] and "floor" not in again[0]
    old, new = ({(r.data, r.method, r.metric): r.value for r in given} for given in (
        [Record.from_json(line) for line in whole.splitlines()], read_records(path)
    ))  # fmt: skip
    assert old == new


def test_two_processes_share_the_cells(plain, tmp_path):
    first, second = (list(run(True, tmp_path, part)) for part in ("1/2", "2/2"))
    assert "sine, random 10" in first[0] and "sine, random 25" in second[0]
    assert len(first) == len(second) == 2
    with pytest.raises(ValueError, match="I/N"):
        list(run(True, tmp_path, "3/2"))


def test_only_some_cells_are_run_where_that_is_asked_for(plain, tmp_path):
    assert "sine, random 25" in next(iter(run(True, tmp_path, only="random 25")))
    with pytest.raises(ValueError, match="no cell was measured"):
        list(run(True, tmp_path / "new", only="etth2"))


def test_a_set_that_is_too_small_is_left_out_and_said(monkeypatch, tmp_path):
    plan = (Part("quick", "random", ("sine",), (20_000, 10), 1, PLAIN[1:2]),)
    monkeypatch.setattr(fewshot, "QUICK_PLAN", plan)
    monkeypatch.setattr(fewshot, "QUICK", CHEAP.budget)
    said = list(run(True, tmp_path))
    assert "left out; 20000 windows were asked for" in said[0] and len(said) == 3


def test_the_floor_does_not_depend_on_the_count_and_copies_are_seen():
    found = {}
    for arm in PLAIN:
        for count in (10, 25):
            records = measure(Cell("random", "sine", count, 0), arm, CHEAP)
            assert [one.metric for one in records[: len(FIGURES)]] == list(FIGURES)
            found[arm.name, count] = {one.metric: one.value for one in records}
            assert records[0].sizes["few"] == count and records[0].sizes["made"] == 60
    one, other = found[FLOOR, 10], found[FLOOR, 25]
    assert all(one[name] == other[name] for name in FIGURES if name != "authenticity")
    assert one["memory_ratio"] == 1 and found[COPY, 10]["memory_ratio"] == 0
    assert 0 < found["mixup", 10]["memory_ratio"] < 1
    assert one[LEARN_SECONDS] == one[SAMPLE_SECONDS] == 0


def test_windows_that_arms_make_depend_on_the_seed_alone():
    for arm in PLAIN:
        one, again, other = (
            arm.make(Cell("random", "sine", 10, seed), CHEAP).x for seed in (0, 0, 1)
        )
        assert one.shape == (60, 24, 6)
        assert np.array_equal(one, again) and not np.array_equal(one, other)


def test_variants_and_public_code_that_are_absent_are_skipped_and_said(tmp_path):
    cell = Cell("random", "sine", 10, 0)
    for arm in (*VARIANTS, *(arm for arm in RIVALS if arm.name != "paper")):
        with pytest.raises(NotHere, match=r"--runs|--rivals"):
            arm.make(cell, CHEAP)
    rival = next(arm for arm in RIVALS if arm.name == "imagentime")
    with pytest.raises(NotHere, match="is not measured in this cell"):
        rival.make(cell, Place(rivals=tmp_path))


def test_what_is_skipped_is_said_and_a_rival_gets_the_seconds_of_adapting(monkeypatch, tmp_path):
    got = []

    def made(cell, place):
        return Made(cell.real.held_out.x[:60], 12.5, 0.5, {"steps": 7})

    def rival(cell, place):
        got.append(place.spent)
        return Made(cell.real.held_out.x[:60])

    def absent(cell, place):
        raise NotHere("there is none")

    arms = [Arm("before", rival), Arm(ADAPTED, made), Arm("rival", rival), Arm("wide", absent)]
    for chosen in (arms, [*arms, Arm("later", rival)]):
        plan = (Part("quick", "random", ("sine",), (10,), 1, tuple(chosen)),)
        monkeypatch.setattr(fewshot, "QUICK_PLAN", plan)
        monkeypatch.setattr(fewshot, "QUICK", CHEAP.budget)
        said = list(run(True, tmp_path))
        assert "sine, random 10, seed 0: wide skipped; there is none" in said
    assert got == [None, 12.5, 12.5]  # the last one read from the records
    records = [r for r in read_records(tmp_path / "fewshot-quick.jsonl") if r.method == ADAPTED]
    assert {r.metric: r.value for r in records}[LEARN_SECONDS] == 12.5
    assert records[0].settings["steps"] == 7 and records[0].settings["set"] == "sine"


def planted(path):
    """Adapted is better than scratch by .1 on "one" and "two", worse by .05 on "three"."""
    records = []
    for name, gain in (("one", -0.1), ("two", -0.1), ("three", 0.05)):
        for seed in range(3):
            for arm, value in ((SCRATCH, 0.3), (ADAPTED, 0.3 + gain), (COPY, 0.4), (FLOOR, 0.02)):
                how = dict(method=arm, data=f"{name}, random 10", seeds=(seed,))
                how |= dict(sizes={"held_out": 900, "made": 500})
                ratio = {SCRATCH: 2.0, ADAPTED: 0.3 if name == "two" else 0.8, COPY: 0, FLOOR: 1}
                figures = dict.fromkeys(FIGURES, value + seed / 100)
                figures |= {"memory_ratio": ratio[arm], LEARN_SECONDS: 0, SAMPLE_SECONDS: 0}
                if arm in (SCRATCH, ADAPTED):
                    figures |= {LEARN_SECONDS: 40.0 + 10 * seed, SAMPLE_SECONDS: 2.0}
                records += [Record(metric, value, **how) for metric, value in figures.items()]
    return write_records(path, records)


def test_the_page_adds_up(tmp_path):
    path = planted(tmp_path / "fewshot.jsonl")
    plan = [Planned("main", (COPY, ADAPTED), (("one, random 10", 0), ("one, random 10", 9)))]
    page = write_few_page(path, plan).read_text()
    head = rows(page, "Does pre-training help?")
    first = dict(zip(head[0], head[1], strict=True))
    assert first["regime"] == "random 10" and first["figure"] == "discriminative score"
    assert first["difference"] == "-0.0500" and first["better in"] == "2 of 3 sets"
    assert first["pairs"] == "9" and len(head) == 4
    table = rows(page, "discriminative score, random 10 (lower is better)")
    assert table[0] == ["set", ADAPTED, SCRATCH, COPY, FLOOR, "adapted - scratch"]
    assert table[1][1:3] == ["0.210 ± 0.010", "0.310 ± 0.010"]
    assert table[3][-1] == "+0.050 [+0.050, +0.050]"
    memory = rows(page, "Memorising")
    assert [row[-1] for row in memory[1:]] == ["yes", "no", "yes"]
    assert "Nearer by half in 2 of 3 rows." in page
    cost = rows(page, "What it took")
    assert [row[0] for row in cost[1:]] == [SCRATCH, ADAPTED]
    assert cost[1][1:] == ["9", "50", "60", "4"]
    progress = rows(page, "The plan beside what was run")
    assert progress[1:] == [["main", COPY, "2", "1"], ["main", ADAPTED, "2", "1"]]


def test_variants_stand_against_those_that_were_trained_as_long(tmp_path):
    path = planted(tmp_path / "fewshot.jsonl")
    known = read_records(path)
    made = [r for r in known if r.method == ADAPTED]
    known += [replace(r, method="default", value=(r.value or 0) + 0.2) for r in made]
    known += [
        replace(r, method="padded", value=(r.value or 0) + 0.3) for r in made[: len(made) // 3]
    ]
    write_records(path, known)
    plan = [Planned("main", (COPY,), (("one, random 10", 0),))]
    page = write_few_page(path, plan).read_text()
    head, *table = rows(page, "discriminative score")
    by = {row[0]: dict(zip(head, row, strict=True)) for row in table}
    assert by["padded"]["sets"] == "1" and by["padded"]["better than default in"] == "0 of 1 sets"
    assert by["padded"]["minus default"].startswith("+0.1000")
    assert by["default"]["minus adapted"].startswith("+0.2000")
    assert by["adapted"]["minus adapted"] == "–"


def test_better_is_counted_over_the_seeds_that_both_have():
    arm = {"one": {0: 0.1, 1: 0.9}, "two": {0: 0.2}, "three": {0: 0.0}}
    rival = {"one": {0: 0.2}, "two": {0: 0.2}, "four": {0: 1.0}}
    assert better_in(arm, rival) == (1, 2)  # of equals none is better
    assert better_in({}, rival) == (0, 0)


def test_what_could_not_be_measured_is_not_in_the_table():
    records = [Record("correlation_error", None, method=COPY, data="a, first 10", seeds=(0,))]
    assert grid_of(records) == {}


@pytest.fixture(scope="module")
def learnt():
    """A tiny generator that was trained on other waves."""
    waves = np.sin(np.linspace(0, 6, 24)[None, :, None] + np.arange(40)[:, None, None] * [1, 2])
    model = ImagenFew(width=8, train_steps=3, batch=16, device="cpu")
    return model.fit({"waves": waves.astype(np.float32)})


def test_scratch_and_adapted_differ_in_the_first_weights_alone(learnt, monkeypatch):
    monkeypatch.setattr(few_arms, "_shipped", lambda: learnt)
    place, cell = replace(CHEAP, budget=few_arms.Budget(3)), Cell("random", "sine", 10, 0)
    made = {arm.name: arm.make(cell, place) for arm in MAIN if arm.name in (SCRATCH, ADAPTED)}
    again = next(arm for arm in MAIN if arm.name == ADAPTED).make(cell, place)
    one, other = made[ADAPTED], made[SCRATCH]
    assert one.x.shape == other.x.shape == (500, 24, 6)
    assert np.array_equal(one.x, again.x) and not np.array_equal(one.x, other.x)
    before = dict(width=8, train_steps=3, seed=0)
    assert one.about == {"steps": 3, "before": before}
    # Random weights have nothing to stay near.
    before |= {"train_steps": 1}
    assert other.about == {"steps": 3, "how": "full", "before": before}
    assert min(one.learn_seconds, one.sample_seconds, other.learn_seconds) > 0
    assert learnt.sets_ == ("waves",)  # stays as it was


def test_variants_are_read_from_their_run_folders(learnt, monkeypatch, tmp_path):
    cell = Cell("random", "sine", 10, 0)
    place = Place(few_arms.Budget(2, judges=Judges(1, 10, 20, 3, 60)), runs=tmp_path)
    learnt.save(tmp_path / "default")
    learnt.save(tmp_path / "wide")
    arms = {arm.name: arm for arm in EVERY}
    monkeypatch.setattr(few_arms, "_shipped", lambda: learnt)
    found = {name: arms[name].make(cell, place) for name in ("default", "wide", "full", "token")}
    assert np.array_equal(found["default"].x, found["wide"].x)  # they hold the same weights
    assert [one.about.get("how") for one in found.values()] == [None, None, "full", "token"]
    assert len({one.x.tobytes() for one in found.values()}) == 3
    with pytest.raises(NotHere, match="there is no finished run 'narrow'"):
        arms["narrow"].make(cell, place)


@pytest.mark.slow
def test_the_quick_grid_runs_with_the_shipped_weights(data_folder, tmp_path):
    said = list(run(True, tmp_path))
    assert not any("skipped" in line for line in said)
    records = read_records(tmp_path / "fewshot-quick.jsonl")
    assert {r.method for r in records} == {arm.name for arm in MAIN}
    steps = {r.settings.get("steps") for r in records if r.method in (ADAPTED, SCRATCH)}
    assert steps == {QUICK.steps}
    assert "adapted - scratch" in (tmp_path / "fewshot-quick.md").read_text()
