import argparse
import importlib
import os
import sys

BACKENDS = ("tensorflow", "jax", "torch")


def run_command_line(module):
    """Runs `main` of a module that imports Keras, and ends the process.

    Args:
        module: String, the name of the module.
    """
    try:
        # First of all, as Keras reads its backend when it is imported.
        choose_backend(sys.argv[1:])
        import_keras()
        sys.exit(importlib.import_module(module).main())
    except KeyboardInterrupt:
        sys.exit(130)


def choose_backend(arguments):
    """Passes the option `--backend` to Keras, before Keras is imported.

    Args:
        arguments: List of strings, the command line.
    """
    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    # The full parser reports an invalid or missing value later.
    parser.add_argument("--backend", nargs="?")
    backend = parser.parse_known_args(arguments)[0].backend
    if backend in BACKENDS:
        os.environ["KERAS_BACKEND"] = backend
    # Hides most messages of TensorFlow about its build.
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")


def import_keras():
    """Imports Keras, or exits with a message that says what to install."""
    try:
        import keras

        return keras
    except ImportError as error:
        backend = os.environ.get("KERAS_BACKEND", "tensorflow")
        sys.exit(
            f"Keras cannot start with the backend {backend!r}: {error}\n"
            f"Install one of the extras {', '.join(BACKENDS)}, and select it "
            "with --backend or KERAS_BACKEND."
        )


def check_backend(backend):
    """Raises an error if Keras does not run on the backend of a run.

    Args:
        backend: String, the backend of the run.

    Raises:
        ValueError: if Keras runs on another backend.
    """
    import keras

    if backend != keras.backend.backend():
        raise ValueError(
            "The backend of a run is chosen before Keras is imported, with "
            f"--backend or KERAS_BACKEND. Expected {keras.backend.backend()!r}"
            f". Received: backend={backend!r}"
        )
