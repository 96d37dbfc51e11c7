"""Is the page one offline file that says what was found and trusts no name in the data?"""

import json
import re
from dataclasses import replace

import numpy as np
import pytest

from timeloom.data.windows import Windows
from timeloom.metrics.record import Record
from timeloom.report.figures import FIGURES, Sides
from timeloom.report.page import render, write_page
from timeloom.report.tables import markdown, spread
from timeloom.report.words import findings, headline

EVIL = '</script><script>alert("x")</script><img src=x onerror=alert(1)>'


def some(seed, *, y=None, channels=("one", EVIL)):
    x = np.random.default_rng(seed).standard_normal((40, 8, len(channels)))
    y = np.linspace(0, 100, 40) if y is None else y
    return Windows(x, y, channels=channels, label_name="life <b>")


def row(metric, verdict="pass", value=0.5, **more):
    given = {"low": 0.4, "high": 0.6, "floor": 0.5, "copy": 0.5, "why": "Because."}
    return Record(metric, value, verdict=verdict, seeds=(0, 1, 2), **{**given, **more})


RECORDS = [
    row("two_sample_auc", "warn", 0.7),
    row("tstr_rmse", value=13.2, unit="cycles", why=EVIL),
    row("nearest_neighbour_ratio", value=1.02, method=EVIL),
    Record("marginal_distance", why="Too few."),
]


@pytest.fixture(scope="module")
def page():
    made = {"command": f"timeloom fit {EVIL}", "seed": 3, "settings": {"steps": 500}}
    return render(RECORDS, some(0), some(1), some(2), made=made)


def outside_of_the_drawing_code(page):
    """The page without plotly's own text."""
    from plotly.offline import get_plotlyjs

    assert page.count(get_plotlyjs()) == 1
    return page.replace(get_plotlyjs(), "")


def test_the_page_asks_the_network_for_nothing(page):
    ours = outside_of_the_drawing_code(page)
    assert not re.search(r"<link|@import|url\(|<iframe", ours)
    assert not re.search(r"""(src|href)\s*=\s*["']?""", re.sub("&lt;.*?&gt;", "", ours))
    assert "http://" not in ours and "https://" not in ours


def test_names_in_the_data_and_in_the_command_are_text_and_nothing_else(page):
    ours = outside_of_the_drawing_code(page)
    assert "<img" not in ours
    assert ours.count("<script>") == ours.count("</script>") == 2
    assert "&lt;/script&gt;" in ours


def test_the_page_says_what_was_found_row_by_row_and_how_it_was_made(page):
    ours = outside_of_the_drawing_code(page)
    for text in (headline(RECORDS), "TSTR RMSE", "13.2", "0.4 to 0.6", "2 of 4 measures pass"):
        assert text in ours
    for text in ("How it was made", "&#34;steps&#34;: 500", 'class="verdict warn"'):
        assert text in ours


def test_every_picture_has_its_place_and_holds_plain_json(page):
    ours = outside_of_the_drawing_code(page)
    plots = json.loads(re.search(r"const plots = (.*);\n", ours)[1])
    places = re.findall(r'class="plot" id="([^"]+)"', ours)
    assert sorted(plots) == sorted(places)
    names = {trace["name"] for plot in plots.values() for trace in plot["data"]}
    assert names == {"real", "synthetic", "training"}


def test_the_page_is_written_whole(tmp_path):
    path = write_page(tmp_path / "page.html", RECORDS, some(0), some(1))
    assert path.read_text(encoding="utf-8").startswith("<!doctype html>")
    assert [file.name for file in tmp_path.iterdir()] == ["page.html"]


@pytest.mark.parametrize("figure", FIGURES)
@pytest.mark.parametrize(
    "y", [np.repeat(["a", "b"], 20), np.zeros(40), np.arange(40) % 3], ids=["words", "one", "few"]
)
def test_pictures_take_any_label_gaps_and_constant_channels(figure, y):
    real, synthetic = some(0, y=y), some(1, y=y)
    real.x[:, :, 0] = 5
    real.x[3, 2, 1] = np.nan
    json.dumps(
        [plot.data for _, plots in _tabs(figure, real, synthetic) for plot in plots],
        allow_nan=False,
    )


@pytest.mark.parametrize("figure", FIGURES)
def test_pictures_take_very_few_windows_of_very_many_channels(figure):
    real = some(0, channels=tuple(f"c{i}" for i in range(40)))[:2]
    for _, plots in _tabs(figure, replace(real, y=None), replace(real, y=None)):
        assert len(plots) <= 16


def _tabs(figure, real, synthetic):
    return figure(Sides(real, synthetic, None, asked=(real, synthetic))).tabs


def test_lines_keep_digits_that_matter_on_a_high_level():
    real = some(0)
    real.x[:] = 2388 + 0.1 * (np.arange(8)[:, None] % 2)
    drawn = _tabs(FIGURES[0], real, real)[0][1][0].data[0]["y"]
    assert drawn == [2388, 2388.1] * 4


def test_copies_are_the_headline_whatever_else_is_good():
    assert "copies" in headline([row("tstr_rmse"), row("nearest_neighbour_ratio", "fail", 0.0)])
    assert "copies" in headline([row("tstr_rmse"), row("near_copy_share", "fail", 0.2)])
    assert "copies" in headline([row("tstr_rmse"), row("two_sample_auc", "fail", 0.2)])
    assert "told from real" in headline([row("two_sample_auc", "fail", 1.0)])
    assert "Nothing could be measured" in headline([Record("tstr_rmse")])
    assert headline([row("tstr_rmse")]).startswith("Of use")
    assert any("errs by 13.2" in text for text in findings(RECORDS))


def test_windows_are_hard_to_tell_only_if_every_test_of_likeness_passes():
    alike = [row("two_sample_auc"), row("discriminative"), row("discriminative_accuracy")]
    assert "hard to tell" in headline(alike)
    assert "may be told" in headline([*alike[:2], row("discriminative_accuracy", "warn", 0.6)])
    skipped = Record("two_sample_auc", why="Too few.")
    assert "not known" in headline([skipped, *alike[1:]])
    assert "not known" in headline([row("marginal_distance")])


def test_near_copies_are_told_beside_the_distance():
    rows = [row("nearest_neighbour_ratio", value=1.0), row("near_copy_share", "fail", 0.21)]
    assert "21% of them are nearer" in findings(rows)[0]


def test_a_table_shows_mean_and_spread_beside_the_published_figure():
    rows = [{"arm": "ours|a", "RMSE": [13.0, 14.0, 15.0], "published": 13.616, "n": 4000}]
    table = markdown([*rows, {"arm": "other", "published": None}])
    assert table.splitlines()[0] == "| arm | RMSE | published | n |"
    assert table.splitlines()[2] == "| ours\\|a | 14.0 ± 1.0 | 13.6 | 4,000 |"
    assert table.splitlines()[3] == "| other | – | – | – |"
    assert "| two_sample_auc |" in markdown(RECORDS)
    assert spread([0.123456]) == "0.123" and spread([]) == "–"
    with pytest.raises(ValueError, match="at least one row"):
        markdown([])
