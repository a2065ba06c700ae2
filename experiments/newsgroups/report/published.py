"""Tables I and II as Kent & Salem printed them."""

from pathlib import Path

import pandas as pd

FOLDER = Path(__file__).parents[3] / "data" / "published"
# The keys of an entry.
ENTRY = ["activation", "learning_rate", "variant"]
EPOCHS = 100  # of both tables
BEST_ENTRY = ("tanh", 2e-3, "lstm3")


def load():
    """Loads Tables I and II in the printed order.

    Returns:
        `pandas.DataFrame` with one row per `(activation, learning_rate,
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
