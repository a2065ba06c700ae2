import argparse
import os


def choose_backend(arguments):
    """Hands the option `--backend` on to Keras, before Keras is imported.

    Args:
        arguments: List of strings, the command line.
    """
    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    parser.add_argument("--backend")
    backend = parser.parse_known_args(arguments)[0].backend
    if backend:
        os.environ["KERAS_BACKEND"] = backend
    # TensorFlow tells of its build at length before the first word of ours.
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
