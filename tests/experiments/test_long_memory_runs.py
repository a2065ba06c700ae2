import keras
import numpy as np
import pandas as pd
import pytest

from experiments.engine.names import parameters
from experiments.long_memory import cli, run
from experiments.long_memory.config import Config
from experiments.long_memory.tasks import TASKS


@pytest.mark.parametrize("task", TASKS)
def test_the_network(task):
    config = Config(task=task, units=5, variant="lstm3", equal="parameters")
    features = 3
    model = run.build_model(config, features)
    outputs = model(np.zeros((2, config.length, features), "float32"))
    answers = TASKS[task].answers
    wanted = (2, TASKS[task].outputs)
    assert outputs.shape == (
        wanted if answers == 1 else (2, answers, wanted[1])
    )
    units = run.units_of(config, features)
    counts = [parameters("lstm3", n, features) for n in (units - 1, units)]
    counts.append(parameters("lstm3", units + 1, features))
    full = parameters("lstm", 5, features)
    assert min(counts, key=lambda n: abs(n - full)) == counts[1]


def test_an_answer_is_right_within_the_tolerance():
    y = np.full((4, 1), 0.5, "float32")
    answers = np.array([[0.5], [0.461], [0.539], [0.459]], "float32")
    model = run.build_model(Config(length=25, units=2), 2)
    metric = next(m for m in model.metrics if m.name == "compile_metrics")
    metric.build(y, answers)
    metric.update_state(y, answers)
    found = metric.result()["accuracy"]
    assert float(keras.ops.convert_to_numpy(found)) == pytest.approx(0.75)


def test_a_run_ends_in_a_table_and_pictures(tmp_path, capsys):
    arguments = ["run", "--task=digits_by_row", "--variant=lstm", "--units=16"]
    arguments += ["--epochs=12", "--learning-rate=1e-2", "--batch-size=32"]
    arguments += [f"--backend={keras.backend.backend()}"]
    assert cli.main([*arguments, f"--results-dir={tmp_path}"]) == 0
    told = capsys.readouterr().out
    assert "of fresh sequences right after 12 epochs, solved in epoch" in told
    folder = next(tmp_path.glob("long_memory/*/result.json")).parent
    for name in ("index.html", "accuracies.png", "curves.png", "summary.csv"):
        assert (folder / "report" / name).stat().st_size > 100
    history = pd.read_csv(folder / "history.csv")
    solved = history.loc[history["val_accuracy"] >= 0.9, "epoch"].min()
    summary = pd.read_csv(folder / "report" / "summary.csv")
    assert summary["steps"].item() == solved * -(-1437 // 32)
