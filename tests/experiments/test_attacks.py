"""Attacks on command lines and run folders, counted by the fixture `attack`."""

import argparse
import contextlib
import importlib
import io
import itertools
import json
import os
import shutil
import socket

import pandas as pd
import pytest
from drawn import mangled
from made_runs import make_run
from tiny import replaced

from experiments.engine import results

pytestmark = pytest.mark.any_backend

VALUES = (
    *("", "x", "-1", "0", "nan", "inf", "-inf", "1e400", "1" * 25, "none"),
    *("true", "[]", "{}", "a,b", "1,,2", "0-9999999999", "9-0", "\0", "é"),
    *("~nosuchuser/x", "n" * 300, "/dev/null", "/proc/self/mem/x", "1.5"),
    *("0x10", "1_000", "+1", " 1", "1 ", "-", "--", "lstm3,lstm3", "hb/1.0"),
)


def call(cli, arguments):
    """The exit status or exception of a command line, and its errors."""
    errors = io.StringIO()
    with (
        contextlib.redirect_stdout(io.StringIO()),
        contextlib.redirect_stderr(errors),
    ):
        try:
            status = cli.main(arguments)
        except SystemExit as end:
            status = end.code
        except BaseException as error:
            status = error
    return status, errors.getvalue().strip()


def options_of(cli):
    """Pairs of a command, but for `run`, which trains, and an option."""
    (commands,) = (
        action
        for action in cli.main.args[0]._actions
        if isinstance(action, argparse._SubParsersAction)
    )
    for command, parser in commands.choices.items():
        for action in parser._actions:
            for option in action.option_strings:
                if option.startswith("--") and action.nargs != 0:
                    if command not in ("run", "quickstart"):
                        yield command, option


def test_values(attack, experiment, data_dir, tmp_path, monkeypatch):
    """Invalid values of any option: exit status 2, and an error names it."""

    def refuse(*arguments, **options):
        raise OSError("no network")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.chdir(tmp_path)
    cli = importlib.import_module(f"experiments.{experiment.name}.cli")
    cases = list(itertools.product(options_of(cli), VALUES))
    attack.random.shuffle(cases)
    make_run(experiment, tmp_path / "runs")
    others = [f"--results-dir={tmp_path / 'runs'}"]
    of_sweep = [*others, "--dry-run", "--seed=0"]
    of_sweep += {"newsgroups": ["--embedding-dim=8"]}.get(experiment.name, [])
    for (command, option), value in cases[: attack.limit]:
        # So that nothing is wrong but the value.
        arguments = of_sweep if command == "sweep" else others
        arguments = [command, *replaced(arguments, f"{option}={value}")]
        with monkeypatch.context() as patch:
            # The option `--data-dir` changes it.
            patch.setenv("KERAS_SLIM_DATA", str(data_dir))
            status, told = call(cli, arguments)
        name = option.removeprefix("--").replace("-", "_")
        fault = None
        if not isinstance(status, int):
            fault = f"{type(status).__name__}: {status}"
        elif status not in (0, 2):
            fault = f"status {status}: {told}"
        elif status and name not in told.replace("-", "_"):
            fault = f"not named: {told}"
        attack.tried(" ".join(arguments), fault)


def damaged(random, content):
    """The bytes of a file after an accident."""
    kinds = [mangled(random, content), b"", b" \n", b"{}", b"[]"]
    return random.choices(kinds, [5, 1, 1, 1, 1])[0]


def same(before, after):
    """Whether nothing else is read, such as a part of JSON that is doubled."""
    try:
        return json.loads(before) == json.loads(after)
    except ValueError:
        return before == after


def test_damaged_runs(attack, experiment, tmp_path):
    """Damaged files of runs: `collect` names them, and keeps all other runs."""
    cli = importlib.import_module(f"experiments.{experiment.name}.cli")
    whole = tmp_path / "whole"
    for seed in (0, 1):
        folder = make_run(experiment, whole, seed)
    for number in range(attack.limit):
        place = tmp_path / str(number)
        shutil.copytree(whole, place)
        run = place / experiment.name / folder.id
        path = attack.random.choice(
            sorted(path for path in run.iterdir() if path.is_file())
        )
        before = path.read_bytes()
        if attack.random.random() < 0.1:
            path.unlink()
            after = None
        else:
            path.write_bytes(after := damaged(attack.random, before))
        status, told = call(cli, ["collect", f"--results-dir={place}"])
        table = place / experiment.name / "runs.csv"
        text = table.read_text() if table.exists() else ""
        accepted = after is not None and path.name not in told
        fault = None
        if status != 0:
            fault = f"status {status}: {told}"
        elif accepted and not same(before, after):
            fault = f"not named: {told}"
        elif text.count(",done,") != 1 + accepted:
            fault = f"{text.count(',done,')} runs count as done"
        attack.tried(f"{path.name}, {str(after)[:60]}", fault)
        shutil.rmtree(place)
    assert os.listdir(tmp_path) == ["whole"]


class Died(BaseException):
    """The process, as far as a test can tell: no handler does anything."""


def test_deaths(attack, experiment, tmp_path, monkeypatch):
    """Processes that die between file operations: a sweep makes their runs."""
    done, last = 0, None

    def mortal(operation):
        def called(*arguments, **options):
            nonlocal done
            done += 1
            if last is not None and done > last:
                raise Died
            return operation(*arguments, **options)

        return called

    def sweep(place):
        for seed in range(3):
            make_run(experiment, place, seed)
        tables = experiment.tables
        return results.collect(place, tables).runs[
            ["id", "status", *tables.result]
        ]

    for name in ("fsync", "replace", "unlink", "mkdir"):
        monkeypatch.setattr(os, name, mortal(getattr(os, name)))
    wanted = sweep(tmp_path / "whole")
    total = done
    for number in range(attack.limit):
        place, done = tmp_path / str(number), 0
        last = attack.random.randrange(total)
        with contextlib.suppress(Died):
            sweep(place)
        died, last = last, None
        fault = None
        try:
            pd.testing.assert_frame_equal(sweep(place), wanted)
        except Exception as error:
            fault = f"{type(error).__name__}: {error}"
        attack.tried(f"after {died} of {total} operations", fault)
