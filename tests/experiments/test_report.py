from html.parser import HTMLParser

import numpy as np
import pandas as pd
import pytest
from made_results import CORNER, GRID, a_row, made, the_paper
from rich.console import Console

from experiments.engine import formats
from experiments.newsgroups.report import REPORT, figures, published, tables
from experiments.newsgroups.report.budgets import split

pytestmark = pytest.mark.any_backend

FAILED, UNFINISHED = ("relu", 2e-3, "lstm2"), ("relu", 1e-3, "lstm")


def the_budget(rows):
    (budget,) = split(made(rows))
    return budget


@pytest.fixture(scope="module")
def small():
    """Four entries of a reduced budget, one of two seeds, and two without."""
    rows = [a_row(entry, epochs=20, value=0.7) for entry in CORNER]
    rows += [a_row(CORNER[3], 1, 0.72, epochs=20)]
    rows += [a_row(FAILED, epochs=20, status="failed", error="ValueError: no")]
    rows += [a_row(UNFINISHED, epochs=20, status="unfinished")]
    rows += [a_row(CORNER[0], 5, 0.99, epochs=10)]  # another budget
    rows[0]["breakdown_epoch"] = 2
    return made(rows)


@pytest.fixture(scope="module")
def budget(small):
    return split(small)[0]


@pytest.fixture(scope="module")
def written(small, tmp_path_factory):
    return REPORT.write(small, tmp_path_factory.mktemp("report"))[0].parent


def test_the_tables_as_printed():
    printed = published.load()
    assert len(printed) == 60
    assert list(dict.fromkeys(printed.index.get_level_values(0))) == [
        "tanh",
        "linear",
        "sigmoid",
        "softmax",
        "relu",
    ]
    assert printed["val_accuracy"].loc["relu", 5e-4, "lstm3"] == 0.73118
    assert printed["val_loss"].loc["tanh", 2e-3, "lstm"] == 1.26626372355


def test_published_reproduced_and_difference_side_by_side(budget):
    table = tables.long_table(budget)
    assert table.shape == (15 * 4, 8)
    entry = table.loc[("tanh", 2e-3, "lstm3")]
    assert entry["published"] == 0.74469
    assert entry["reproduced"] == pytest.approx(0.71)
    assert entry["spread"] == pytest.approx(0.01 * np.sqrt(2))
    assert entry["difference"] == pytest.approx(0.71 - 0.74469)
    assert entry["n"] == 2
    text = tables.marked(budget).loc[("tanh", "2e-3")]["lstm3"]
    assert text.tolist() == ["74.469", "71.000 ± 1.414 (2)", "-3.469"]


def test_where_there_is_no_run_the_entry_is_empty(budget):
    entry = tables.long_table(budget).loc[("tanh", 1e-3, "lstm")]
    assert np.isnan([entry["reproduced"], entry["spread"]]).all()
    assert entry["n"] == 0
    text = tables.marked(budget).loc[("tanh", "1e-3")]["lstm"]
    assert text.tolist() == ["72.443", "", ""]


def test_runs_without_a_result_stay_visible(budget, written):
    text = tables.marked(budget)
    assert text.loc[("relu", "2e-3")]["lstm2", "reproduced"] == "‡"
    assert text.loc[("relu", "1e-3")]["lstm", "reproduced"] == "§"
    assert text.loc[("tanh", "2e-3")]["lstm", "reproduced"] == "70.000†"
    long = tables.long_table(budget)
    assert long["failed"].sum() == long["unfinished"].sum() == 1
    assert long["broke_down"].sum() == 1
    page = (written / "index.html").read_text("utf-8")
    assert "ValueError: no" in page and "‡ a run failed" in page


def test_a_reduced_budget_is_never_taken_for_the_full_one(budget, written):
    words = "epochs 20 of 100"
    for metric in tables.METRICS:
        assert words in tables.caption(budget, metric)
    for path in written.glob("*.tex"):
        if path.stem in (
            "contradictions",
            "runs_without_result",
            "made_with",
            "all_settings",
        ):
            continue
        assert words in path.read_text("utf-8"), path.name
    page = (written / "index.html").read_text("utf-8")
    assert "Not the full experiment" in page
    # The other budget is named, and its run of 99 % in no table.
    assert "epochs 10 of 100; all posts (runs: 1; --budget 1)" in page
    assert tables.long_table(budget)["reproduced"].max() < 0.9


def test_a_loss_that_is_not_finite_is_said_to_be_so():
    rows = [a_row(CORNER[0]), a_row(CORNER[0], 1)]
    rows[0]["val_loss"] = None
    text = tables.marked(the_budget(rows), "val_loss")
    entry = text.loc[("tanh", "2e-3")]["lstm", "reproduced"]
    assert entry.startswith("not finite")


def test_entries_that_the_paper_does_not_have_come_behind():
    rows = [a_row(("tanh", 2e-3, "lstm4a")), a_row(("tanh", 3e-3, "lstm"))]
    table = tables.marked(the_budget(rows))
    assert list(table.columns.get_level_values(0).unique()) == [
        *("lstm", "lstm1", "lstm2", "lstm3", "lstm4a"),
    ]
    assert list(table.index[:4]) == [
        *(("tanh", rate) for rate in ("2e-3", "1e-3", "5e-4", "3e-3")),
    ]
    assert formats.rate(3e-3) == "3e-3" and formats.rate(1.5e-4) == "1.5e-4"


def test_layers_are_timed_by_device():
    rows = [
        a_row(CORNER[0], seed, device=device, seconds_per_epoch=seconds)
        for seed, (device, seconds) in enumerate([("a", 2), ("a", 4), ("b", 9)])
    ]
    layers = tables.layers(the_budget(rows))
    assert layers["seconds_per_epoch"].to_dict() == {
        ("lstm", "a"): 3,
        ("lstm", "b"): 9,
    }
    assert layers["parameters"].tolist() == [1004, 1004]


def test_csv_has_the_numbers(small, written):
    for made_report in REPORT.contents(small):
        read = pd.read_csv(written / f"{made_report.name}.csv")
        expected = made_report.numbers.reset_index(drop=True)
        assert list(read.columns) == list(expected.columns)
        for name in expected.select_dtypes("number"):
            # pandas 3.0 reads some with other last digits.
            np.testing.assert_allclose(
                read[name].to_numpy(float),
                expected[name].to_numpy(float, na_value=np.nan),
                rtol=1e-12,
            )


class Tags(HTMLParser):
    VOID = {"meta", "img", "br", "link"}

    def __init__(self):
        super().__init__()
        self.open, self.images, self.links, self.ids = [], [], [], set()

    def handle_starttag(self, tag, attributes):
        attributes = dict(attributes)
        self.ids.add(attributes.get("id"))
        if tag == "img":
            self.images.append(attributes["src"])
        if tag == "a":
            self.links.append(attributes["href"])
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


def test_the_page_is_whole(written):
    tags = Tags()
    tags.feed((written / "index.html").read_text("utf-8"))
    assert not tags.open
    assert len(tags.images) == 4  # no run is linear: no breakdowns
    for name in tags.images:
        assert (written / name).read_bytes().startswith(b"\x89PNG")
    for link in tags.links:
        if link.startswith("#"):
            assert link[1:] in tags.ids
        elif not link.startswith("https://arxiv.org/"):
            assert (written / link).exists()


def test_latex_has_as_many_entries_in_each_row(written):
    paths = list(written.glob("*.tex"))
    assert len(paths) == 12
    for path in paths:
        text = path.read_text("utf-8")
        assert text.isascii(), path.name
        for name in ("table*", "tabular"):
            assert text.count(f"\\begin{{{name}}}") == 1
            assert text.count(f"\\end{{{name}}}") == 1
        assert text.count("{") == text.count("}")
        body = text.split("\\toprule")[1].split("\\bottomrule")[0]
        widths = set()
        for line in body.splitlines():
            if line.endswith("\\\\"):
                plain = line.replace("\\&", "")
                spans = plain.count("\\multicolumn{3}")
                widths.add(plain.count("&") + 2 * spans)
        assert len(widths) == 1, path.name


def shown(results, width):
    console = Console(width=width, record=True, file=open("/dev/null", "w"))
    with console.file:
        REPORT.show(results, console)
    return console.export_text()


@pytest.mark.parametrize("width", [80, 160])
def test_in_a_terminal(small, width):
    text = shown(small, width)
    for word in ("74.5", "71.0 ±1.4", "‡", "20 of 100", "Not shown: epochs 10"):
        assert word in text
    assert max(map(len, text.splitlines())) <= width


@pytest.mark.parametrize(
    "variants",
    [
        ("gru3", "mgu2", "mgu3"),
        ("mgu3", "gru3", "lstm2"),
        ("hb/1.0/xhb/b", "lstm3"),
    ],
)
def test_every_column_is_that_of_its_variant(variants):
    entries = [("tanh", 2e-3, variant) for variant in variants]
    values = [0.5 + 0.1 * k for k, _ in enumerate(variants)]
    budget = the_budget(
        [a_row(e, value=v) for e, v in zip(entries, values, strict=True)]
    )
    in_terminal = tables.short(budget)
    page = tables.marked(budget).loc[("tanh", "2e-3")]
    loss = tables.marked(budget, "best_val_loss").loc[("tanh", "2e-3")]
    assert set(in_terminal.columns) == {"activation", "rate", *variants}
    for variant, value in zip(variants, values, strict=True):
        (found,) = in_terminal[variant]
        assert found.endswith(f"\n{100 * value:.1f}")
        assert page[variant]["reproduced"] == f"{100 * value:.3f}"
        assert loss[variant] == "1.000"


def test_in_a_terminal_the_whole_paper_is_short():
    text = shown(the_paper(seeds=(0, 1), noise=0.02), 80)
    assert len(text.splitlines()) < 120
    assert max(map(len, text.splitlines())) <= 80
    for entry in ("linear", "sigmoid", "softmax", "lstm3"):
        assert entry in text.split()


def test_settings_that_vary_are_columns():
    rows = [a_row(CORNER[0], units=u, value=u / 200) for u in (64, 128)]
    items = {item.name: item for item in REPORT.contents(made(rows))}
    text = items["all_settings"].text
    assert text[["units", "val accuracy"]].to_numpy().tolist() == [
        ["64", "32.0 %"],
        ["128", "64.0 %"],
    ]
    assert "all_settings" not in {
        item.name for item in REPORT.contents(made(rows[:1]))
    }


@pytest.mark.parametrize("width", [20, 40, 80])
def test_no_word_of_a_table_is_split(width):
    words = "considerably longer words than a column has place for".split()
    frame = pd.DataFrame({f"{w} {w}": [" ".join(words), w] for w in words[:4]})
    console = Console(width=width, record=True, file=open("/dev/null", "w"))
    with console.file:
        formats.show(console, frame, "title")
    text = console.export_text()
    printed = text.replace(":", " ").replace(";", " ").split()
    for word in words:
        assert printed.count(word) >= 4
    assert max(map(len, text.splitlines())) <= width


def test_legends_and_titles_fit_their_pictures(tmp_path, monkeypatch):
    more = {"units": 64, "batch_size": 64, "dropout": 0.1, "filters": 64}
    rows = [
        a_row(CORNER[0], s, samples=2_000, epochs=9, **more) for s in (0, 1)
    ]
    budget, drawn = the_budget(rows), []
    monkeypatch.setattr("matplotlib.pyplot.close", drawn.append)
    figures.overview(budget, tmp_path / "x.png")
    figures.variant_curves(budget, tmp_path / "x.png")
    figures.seed_spread(budget, tmp_path / "x.png", "lstm")
    assert len(drawn) == 3
    for figure in drawn:
        texts = [*figure.legends, *filter(None, [figure._suptitle])]
        assert texts
        for text in texts:
            box = text.get_window_extent()
            assert 0 <= box.x0 and box.x1 <= figure.bbox.x1


def test_an_interval_of_few_seeds_does_not_shrink_the_curves(
    tmp_path, monkeypatch
):
    values = (0.75, 0.74, 0.05)
    rows = [a_row(CORNER[0], seed, value) for seed, value in enumerate(values)]
    budget, drawn = the_budget(rows), []
    monkeypatch.setattr("matplotlib.pyplot.close", drawn.append)
    figures.variant_curves(budget, tmp_path / "x.png", CORNER[0][0])
    accuracy = drawn[0].axes[0]
    shown = 100 * budget.history["val_accuracy"]
    span = shown.max() - shown.min()
    low, high = accuracy.get_ylim()
    assert shown.min() - 0.1 * span < low < shown.min()
    assert shown.max() < high < shown.max() + 0.1 * span


def test_before_any_run(tmp_path):
    page = REPORT.write(made([]), tmp_path)[0].read_text("utf-8")
    assert "no runs" in page and "74.469" in page
    REPORT.show(made([]), Console(quiet=True))


def test_pictures_of_what_was_run(tmp_path):
    rows = [
        a_row((activation, 2e-3, variant), seed)
        for activation in ("tanh", "linear")
        for variant in ("lstm", "lstm3", "lstm4a")
        for seed in range(4)
    ]
    for row in rows:
        if row["activation"] == "linear" and row["variant"] == "lstm":
            row["breakdown_epoch"] = 2
    budget = the_budget(rows)
    for draw in (
        figures.variant_curves,
        figures.seed_spread,
        figures.breakdowns,
        figures.overview,
    ):
        path = tmp_path / f"{draw.__name__}.png"
        assert draw(budget, path)
        assert path.read_bytes().startswith(b"\x89PNG")
    assert not figures.seed_spread(budget, tmp_path / "x.png", "lstm2")
    assert not (tmp_path / "x.png").exists()


def test_each_variant_has_one_color():
    colors = figures._colors(["lstm4a", "lstm5", "lstm"])
    assert len(set(colors.values())) == len(colors)
    assert colors["lstm3"] == figures.COLORS["lstm3"]


def test_runs_like_the_paper_differ_by_nothing():
    for metric in ("val_accuracy", "val_loss"):
        long = tables.long_table(split(the_paper())[0], metric)
        assert list(long.index) == GRID
        np.testing.assert_allclose(long["difference"], 0, atol=1e-12)
