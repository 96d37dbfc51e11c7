"""Rows about labels: are planted faults caught by name, and is what cannot be measured skipped?"""

from dataclasses import replace

import numpy as np
import pytest

from timeloom.data.windows import Windows
from timeloom.evaluation.arms import deal
from timeloom.evaluation.case import Case
from timeloom.evaluation.labelled import labelled_names, labelled_rows


def labelled(count, seed, kind="class", noise=0.3):
    """Windows whose level is the label; twenty recordings."""
    rng = np.random.default_rng(seed)
    size = rng.uniform(0, 4, count)
    x = size[:, None, None] + noise * rng.standard_normal((count, 8, 2))
    y = {"value": size, "class": np.where(size > 3, "high", "low")}[kind]
    series = 100 * seed + np.arange(count) % 20
    return Windows(x, y, series, np.zeros(count, dtype=int), ("a", "b"), "size")


def rows_of(real, synthetic, train, task="classify", seeds=(0, 1), limit=2000):
    case = Case(real, synthetic, train, task, seeds, "m", "d", limit, (), False)
    arms = [deal(real, synthetic, train, task=task, limit=limit, seed=seed) for seed in seeds]
    return {row.metric: row for row in labelled_rows(case, arms)}


@pytest.fixture(scope="module")
def sides():
    return [labelled(200, seed) for seed in (0, 1, 2)]


@pytest.fixture(scope="module")
def honest(sides):
    return rows_of(*sides)


def test_new_windows_of_the_same_kind_fail_nothing(honest):
    assert {row.verdict for row in honest.values()} <= {"pass", "warn"}
    assert honest["tstr_auroc"].floor > 0.95 and honest["label_agreement"].value > 0.9


def test_the_names_are_the_rows_in_order(honest):
    assert labelled_names("classify") == tuple(honest)
    assert labelled_names(None) == ()
    assert {"tsrtr_auroc", "mixed_auroc", "tstr_minority_f1", "label_agreement"} <= set(honest)
    assert {"tsrtr_rmse", "mixed_mae", "steering_mae"} <= set(labelled_names("regress"))


def test_every_row_has_floor_copy_machine_interval_and_says_its_judge(honest):
    for row in honest.values():
        assert row.low <= row.value <= row.high, row.metric
        assert row.floor is not None and row.copy is not None
        assert row.about == "use" and row.settings["judge"] == "kernels"
        assert "random convolutions" in row.why and row.why.endswith(".")
        assert len(row.per_seed["floor"]) == 2
    assert "baseline of as many real windows" in honest["tstr_auroc"].why
    assert "to the baseline: " in honest["tsrtr_auroc"].why


def test_copies_beside_the_real_windows_add_nothing(sides):
    real, _, train = sides
    rows = rows_of(real, train, train)
    for name in ("tsrtr_auroc", "tsrtr_accuracy"):
        assert rows[name].copy == pytest.approx(rows[name].floor, abs=0.005)


def test_permuted_labels_are_caught_by_name(sides):
    real, made, train = sides
    wrong = replace(made, y=np.random.default_rng(0).permutation(made.y))
    rows = rows_of(real, wrong, train)
    for name in ("label_agreement", "tstr_balanced_accuracy"):
        assert rows[name].verdict == "fail", name
    assert "worse than real" in rows["tstr_balanced_accuracy"].why
    assert rows["label_agreement"].floor > 0.9


def test_permuted_values_are_caught_by_name():
    real, made, train = (labelled(150, seed, "value") for seed in (0, 1, 2))
    wrong = replace(made, y=np.random.default_rng(0).permutation(made.y))
    rows = rows_of(real, wrong, train, "regress", seeds=(0,))
    for name in ("tstr_rmse", "steering_spearman", "steering_mae"):
        assert rows[name].verdict == "fail", name
    assert "harms" in rows["tsrtr_rmse"].why
    assert rows["tstr_rmse"].unit == "size"


def test_more_windows_help_where_real_ones_are_few():
    train, real = labelled(25, 2, "value", noise=2), labelled(300, 0, "value", noise=2)
    rows = rows_of(real, labelled(25, 1, "value", noise=2), train, "regress", seeds=(0, 1, 2))
    assert rows["tsrtr_rmse"].value < rows["tsrtr_rmse"].floor
    assert "helps" in rows["tsrtr_rmse"].why


@pytest.mark.parametrize("kind", ["class", "value"])
def test_labels_that_say_nothing_fail_nothing(kind):
    def empty(seed):
        one = labelled(120, seed, kind)
        return replace(one, x=np.random.default_rng(seed + 9).standard_normal(one.x.shape))

    rows = rows_of(*map(empty, (0, 1, 2)), "classify" if kind == "class" else "regress")
    failed = [row.metric for row in rows.values() if row.verdict == "fail"]
    assert [name for name in failed if not name.startswith("steering")] == []


def test_few_synthetic_windows_meet_as_many_real_ones(sides):
    real, made, train = sides
    row = rows_of(real, made[:50], train, seeds=(0,))["tstr_auroc"]
    assert row.sizes["learned"] == row.sizes["baseline"] == 40


def test_the_limit_keeps_every_class(sides):
    real, made, train = (
        replace(one, y=np.where(np.arange(200) < 3, "rare", one.y)) for one in sides
    )
    rows = rows_of(real, made, train, seeds=(0,), limit=30)
    assert rows["tstr_accuracy"].value is not None
    assert rows["tstr_accuracy"].sizes["real"] <= 36


def only(windows, name):
    return windows[np.asarray(windows.y) == name]


@pytest.mark.parametrize(
    ("side", "words"),
    [(0, "real windows have one label"), (1, "synthetic windows have one label"), (2, "training")],
)
def test_one_class_only_is_skipped_with_the_reason(sides, side, words):
    given = [only(one, "low") if k == side else one for k, one in enumerate(sides)]
    rows = rows_of(*given)
    assert tuple(rows) == labelled_names("classify")
    for row in rows.values():
        assert row.verdict == "skipped" and row.value is None and words in row.why


def test_an_absent_class_is_named(sides):
    real, made, train = sides
    extra = replace(train, y=np.where(np.arange(200) < 20, "odd", train.y))
    rows = rows_of(real, made, extra)
    assert all("is of class odd" in row.why and row.value is None for row in rows.values())


def test_too_few_windows_are_counted(sides):
    real, made, train = sides
    rows = rows_of(real, made[:4], train)
    assert all("4 synthetic windows are fewer than" in row.why for row in rows.values())
