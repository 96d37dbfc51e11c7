"""Do the ten steps measure every arm once, on equal terms? Does the page say what they found?"""

from dataclasses import replace

import numpy as np
import pytest

from timeloom.bench import nasdaq, ten_grid, wafer
from timeloom.bench.crossdomain import ALPHAS, EXTREME, NASDAQ, PROTOCOLS, WAFER
from timeloom.bench.ten_grid import grid
from timeloom.bench.ten_page import write_ten_page
from timeloom.bench.ten_steps import ARMS, Figure, Task, Wanted, null_norms, spread_ratio
from timeloom.bench.ten_words import OUTSIDE, Seen, agreement, artefacts, help_shown, reached
from timeloom.data.windows import Windows
from timeloom.metrics.judging import Training
from timeloom.metrics.record import Record, read_records
from timeloom.metrics.utility import CLASS_SCORES, Prediction


def waves(count, seed):
    rng = np.random.default_rng(seed)
    y = (np.arange(count) % 5 == 0).astype(int)
    wave = np.sin(np.arange(12) * np.where(y == 1, 1.5, 0.7)[:, None])[:, :, None]
    return Windows((wave + 0.3 * rng.standard_normal((count, 12, 1))).astype(np.float32), y)


TASK = Task(
    name="waves",
    about="Waves.",
    load=lambda seed: (waves(30, seed), waves(30, 50), waves(60, 99)),
    classes={0: "slow", 1: "gain"},
    one=1,
    published=WAFER,
    train_steps=2,
    width=8,
    judge=Training("resnet", steps=2, checks=1),
    classifier_steps=3,
    seeds=(0,),
    rules={"share above 1": lambda windows: float((windows.x > 1).mean())},
    wanted=(Wanted("real", "baseline", 0.1), Wanted("unguided", "tsrtr", 1.1)),
)


@pytest.fixture(scope="module")
def measured(tmp_path_factory):
    path = tmp_path_factory.mktemp("ten") / "waves.jsonl"
    return path, list(grid([TASK], path, "1/1"))


def test_every_arm_is_measured_in_every_protocol_and_score(measured):
    path, lines = measured
    assert lines[0].startswith("waves, seed 0") and "intervals" in lines[1]
    seen = Seen(read_records(path), TASK)
    for arm in ARMS:
        for metric in (f"{p} {score}" for p in PROTOCOLS for score in CLASS_SCORES):
            assert len(seen.each(arm.name, metric)) == 1
            assert seen.gains[arm.name, metric].low <= seen.gains[arm.name, metric].high
        for metric in ("mmd", "spread ratio, gain", "recall, slow", "share above 1"):
            assert seen.each(arm.name, metric) is not None, (arm, metric)
    assert len(seen.advice) == 1 and seen.advice[0][1]
    assert seen.mean("classifier", "ratio by shares alone") == pytest.approx(4, rel=1e-6)
    assert seen.mean("released 0.5", "difference from shrinking") < 0.05


def test_arms_differ_and_copies_are_the_real_windows(measured):
    seen = Seen(read_records(measured[0]), TASK)
    copies = seen.each("copies", "spread ratio, gain")
    assert copies == pytest.approx([1.0])
    assert seen.mean("unguided", "mmd") != seen.mean("guided 0.25", "mmd")
    assert seen.mean("unguided", "mmd") != seen.mean("all one label", "mmd")


def test_what_is_recorded_is_not_measured_again(measured):
    path, _ = measured
    before = path.read_bytes()
    assert list(grid([TASK], path, "1/1")) == []
    assert path.read_bytes() == before


def test_intervals_without_predictions_are_said_to_be_missing(measured, tmp_path):
    path = tmp_path / "waves.jsonl"
    kept = [line for line in measured[0].read_text().splitlines() if ' minus baseline"' not in line]
    path.write_text("\n".join(kept) + "\n")
    assert "no intervals" in "".join(grid([TASK], path, "1/1"))


def test_the_page_holds_both_tables_and_the_artefacts(measured):
    text = write_ten_page(measured[0], [TASK], "command").read_text()
    assert "| TSRTR | 0.1 | 0.9960/0.9650/0.9825 |" in text
    assert all(arm.name in text for arm in ARMS)
    for words in ("D1, ", "A1, ", "Shrinkage alarm", "Verdict and outcome", "| minority F1 |"):
        assert words in text


def test_intervals_join_the_seeds_in_pairs(tmp_path):
    task, path = replace(TASK, seeds=(0, 1)), tmp_path / "waves.jsonl"
    truth = np.arange(200) % 2
    (tmp_path / "runs").mkdir()
    for seed in (0, 1):
        ten_grid.note(path, [ten_grid._record(task, (seed,), Figure("a", "b", 1.0), 1.0)])
        noise = np.random.default_rng(seed).standard_normal(200)
        sides = {"real/baseline": truth + 2 * noise, "better/tsrtr": truth + noise}
        said = {
            key: Prediction(np.stack([-one, one], 1), truth, (0, 1), 1)
            for key, one in sides.items()
        }
        ten_grid._save(ten_grid._kept(path, task, seed), said)
    assert len(list(grid([task], path, "1/1"))) == 1
    gain = Seen(read_records(path), task).gains["better", "tsrtr auroc"]
    assert 0 < gain.low < gain.value < gain.high < 0.4


def records(task, **figures):
    """One seed: arm and metric in one name, parted by a bar."""
    rows = []
    for name, value in figures.items():
        arm, metric = name.split("|")
        low, high = value[1:] if isinstance(value, tuple) else (None, None)
        value = value[0] if isinstance(value, tuple) else value
        rows.append(Record(metric, value, low, high, method=arm, data=task.name, seeds=(0,)))
    return rows


def advised(verdict):
    told = {"verdict": verdict, "reasons": ["For a reason."]}
    return Record("seconds to advise", 1.0, method="advise", data="waves", settings=told)


@pytest.mark.parametrize(
    ("verdict", "low", "word"),
    [
        ("no", -0.01, "agree"),
        ("no", 0.01, "do not agree"),
        ("yes", 0.01, "agree"),
        ("yes", -0.01, "do not agree"),
        ("limited", 0.01, "agree"),
        ("limited", 0.05, "do not agree"),
    ],
)
def test_verdict_and_outcome_are_compared_by_the_interval(verdict, low, word):
    rows = records(TASK, **{"guided 0.1|tsrtr auroc minus baseline": (0.06, low, 0.1)})
    text = "\n".join(agreement(Seen([advised(verdict), *rows], TASK)))
    assert f"**{word}**" in text and f"{verdict} (1 of 1 seeds)" in text


def test_arms_that_are_no_way_of_ours_are_no_help():
    rows = records(TASK, **{"copies|tsrtr auroc minus baseline": (0.2, 0.1, 0.3)})
    assert help_shown(Seen(rows, TASK)) == ([], 0)


def test_a_figure_that_is_not_reached_says_whether_any_could_be():
    rows = records(
        TASK,
        **{
            "real|baseline auroc": 0.95,
            "unguided|tsrtr auroc": 0.9,
            "unguided|tsrtr auroc minus baseline": (-0.05, -0.1, 0.01),
        },
    )
    first, second = reached(Seen(rows, TASK), TASK)
    assert first["reached"] == "yes" and first["the report's best"] == "0.9932"
    assert second["reached"] == "no; nothing above the baseline can be measured"
    rows[-1] = replace(rows[-1], high=-0.01)
    assert [*reached(Seen(rows, TASK), TASK)][1]["reached"] == "no; below the baseline"


@pytest.mark.parametrize(("auroc", "apart", "ratio"), [(0.52, 0.001, 0.03), (0.95, 0.5, 0.9)])
def test_artefacts_are_named_by_their_figures(auroc, apart, ratio):
    figures = {"all one label|tstr auroc": auroc, "unguided|tstr auroc": 0.95}
    for arm in ARMS:
        shrunk = ratio if arm.kind == "released" else 1.0
        figures |= {f"{arm.name}|spread ratio, {name}": shrunk for name in ("slow", "gain")}
        figures[f"{arm.name}|difference from shrinking"] = apart
        figures[f"{arm.name}|{OUTSIDE}"] = 0.2 if arm.kind == "paper" else 0.0
    text = " ".join(artefacts(Seen(records(TASK, **figures), TASK), TASK))
    assert ("no better than chance" in text) == (auroc < 0.6)
    assert ("guides nothing" in text) == (ratio < 0.5)
    assert ("released 0.5 (0.03)" in text) == (ratio < 0.5)
    assert "guided, w = 100 (20.0%)" in text


def test_the_published_tables_are_what_is_said_of_them():
    assert [WAFER.best(one) for one in PROTOCOLS] == [0.6224, 0.9960, 0.9904]
    assert WAFER.best("tsrtr", "auprc") == 0.9650
    assert len(WAFER.arms) == len(EXTREME.arms) == len(ALPHAS) * 3 and len(NASDAQ.arms) == 9
    assert ("tstr", 0.1) not in NASDAQ.arms
    low = [f[0] for (protocol, _), f in EXTREME.arms.items() if protocol != "tstr"]
    assert max(low) < EXTREME.baseline[0]
    for one in (WAFER, NASDAQ, EXTREME):
        norms = [norm for norm, _ in one.norms.values()]
        assert max(norms) / min(norms) == pytest.approx(one.ratio, abs=0.01)


def test_shares_alone_give_the_known_ratios():
    for counts, ratio in (([813, 88], 9.24), ([5, 90, 5], 10.7), ([50, 50], 1)):
        norms = null_norms(np.repeat(np.arange(len(counts)), counts))
        assert norms.max() / norms.min() == pytest.approx(ratio, abs=0.05)


def test_windows_of_half_the_spread_have_ratio_one_half_and_flat_channels_do_not_count():
    x = np.random.default_rng(0).standard_normal((50, 6, 2))
    x[..., 1] = 7
    assert spread_ratio(0.5 * x, x) == pytest.approx(0.5)


def test_wafer_is_split_by_class_anew_for_every_seed(data_folder):
    parts = [wafer.wafer_windows(seed) for seed in (0, 1)]
    for train, validation, test in parts:
        assert (len(train), len(validation), test.shape) == (900, 100, (24, 1))
        assert (validation.y == wafer.ABNORMAL).sum() == 10
        assert not set(train.series.tolist()) & set(validation.series.tolist())
    np.testing.assert_array_equal(parts[0][2].x, parts[1][2].x)
    assert not np.array_equal(parts[0][1].x, parts[1][1].x)
    assert "6163 windows" in wafer.task().about


def test_share_prices_are_drawn_by_seed_and_tested_on_the_same_windows(data_folder):
    one, other = (nasdaq.market_parts(seed, label="extreme", most=300) for seed in (0, 1))
    assert len(one[0]) == 300 and not np.array_equal(one[0].x, other[0].x)
    np.testing.assert_array_equal(one[2].x, other[2].x)
    assert set(one[0].y.tolist()) == set(nasdaq.CLASSES["extreme"])
    assert nasdaq.CLASSES.keys() == nasdaq.PUBLISHED.keys() == nasdaq.LABELS.keys()
