import argparse
import importlib
import os
import sys

BACKENDS = ("tensorflow", "jax", "torch")


def run_command_line(module):
    """Runs `main` of the named module, which imports Keras, and exits."""
    try:
        # First of all, as Keras reads its backend when it is imported.
        choose_backend(sys.argv[1:])
        try:
            keras = importlib.import_module("keras")
        except (ImportError, ValueError) as error:
            backend = os.environ.get("KERAS_BACKEND", "tensorflow")
            _stop(
                f"Keras cannot start with the backend {backend!r}: {error}\n"
                f"Install one of the extras {', '.join(BACKENDS)}, and select "
                "it with --backend or KERAS_BACKEND."
            )
        # It is no setting of a run, and would change what runs of one id give.
        if keras.config.floatx() != "float32":
            _stop(
                "Invalid value for `floatx` in keras.json. Expected float32. "
                f"Received: floatx={keras.config.floatx()!r}"
            )
        sys.exit(importlib.import_module(module).main())
    except KeyboardInterrupt:
        sys.exit(130)


def _stop(message):
    print(message, file=sys.stderr)
    sys.exit(2)


def choose_backend(arguments):
    """Passes the option `--backend` to Keras, before Keras is imported."""
    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    # The full parser reports an invalid or missing value later.
    parser.add_argument("--backend", nargs="?")
    backend = parser.parse_known_args(arguments)[0].backend
    if backend in BACKENDS:
        os.environ["KERAS_BACKEND"] = backend
    # Hides most messages of TensorFlow about its build.
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
