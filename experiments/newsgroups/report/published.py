"""What Kent & Salem printed: Tables I and II."""

from pathlib import Path

import pandas as pd

FOLDER = Path(__file__).parents[3] / "data" / "published"
ENTRY = ["activation", "learning_rate", "variant"]
EPOCHS = 100  # of both tables
BEST_ENTRY = ("tanh", 2e-3, "lstm3")


def load():
    """Loads Tables I and II, in the order in which they are printed.

    Returns:
        `pandas.DataFrame` with a row for each `(activation, learning_rate,
        variant)` and the columns `val_accuracy` (a fraction) and `val_loss`.
    """
    accuracy, loss = (
        pd.read_csv(FOLDER / f"kent_salem_{name}.csv").set_index(ENTRY)
        for name in ("table1_validation_accuracy", "table2_validation_loss")
    )
    return accuracy.join(loss).rename(
        columns={
            "validation_accuracy": "val_accuracy",
            "validation_loss": "val_loss",
        }
    )
