"""The variant as a hyperparameter, with KerasTuner.

A random search over variants and units.

    pip install keras-tuner
    python examples/tune_the_variant.py
"""

import argparse
import tempfile

import digits
import keras
import keras_tuner


def build_model(parameters):
    return digits.build_model(
        parameters.Choice("variant", ["lstm", "lstm1", "lstm3", "gru3"]),
        parameters.Choice("units", [16, 32]),
    )


def main(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--trials", type=int, default=6)
    parser.add_argument("--epochs", type=int, default=5)
    options = parser.parse_args(arguments)

    keras.utils.set_random_seed(0)
    x, y = digits.load_data()
    with tempfile.TemporaryDirectory() as folder:
        tuner = keras_tuner.RandomSearch(
            build_model,
            objective="val_accuracy",
            max_trials=options.trials,
            seed=0,
            directory=folder,
        )
        tuner.search(
            x, y, validation_split=0.2, epochs=options.epochs, verbose=0
        )
        tuner.results_summary(3)
        return tuner.get_best_hyperparameters()[0].values


if __name__ == "__main__":
    main()
