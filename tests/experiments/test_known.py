"""A sweep that is continued on another machine from collected tables."""

import dataclasses
import shlex

import pandas as pd
import pytest
from made_runs import make_run, untrained

from experiments.engine import command_line, parsers, seeds
from experiments.engine.runs import read_runs

pytestmark = pytest.mark.any_backend


@pytest.fixture
def experiment(experiment, reported):
    """Whose runs are not trained, and whose reports are not written."""

    class Report:
        def write(self, found, folder, number):
            reported.append(found)
            return [folder / "index.html"]

        def show(self, found, console, number):
            pass

    return dataclasses.replace(untrained(experiment), report=Report())


@pytest.fixture
def reported():
    """The results of each report."""
    return []


@pytest.fixture
def line(experiment, data_dir, tmp_path):
    """The command line of a sweep over four runs of small data."""
    text = tmp_path / "text.txt"
    text.write_text("the rain in spain. " * 100)
    of_data = {
        "newsgroups": ["--embedding-dim=8", "--samples=30"],
        "memory_duration": [f"--text={text}", "--characters=1500"],
        "long_memory": ["--length=25", "--samples=100"],
    }[experiment.name]
    return ["--variant=lstm,lstm3", "--seed=0-1", "--epochs=3", *of_data]


@pytest.fixture
def command(experiment, tmp_path, monkeypatch, capsys):
    """Runs a command; its exit status, and what it said."""
    monkeypatch.chdir(tmp_path)

    def run(name, *options):
        parser = parsers.Parser(prog="test")
        own = parser.add_subparsers(dest="command").add_parser(name)
        parsers_of = {
            "sweep": lambda: parsers.add_sweep(own, experiment, "", ""),
            "collect": lambda: parsers.add_collect(own, experiment),
            "report": lambda: parsers.add_report(own, experiment, ""),
        }
        parsers_of[name]()
        status = command_line.main(
            parser, command_line.commands(experiment), [name, *options]
        )
        return status, "".join(capsys.readouterr())

    return run


def ids(experiment, results_dir):
    return {run["id"] for run in read_runs(results_dir, experiment.name)}


def table(folder, name="runs"):
    """What may not differ between two machines."""
    found = pd.read_csv(folder / f"{name}.csv", dtype="str")
    return found.drop(columns=["started", "seconds"], errors="ignore")


def test_a_sweep_goes_on_from_what_is_collected(
    experiment, line, command, reported, tmp_path
):
    assert command("sweep", *line, "--no-known", "--results-dir=whole")[0] == 0
    assert command("collect", "--results-dir=whole", "--to=expected")[0] == 0
    one = [*line, "--variant=lstm3"][1:]
    assert command("sweep", *one, "--no-known", "--results-dir=a")[0] == 0
    assert command("collect", "--results-dir=a", "--to=known")[0] == 0

    known = [*line, "--known=known", "--results-dir=b"]
    status, told = command("sweep", *known)
    assert status == 0
    assert "2 runs are known from known\n2 of 4 runs are done" in told
    assert "[4 of 4] " in told and "seed 1: " in told
    made = ids(experiment, tmp_path / "b")
    assert len(made) == 2
    assert made | ids(experiment, tmp_path / "a") == (
        ids(experiment, tmp_path / "whole")
    )
    assert "4 of 4 runs are done" in command("sweep", *known)[1]
    # The command that it ends with shows all four.
    (shown,) = (w for w in told.splitlines() if w.startswith("Tables and"))
    assert "--results-dir=b --known=known" in shown
    assert command("report", *shlex.split(shown.split(" report ")[1]))[0] == 0
    assert command("collect", "--results-dir=b", "--to=tables")[0] == 0
    assert command("report", "--from=tables", "--known=known")[0] == 0
    whole = ids(experiment, tmp_path / "whole")
    assert [set(found.runs["id"]) for found in reported] == 2 * [whole]
    assert command("collect", "--results-dir=b", "--to=known")[0] == 0
    for name in ("runs", "history", *experiment.tables.details):
        pd.testing.assert_frame_equal(
            table(tmp_path / "known", name), table(tmp_path / "expected", name)
        )


def test_dry_run_tells_what_is_known_and_where(
    experiment, line, command, tmp_path
):
    for name, seed in (("a", 0), ("b", 1)):
        one = [*line, "--variant=lstm", f"--seed={seed}"][2:]
        places = ["--no-known", f"--results-dir={name}"]
        assert command("sweep", *one, *places)[0] == 0
        to = f"--to={name}/known"
        assert command("collect", to, f"--results-dir={name}")[0] == 0
    before = sorted(tmp_path.rglob("*"))
    dry = ["sweep", *line, "--dry-run", "--results-dir=c"]

    status, told = command(*dry, "--known=a/known", "--known=b/known")
    assert status == 0
    assert "4 runs: 2 known, 2 left; 6 epochs to go" in told
    assert "Known: 1 from a/known, 1 from b/known" in told
    assert "About 6 min, one run at a time, at the 60.0 s per epoch of" in told
    assert "known runs, on " in told and "For 2 runs, no comparable" in told
    assert sorted(tmp_path.rglob("*")) == before
    # What is done here is not known from elsewhere.
    status, told = command(*dry[:-1], "--results-dir=a", "--known=a/known")
    assert "4 runs: 1 done, 3 left; 9 epochs to go" in told
    assert "s per epoch of the runs in this folder" in told
    for nothing in ("--no-known", "--known=a/known --no-known"):
        _, told = command(*dry, *nothing.split())
        assert "4 runs: 4 left; 12 epochs to go" in told
        assert "no estimate of the time" in told
    options = ["--to=untimed", "--results-dir=a", "--without-seconds"]
    assert command("collect", *options)[0] == 0
    _, told = command(*dry, "--known=untimed")
    assert "1 known, 3 left" in told and "no estimate of the time" in told


def test_a_run_that_is_not_done_is_not_known(experiment, line, command):
    done = make_run(experiment, "a")
    make_run(experiment, "a", seed=1, done=2)
    assert command("collect", "--results-dir=a", "--to=known")[0] == 0
    known = experiment.known(["known"])
    assert known.places == {done.id: "known"}
    assert len(known.results.runs) == 2


def test_by_default_the_results_of_the_checkout_are_known(experiment):
    (folder,) = set(experiment.known().places.values())
    assert folder.parts[-2:] == ("results", experiment.name)
    runs = pd.read_csv(folder / "runs.csv")
    assert set(experiment.known().places) == set(
        runs.loc[runs["status"] == "done", "id"]
    )
    assert experiment.known([]).places == {}


def test_seeds_from_the_clock_that_are_known_are_not_drawn_again(
    experiment, line, command, tmp_path, monkeypatch
):
    clock = [*line, "--seed=clock"][:1] + [*line[2:], "--seed=clock"]
    monkeypatch.setattr(seeds.time, "time", lambda: 1_700_000_000.0)
    one = [*clock[1:], "--variant=lstm3"]
    assert command("sweep", *one, "--no-known", "--results-dir=a")[0] == 0
    assert command("collect", "--results-dir=a", "--to=known")[0] == 0

    monkeypatch.setattr(seeds.time, "time", lambda: 1_800_000_000.0)
    known = ["sweep", *clock, "--known=known", "--results-dir=b"]
    assert "2 runs: 1 known, 1 left" in command(*known, "--dry-run")[1]
    assert not (tmp_path / "b").exists()
    assert "1 of 2 runs are done" in command(*known)[1]
    (run,) = read_runs(tmp_path / "b", experiment.name)
    assert run["config"]["variant"] == "lstm"
    assert run["config"]["seed"] == 1_800_000_000
    # The seed is kept: without the folder it is the same run that is left.
    _, told = command("sweep", *clock, "--no-known", "--results-dir=b")
    assert "1 of 2 runs are done" in told
    assert ids(experiment, tmp_path / "a") < ids(experiment, tmp_path / "b")


def test_known_folders_that_cannot_be_used_are_named(
    experiment, line, command, tmp_path
):
    status, told = command("sweep", *line, "--known=nowhere")
    assert status == 2 and "nowhere" in told and "Traceback" not in told
    make_run(experiment, "a")
    for to in ("one", "other"):
        assert command("collect", "--results-dir=a", f"--to={to}")[0] == 0
    path = tmp_path / "other" / "history.csv"
    history = pd.read_csv(path, dtype="str")
    history.loc[0, "loss"] = "0.125"
    history.to_csv(path, index=False)
    both = shlex.split("--known=one --known=other")
    for name in ("sweep", "report"):
        options = line if name == "sweep" else ["--results-dir=a"]
        status, told = command(name, *options, *both)
        assert status == 2 and "loss is" in told
        assert "in one and 0.125 in other" in told
    path.write_text("")
    status, told = command("sweep", *line, "--known=other")
    assert status == 2 and "other/history.csv" in told
    assert not (tmp_path / "runs").exists()
