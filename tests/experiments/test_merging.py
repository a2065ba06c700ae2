"""Tables of several results folders, put together in one."""

import importlib
import shutil
from pathlib import Path

import pandas as pd
import pytest
from made_runs import EXPERIMENTS, make_run

from experiments.engine import results

pytestmark = pytest.mark.any_backend


def main_of(experiment):
    """The function of its command line."""
    return importlib.import_module(f"experiments.{experiment.name}.cli").main


@pytest.fixture
def collect(experiment, tmp_path):
    """Runs the command and returns its exit status."""

    def run(results_dir, to, *options):
        places = (f"--results-dir={tmp_path / results_dir}", f"--to={to}")
        return main_of(experiment)(["collect", *places, *options])

    return run


@pytest.fixture
def place(tmp_path):
    return tmp_path / "tables"


def tables(folder):
    """The text of each file."""
    return {path.name: path.read_text() for path in folder.glob("*.csv")}


def edit(path, **columns):
    """Changes columns of the first row of a CSV file."""
    table = pd.read_csv(path, dtype="str", keep_default_na=False)
    for name, value in columns.items():
        table.loc[0, name] = value
    table.to_csv(path, index=False, lineterminator="\n")


def figure_of(experiment):
    """The name of a figure of a finished run."""
    return next(n for n in experiment.tables.result if n.endswith("accuracy"))


def test_tables_of_two_folders_are_those_of_one(
    experiment, collect, tmp_path, place, capsys
):
    runs = [
        make_run(
            experiment, tmp_path / "all", seed, done=2 if seed == 3 else None
        )
        for seed in (4, 1, 3, 0, 2)
    ]
    assert collect("all", tmp_path / "expected") == 0
    capsys.readouterr()
    # One of them was made in both.
    for name, own in (("a", runs[:3]), ("b", runs[2:])):
        for folder in own:
            copy = tmp_path / name / experiment.name / folder.id
            shutil.copytree(folder.path, copy)
    expected = tables(tmp_path / "expected")
    assert set(expected) == {
        f"{name}.csv"
        for name in ("runs", "history", *experiment.tables.details)
    }
    for order in ("ab", "ba"):
        to = place / order
        for name in order:
            assert collect(name, to) == 0
        assert "3 of them new" in (told := capsys.readouterr().out)
        assert "5 runs (4 done, 1 failed)" in told and "2 of them new" in told
        assert tables(to) == expected
        for name in "aab":  # again
            assert collect(name, to) == 0
        assert "0 of them new" in capsys.readouterr().out
        assert tables(to) == expected


@pytest.mark.parametrize("order", ["done first", "done last"])
def test_a_run_that_is_done_takes_the_place_of_its_beginning(
    experiment, collect, tmp_path, place, order
):
    make_run(experiment, tmp_path / "begun", done=1)
    make_run(experiment, tmp_path / "further", done=2)
    make_run(experiment, tmp_path / "done")
    names = ["begun", "further", "done"]
    for name in names if order == "done last" else names[::-1]:
        assert collect(name, place) == 0
        assert collect(name, place, "--replace") == 0
    assert collect("done", tmp_path / "expected") == 0
    assert tables(place) == tables(tmp_path / "expected")


@pytest.mark.parametrize("file", ["runs", "history", "details"])
def test_other_figures_of_a_run_are_an_error(
    experiment, collect, tmp_path, place, capsys, file
):
    figure = figure_of(experiment) if file == "runs" else "accuracy"
    if file == "details":
        if not experiment.tables.details:
            pytest.skip("the experiment has none")
        file, figure = "units", "mean"
    folder = make_run(experiment, tmp_path / "runs")
    other = make_run(experiment, tmp_path / "other", seed=1)
    assert collect("runs", place) == 0
    made = tables(place)
    value = pd.read_csv(place / f"{file}.csv", dtype="str")[figure][0]
    edit(place / f"{file}.csv", **{figure: "0.125"})
    assert collect("other", place) == 0  # none of this run
    before = tables(place)
    capsys.readouterr()

    assert collect("runs", place) == 2
    told = capsys.readouterr().err
    for word in (folder.id, figure, "0.125", value, str(place)):
        assert word in told
    assert str(tmp_path / "runs") in told and "--replace" in told
    assert other.id not in told
    assert tables(place) == before
    assert collect("runs", place, "--replace") == 0
    shutil.copytree(other.path, tmp_path / "runs" / experiment.name / other.id)
    assert collect("runs", tmp_path / "expected") == 0
    assert tables(place) == tables(tmp_path / "expected")
    assert tables(place) != made


def test_times_and_versions_are_no_figures_of_a_run(
    experiment, collect, tmp_path, place
):
    make_run(experiment, tmp_path / "runs")
    assert collect("runs", place) == 0
    expected = tables(place)
    edit(place / "runs.csv", seconds_per_epoch="9.5", started="", keras="2")
    edit(place / "history.csv", seconds="9.5")
    assert collect("runs", place) == 0
    assert tables(place) == expected
    assert collect("runs", place, "--without-seconds") == 0
    found = results.read(place, experiment.tables)
    assert found.history["seconds"].isna().all()
    assert collect("runs", place) == 0
    assert tables(place) == expected


@pytest.mark.parametrize(
    "name", ["unit_forget_bias", "result", "backend_version", "accuracy"]
)
def test_a_table_of_an_earlier_version_lacks_a_column(
    experiment, collect, tmp_path, place, name
):
    file = "history" if name == "accuracy" else "runs"
    name = figure_of(experiment) if name == "result" else name
    for seed in (0, 1):
        make_run(experiment, tmp_path / "runs", seed)
    make_run(experiment, tmp_path / "old", seed=1)
    make_run(experiment, tmp_path / "old", seed=2)
    assert collect("old", place) == 0
    path = place / f"{file}.csv"
    table = pd.read_csv(path, dtype="str", keep_default_na=False)
    table.drop(columns=name).to_csv(path, index=False)

    assert collect("runs", place) == 0
    found = getattr(results.read(place, experiment.tables), file)
    by_run = found.groupby(found["id"].map(id_to_seed(place)))
    kept = by_run[name].agg(lambda values: values.notna().all())
    is_setting = name == "unit_forget_bias"
    assert kept.to_dict() == {0: True, 1: True, 2: is_setting}
    if is_setting:  # as every run had it before it was a setting
        assert found[name].all()


def id_to_seed(folder):
    runs = pd.read_csv(folder / "runs.csv")
    return dict(zip(runs["id"], runs["seed"], strict=True))


def test_a_column_of_a_later_version_stays(
    experiment, collect, tmp_path, place
):
    make_run(experiment, tmp_path / "later", seed=1)
    make_run(experiment, tmp_path / "runs")
    assert collect("later", place) == 0
    edit(place / "runs.csv", later_figure="007")
    for name in ("runs", "later"):
        assert collect(name, place) == 0
        found = pd.read_csv(place / "runs.csv", dtype="str").set_index("seed")
        assert found.loc["1", "later_figure"] == "007"
        assert pd.isna(found.loc["0", "later_figure"])


DAMAGES = {
    "cut off": lambda text: text[:-20],
    "empty": lambda text: "",
    "a line is short": lambda text: text + "a,b\n",
    "a line twice": lambda text: text + text.splitlines()[-1] + "\n",
    "no table": lambda text: "PK\x03\x04\n",
    "another table": lambda text: "x,y\n1,2\n",
    "a word for a number": lambda text: text.replace(",3,", ",three,"),
    "a number too large": lambda text: text.replace(",3,", f",{10**25},"),
}


@pytest.mark.parametrize("file", ["runs", "history"])
def test_a_table_that_is_damaged_is_named_and_stays_as_it_is(
    experiment, collect, tmp_path, place, capsys, file
):
    make_run(experiment, tmp_path / "runs")
    assert collect("runs", place) == 0
    path = place / f"{file}.csv"
    whole = path.read_text()
    for damage in DAMAGES.values():
        path.write_text(damage(whole))
        before = tables(place)
        assert before[path.name] != whole
        report = ["report", f"--from={place}", f"--to={tmp_path / 'report'}"]
        collected = collect("runs", place, "--replace")
        told = capsys.readouterr().err
        reported = main_of(experiment)(report)
        for message in told, capsys.readouterr().err:
            assert str(path) in message and "Traceback" not in message
        assert (collected, reported) == (2, 2)
        assert tables(place) == before
        assert not (tmp_path / "report").exists()


def test_epochs_that_are_not_in_order_are_named(
    experiment, collect, tmp_path, place, capsys
):
    """As after sorting in a spreadsheet."""
    make_run(experiment, tmp_path / "runs")
    assert collect("runs", place) == 0
    path = place / "history.csv"
    header, *rows = path.read_text().splitlines()
    assert len(rows) > 1
    path.write_text("\n".join([header, *rows[::-1], ""]))
    assert collect("runs", place) == 2
    assert f"{path} cannot be read: the epochs" in capsys.readouterr().err


def test_details_that_are_missing_are_named(
    collect, experiment, tmp_path, place, capsys
):
    make_run(experiment, tmp_path / "runs")
    assert collect("runs", place) == 0
    for name in experiment.tables.details:
        path = place / f"{name}.csv"
        whole = path.read_text()
        path.write_text(whole.splitlines()[0] + "\n")
        assert collect("runs", place) == 2
        told = capsys.readouterr().err
        assert f"{path} cannot be read: the run" in told
        path.write_text(whole)


def test_tables_without_runs_are_reported_as_such(
    experiment, collect, tmp_path, place, capsys
):
    make_run(experiment, tmp_path / "runs")
    assert collect("runs", place) == 0
    for path in place.glob("*.csv"):
        path.write_text(path.read_text().splitlines()[0] + "\n")
    report = ["report", f"--from={place}", f"--to={tmp_path / 'report'}"]
    if experiment.name == "newsgroups":  # it has what is published
        assert main_of(experiment)(report) == 0
    else:
        assert main_of(experiment)(report) == 2
        assert "no runs" in capsys.readouterr().err


def test_a_table_that_is_missing_is_named(
    experiment, collect, tmp_path, place, capsys
):
    make_run(experiment, tmp_path / "runs")
    assert collect("runs", place) == 0
    expected = tables(place)
    (place / "history.csv").unlink()
    assert collect("runs", place) == 2
    assert str(place / "history.csv") in capsys.readouterr().err
    # `runs.csv` is written last: without it the others may stand.
    (place / "history.csv").write_text(expected["history.csv"])
    (place / "runs.csv").unlink()
    assert collect("runs", place) == 0
    assert tables(place) == expected


def test_a_table_of_another_experiment_or_setting_is_named(
    experiment, collect, tmp_path, place, capsys
):
    make_run(experiment, tmp_path / "runs")
    other = next(e for e in EXPERIMENTS if e is not experiment)
    foreign = Path(__file__).parents[2] / "results" / other.name
    shutil.copytree(foreign, tmp_path / "foreign")
    assert collect("runs", tmp_path / "foreign") == 2
    told = capsys.readouterr().err
    assert f"{tmp_path / 'foreign'}/" in told
    assert collect("runs", place) == 0
    edit(place / "runs.csv", seed="5")
    assert collect("runs", place) == 2
    told = capsys.readouterr().err
    assert str(place / "runs.csv") in told
    assert f"of the experiment {experiment.name}" in told


def test_tables_are_on_the_disk_before_they_have_their_names(
    experiment, collect, tmp_path, place, order
):
    make_run(experiment, tmp_path / "runs")
    order.clear()
    assert collect("runs", place) == 0
    names = [*experiment.tables.details, "history", "runs"]
    calls = [call for call in order if call[0] != "unlink"]
    assert calls[-3 * len(names) :] == [
        call
        for name in names
        for call in (("fsync", name), ("replace", name), ("fsync", "tables"))
    ]


def test_rows_of_before_stay_as_they_are_written(
    experiment, collect, tmp_path, place
):
    """To the last digit: those of `results/`, with a run that is new."""
    folder = make_run(experiment, tmp_path / "runs")
    shutil.copytree(
        Path(__file__).parents[2] / "results" / experiment.name, place
    )
    before = tables(place)
    assert collect("runs", place) == 0
    for name, text in tables(place).items():
        kept = [line for line in text.splitlines() if folder.id not in line]
        assert kept == before[name].splitlines()
        assert len(kept) < len(text.splitlines())
