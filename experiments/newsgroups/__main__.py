import sys

from experiments.engine.backend import choose_backend

if __name__ == "__main__":
    # Keras reads its backend at import, which the rest depends on.
    choose_backend(sys.argv[1:])
    from experiments.newsgroups.cli import main

    sys.exit(main())
