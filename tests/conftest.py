import collections
import platform
import random
import time
from pathlib import Path

import hypothesis
import keras
import pytest

from keras_slim.variants import VARIANTS

# Rows that no paper has stand in for those that users write. In the others of
# a family, the reset gate is the same at all steps or reads `h`.
OWN_ROWS = {
    "own lstm": ("xu", "uhb", "xhb", 0.5),
    "own gru": ("uhb", "xb", "xhub"),
    "own mgu": (0.7, "xhu"),
}
# Of each family a row of the paper, full or slim, and of two one of no paper.
CHOSEN = {"lstm", "lstm3", "gru", "mgu3", "own lstm", "own gru"}


def pytest_generate_tests(metafunc):
    """Runs a test that takes `variant` over the whole table.

    The rows that are not `CHOSEN` are marked `further_row`.
    """
    given = [m.args[0] for m in metafunc.definition.iter_markers("parametrize")]
    if "variant" in metafunc.fixturenames and "variant" not in given:
        rows = [
            pytest.param(
                row,
                id=name,
                marks=() if name in CHOSEN else pytest.mark.further_row,
            )
            for name, row in {**{n: n for n in VARIANTS}, **OWN_ROWS}.items()
        ]
        metafunc.parametrize("variant", rows)


def pytest_collection_modifyitems(items):
    """The long ones first: no worker is to wait for one at the end."""
    for item in items:
        if "attack" in item.fixturenames:
            item.add_marker("attacks")
    items.sort(key=lambda item: item.get_closest_marker("long") is None)


@pytest.fixture(autouse=True)
def fixed_seed():
    keras.utils.set_random_seed(0)
    yield
    allow_any_order_of_sums()
    keras.utils.clear_session(free_memory=False)


def allow_any_order_of_sums():
    """Undoes `engine.training.make_deterministic`, lest tests depend on order.

    With TensorFlow, Keras then compiles no model by XLA.
    """
    if keras.backend.backend() == "tensorflow":
        from tensorflow.python.framework import config  # no public name

        config.disable_op_determinism()
    elif keras.backend.backend() == "torch":
        import torch

        torch.use_deterministic_algorithms(False)


def pytest_addoption(parser):
    group = parser.getgroup("attacks")
    group.addoption(
        "--cases", type=int, default=20, help="of an attack; default: 20"
    )
    group.addoption(
        "--attacks-to", type=Path, help="folder for a table of all attacks"
    )


class Attack:
    """What a test has tried, and what broke.

    Attributes:
        limit: Integer, the number of cases to try.
        random: `random.Random`, with a seed of its own.
    """

    def __init__(self, limit):
        self.limit, self.random = limit, random.Random(limit)
        self.cases, self.faults = 0, []

    def tried(self, case, fault=None):
        """Counts a case, and what was wrong with its outcome."""
        self.cases += 1
        if fault:
            self.faults.append(f"{case}: {fault}")

    def given(self, *strategies):
        """Runs a function, a decorator, on what hypothesis draws."""

        def run(check):
            @hypothesis.settings(
                max_examples=self.limit,
                deadline=None,
                database=None,
                derandomize=True,
                suppress_health_check=list(hypothesis.HealthCheck),
            )
            @hypothesis.given(hypothesis.strategies.tuples(*strategies))
            def tried(values):
                self.cases += 1
                check(*values)

            try:
                tried()
            except Exception as error:
                told = [repr(error), *getattr(error, "__notes__", [])]
                self.faults.append("; ".join(told))

        return run


@pytest.fixture
def attack(request):
    """Counts the cases of a test, which fails if one of them broke something.

    The docstring of the test names its row in the table of `--attacks-to`.
    """
    found = Attack(request.config.getoption("--cases"))
    yield found
    what = " ".join(request.function.__doc__.split())
    record = what, found.cases, found.faults
    request.node.user_properties.append(("attack", record))
    assert found.cases and not found.faults, "\n".join(found.faults[:20])


def pytest_terminal_summary(terminalreporter, config):
    """Writes the table of all attacks; a worker's come with its reports."""
    folder = config.getoption("--attacks-to")
    if folder is None:
        return
    found = {
        report.nodeid: record
        for reports in terminalreporter.stats.values()
        for report in reports
        for name, record in getattr(report, "user_properties", ())
        if name == "attack"
    }
    tried, broken = collections.Counter(), collections.defaultdict(list)
    for _, (what, cases, faults) in sorted(found.items()):
        tried[what] += cases
        broken[what] += faults
    lines = [
        f"| {what} | {cases:,} | {cases - len(broken[what]):,} | "
        f"{len(broken[what]):,} |"
        for what, cases in tried.items()
    ]
    folder.mkdir(parents=True, exist_ok=True)
    parts = [
        "# Attacks",
        f"{time.strftime('%Y-%m-%d', time.gmtime())}, "
        f"`pytest -m attacks --cases {config.getoption('--cases')}`, Python "
        f"{platform.python_version()}, keras {keras.__version__} on "
        f"{keras.backend.backend()}, {platform.platform()}.",
        "\n".join(
            [
                "| attack | cases | held | broke |",
                "| --- | ---: | ---: | ---: |",
            ]
            + lines
        ),
        "\n".join(f"- {fault}" for what in broken for fault in broken[what])
        or "Nothing broke.",
    ]
    text = "\n\n".join(parts) + "\n"
    (folder / "README.md").write_text(text, encoding="utf-8")
