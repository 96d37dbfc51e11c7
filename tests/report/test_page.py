"""Is the page one offline file that says what was found and trusts no name in the data?"""

import json
import re
from dataclasses import replace

import numpy as np
import pytest

from timeloom.data.windows import Windows
from timeloom.metrics.record import Record
from timeloom.report.figures import FIGURES
from timeloom.report.page import render, write_page
from timeloom.report.sides import Sides, short
from timeloom.report.tables import markdown, spread
from timeloom.report.words import headline

EVIL = '</script><script>alert("x")</script><img src=x onerror=alert(1)>'


def some(seed, *, y=None, channels=("one", EVIL), count=40, length=8):
    x = np.random.default_rng(seed).standard_normal((count, length, len(channels)))
    y = np.linspace(0, 100, count) if y is None else y
    return Windows(x, y, channels=channels, label_name="life <b>")


def row(metric, verdict="pass", value=0.5, **more):
    given = {"low": 0.4, "high": 0.6, "floor": 0.5, "copy": 0.5, "why": "Because."}
    return Record(metric, value, verdict=verdict, seeds=(0, 1, 2), **{**given, **more})


RECORDS = [
    row("two_sample_auc", "warn", 0.7, gaussian=0.5, about="likeness", meaning=EVIL),
    row("tstr_rmse", value=13.2, unit="cycles", why=EVIL),
    row("nearest_neighbour_ratio", value=1.02, method=EVIL, about="novelty"),
    Record("marginal_distance", why=f"Too few {EVIL}.", about="values"),
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


def data_of(page, name):
    return json.loads(re.search(rf"const {name} = (.*);\n", page)[1])


def test_the_page_asks_the_network_for_nothing(page):
    ours = outside_of_the_drawing_code(page)
    assert not re.search(r"<link|@import|url\(|<iframe", ours)
    addresses = re.findall(r"""<[^>]*(?:src|href)\s*=\s*["']?(.?)""", ours)
    assert set(addresses) == {"#"}  # places on the page itself
    assert "http://" not in ours and "https://" not in ours


def test_every_link_leads_to_a_place_on_the_page(page):
    ours = outside_of_the_drawing_code(page)
    for place in re.findall(r'href="#([^"]+)"', ours):
        assert f'id="{place}"' in ours


def test_names_in_the_data_and_in_the_command_are_text_and_nothing_else(page):
    ours = outside_of_the_drawing_code(page)
    assert "<img" not in ours
    assert ours.count("<script>") == ours.count("</script>") == 2
    assert "&lt;/script&gt;" in ours
    assert "innerHTML" not in ours


def test_names_inside_pictures_are_escaped_once_more_for_the_drawing_code(page):
    layouts = json.dumps([plot["layout"] for plot in data_of(page, "plots").values()])
    assert "<script" not in layouts and "<img" not in layouts and "&lt;/scri" in layouts


def test_the_page_says_what_was_found_row_by_row_and_how_it_was_made(page):
    ours = outside_of_the_drawing_code(page)
    for text in (headline(RECORDS), "TSTR RMSE", "13.2", "0.4 to 0.6", "2 of 4 measures pass"):
        assert text in ours
    for text in ("How it was made", "&#34;steps&#34;: 500", 'class="verdict warn"'):
        assert text in ours


def test_every_question_has_its_group_and_the_worst_are_open(page):
    ours = outside_of_the_drawing_code(page)
    assert "Can it be told from real windows?" in ours
    assert re.search(r'id="about-likeness" open', ours)
    assert re.search(r'id="about-use">', ours)


def test_what_was_not_measured_is_told_with_its_reason(page):
    ours = outside_of_the_drawing_code(page)
    told = ours[ours.index("What was not measured, and why") :]
    assert "Marginal distance</b>: Too few &lt;/script" in told


def test_every_picture_has_its_place_and_holds_plain_json(page):
    ours = outside_of_the_drawing_code(page)
    plots = data_of(ours, "plots")
    places = re.findall(r'class="plot" id="([^"]+)"', ours)
    assert sorted(plots) == sorted(places)
    names = {trace.get("name") for plot in plots.values() for trace in plot["data"]}
    assert names == {"real", "synthetic", "training", None}  # a heat map has no side


def test_every_picture_says_in_words_what_it_shows(page):
    ours = outside_of_the_drawing_code(page)
    for tag in re.findall(r'<div class="plot" [^>]*>', ours):
        assert re.search(r'role="img" aria-label="[^"]+', tag)


def test_every_channel_can_be_chosen_from_the_list_and_from_the_table(page):
    ours = outside_of_the_drawing_code(page)
    channels = data_of(ours, "channels")["channels"]
    assert sorted(one["name"] for one in channels) == sorted(some(0).channels)
    assert ours.count("data-channel=") == ours.count("<option value=") - 3 == 2  # three labels
    assert '<label for="channel">' in ours and '<label for="group">' in ours


def test_the_page_is_written_whole(tmp_path):
    path = write_page(tmp_path / "page.html", RECORDS, some(0), some(1))
    assert path.read_text(encoding="utf-8").startswith("<!doctype html>")
    assert [file.name for file in tmp_path.iterdir()] == ["page.html"]


def test_a_page_without_training_windows_says_that_copies_cannot_be_found(tmp_path):
    ours = outside_of_the_drawing_code(render(RECORDS, some(0), some(1)))
    assert "The training windows were not given" in ours
    assert "not given</dd>" in ours


def test_a_page_of_old_records_without_groups_and_of_nothing_can_be_made():
    assert "Other measures" in render([row("marginal_distance")], some(0), some(1))
    assert "Nothing could be measured" in render([], some(0), some(1))


def test_a_page_of_twenty_channels_stays_small():
    names = tuple(f"channel {i}" for i in range(20))
    sides = [some(i, channels=names, count=400, length=48) for i in range(3)]
    ours = outside_of_the_drawing_code(render([row("tstr_rmse")], *sides))
    assert len(ours) < 1_500_000


@pytest.mark.parametrize("figure", FIGURES)
@pytest.mark.parametrize(
    "y", [np.repeat(["a", "b"], 20), np.zeros(40), np.arange(40) % 3], ids=["words", "one", "few"]
)
def test_pictures_take_any_label_gaps_and_constant_channels(figure, y):
    real, synthetic = some(0, y=y), some(1, y=y)
    real.x[:, :, 0] = 5
    real.x[3, 2, 1] = np.nan
    panel = figure(Sides(real, synthetic, real, asked=(real, synthetic)))
    json.dumps([[plot.data, plot.layout] for plot in panel.plots], allow_nan=False)


@pytest.mark.parametrize("figure", FIGURES)
def test_pictures_take_very_few_windows_of_very_many_channels(figure):
    real = some(0, channels=tuple(f"c{i}" for i in range(60)))[:2]
    bare = replace(real, y=None)
    panel = figure(Sides(bare, bare, bare, asked=(bare, bare)))
    assert len(panel.plots) <= 6


def test_a_correlation_matrix_names_the_channels_that_it_leaves_out():
    names = tuple(f"c{i}" for i in range(43))
    real, synthetic = (some(i, channels=names) for i in range(2))
    synthetic.x[:, :, 3:] += 5  # the first three lie nearest
    panel = FIGURES[0](Sides(real, synthetic, None, asked=(real, synthetic)))
    assert "not: c0, c1, c2." in panel.text
    assert {len(plot.data[0]["z"]) for plot in panel.plots} == {40}


def test_the_pair_of_channels_that_is_furthest_off_is_told_in_words():
    real = some(0, channels=("a", "b", "c"), count=200)
    synthetic = some(1, channels=("a", "b", "c"), count=200)
    synthetic.x[:, :, 2] = synthetic.x[:, :, 1]
    panel = FIGURES[0](Sides(real, synthetic, None, asked=(real, synthetic)))
    assert "Furthest apart: b and c (real" in panel.text and "synthetic 1.00)" in panel.text


def test_a_copy_is_the_first_of_the_gallery_and_lies_on_its_original():
    train, synthetic = some(0, count=60, length=24), some(1, length=24)
    synthetic.x[7, 1:] = train.x[33, :-1]  # a copy moved by one time point
    sides = Sides(some(2, length=24), synthetic, train, asked=(some(2, length=24), synthetic))
    panel = FIGURES[2](sides)
    first = panel.plots[0]
    assert first.title.startswith("Distance 0, 0.00 × unseen real, shift +1")
    theirs, ours = first.data[:2]
    shared = [(x, y) for x, y in zip(ours["x"], ours["y"], strict=True) if x >= 1]
    drawn = dict(zip(theirs["x"], theirs["y"], strict=True))
    assert all(abs(drawn[x] - y) < 0.02 for x, y in shared)


def test_short_numbers_keep_digits_that_matter_on_a_high_level():
    assert short([2388, 2388.1, np.nan, 2388.0499999]) == [2388, 2388.1, None, 2388.05]
    assert short([0.123456, 1e5]) == [0, 100_000]
    assert short([7.25, 7.25]) == [7.25, 7.25] and short([]) == []


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
