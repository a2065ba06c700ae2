import sys

from experiments.engine.backend import choose_backend, import_keras

if __name__ == "__main__":
    try:
        # Keras reads its backend at import, which the rest depends on.
        choose_backend(sys.argv[1:])
        import_keras()
        from experiments.memory_duration.cli import main

        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)
