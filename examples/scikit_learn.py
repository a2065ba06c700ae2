"""A slim layer in scikit-learn's cross-validation.

Prints the mean accuracy of an LSTM and of LSTM3 over the folds.

    python examples/scikit_learn.py
"""

import argparse

import digits
import keras
from sklearn.model_selection import cross_val_score


def build_model(X, y, variant):
    # The wrapper turns labels into one-hot vectors.
    return digits.build_model(variant, loss="categorical_crossentropy")


def main(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--folds", type=int, default=3)
    options = parser.parse_args(arguments)

    keras.utils.set_random_seed(0)
    x, y = digits.load_data()
    means = {}
    for variant in ("lstm", "lstm3"):
        classifier = keras.wrappers.SKLearnClassifier(
            build_model,
            model_kwargs={"variant": variant},
            fit_kwargs={"epochs": options.epochs, "verbose": 0},
        )
        scores = cross_val_score(classifier, x, y, cv=options.folds)
        means[variant] = scores.mean()
        print(f"{variant}: accuracy {scores.mean():.3f} ± {scores.std():.3f}")
    return means


if __name__ == "__main__":
    main()
