import sys

if __name__ == "__main__":
    # Workers import this module, too, and need no command line.
    from experiments.benchmarks.cli import main

    sys.exit(main())
