import os
from pathlib import Path

import numpy as np
import pytest
from made_runs import EXPERIMENTS
from tiny import TINY, replaced

from experiments.newsgroups.config import Config

GROUPS = [f"group.{letter}" for letter in "abcd"]
WORDS = [f"{a}{b}" for a in "bcdfghjk" for b in "aeiou"]


@pytest.fixture(params=EXPERIMENTS, ids=lambda experiment: experiment.name)
def experiment(request):
    return request.param


@pytest.fixture
def data_dir(tmp_path, monkeypatch):
    """Posts whose words depend on their group, and vectors, in tmp_path."""
    random = np.random.default_rng(0)
    folder = tmp_path / "data"
    for number, group in enumerate(GROUPS):
        (folder / "20_newsgroup" / group).mkdir(parents=True)
        for post in range(20):
            own = WORDS[number * 10 : number * 10 + 10]
            text = " ".join(random.choice(4 * own + WORDS, 50))
            path = folder / "20_newsgroup" / group / str(1000 + post)
            path.write_text(f"Subject: none\n\n{text}\n")
    for dim in (8, 50):
        lines = [
            f"{word} " + " ".join(f"{v:.4f}" for v in random.normal(size=dim))
            for word in WORDS[:-5]
        ]
        path = folder / f"glove.6B.{dim}d.txt"
        path.write_text("\n".join(lines) + "\n")
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "keras"))
    monkeypatch.setenv("KERAS_SLIM_DATA", str(folder))
    return folder


@pytest.fixture
def tiny_config(data_dir):
    return Config(**TINY)


@pytest.fixture
def arguments(data_dir, tmp_path):
    """The command line of a tiny run."""
    options = [f"--{k.replace('_', '-')}={v}" for k, v in TINY.items()]
    return [*options, f"--results-dir={tmp_path / 'runs'}"]


@pytest.fixture
def sweep_arguments(arguments, data_dir):
    """The command line of a sweep over two tiny runs."""
    return replaced(
        ["sweep", "--preset=paper", *arguments],
        f"--data-dir={data_dir}",
        "--variant=lstm,lstm3",
        "--activation=tanh",
        "--learning-rate=2e-3",
        "--seed=3",
        "--epochs=2",
    )


@pytest.fixture
def order(monkeypatch):
    """The operations on files, in the order of the calls."""
    if not Path("/proc/self/fd").exists():
        pytest.skip("the system has no /proc")
    calls = []

    def record(name, tell):
        original = getattr(os, name)

        def called(*arguments, **options):
            calls.append((name, tell(*arguments)))
            return original(*arguments, **options)

        monkeypatch.setattr(os, name, called)

    def named(path, *_):
        return Path(path).name.split(".")[0]

    def opened(number):
        return named(os.readlink(f"/proc/self/fd/{number}"))

    record("fsync", opened)
    record("replace", lambda _, to: named(to))
    record("unlink", named)
    return calls
