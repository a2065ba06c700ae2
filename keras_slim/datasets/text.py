"""Character-level texts, for models that predict the next character.

The experiment behind it is that of Hatanaka, Teramae and Wakamiya, "Layer
specificity of acquired memory duration in multilayer LSTM networks" (2017).
"""

import dataclasses
import hashlib
import os
import platform
import sysconfig
import tokenize
from pathlib import Path
from typing import NamedTuple

import numpy as np

from keras_slim.datasets import _cache, _download, _limits
from keras_slim.datasets._checks import (
    check_integer,
    check_path,
    check_share,
)


class Counts(NamedTuple):
    """Size of a text: its characters, and how many of them are distinct."""

    characters: int
    symbols: int

    def __str__(self):
        return f"{self.characters:,} characters, {self.symbols:,} symbols"


# Table 1 of the paper.
PAPER_COUNTS = {
    "king_lear": Counts(99_993, 62),
    "linux": Counts(999_589, 96),
    "wikipedia": Counts(352_158, 194),
}
PAPER_FILES = {
    "king_lear": "paper_king_lear.txt",
    "linux": "near_paper_linux.txt",
    "wikipedia": "wikipedia.xml",
}
PAPER_SHA256 = {
    "king_lear": (
        "c879e55c5e318b9d978064e246306e01d60be15a50f64d9438daeaeacbc119e8"
    ),
    "linux": "338edc66ce8de86acdb550397f4098424fbc6f91ea5d819782a03bacac7e1ea5",
    "wikipedia": (
        "da83f4078294c0447f36411cc4bce79513f3205c9dd3dfc79504fe6f17ff7961"
    ),
}
NAMES = ("python_reference", "python_library", *PAPER_FILES)

_KARPATHY = "https://cs.stanford.edu/people/karpathy/char-rnn"
_GITHUB = "https://raw.githubusercontent.com"
# Where `fetch` gets a text from. Those on GitHub are of a fixed commit.
URLS = {
    "king_lear": (
        f"{_KARPATHY}/shakespear.txt",
        f"{_GITHUB}/bobaoai/Sample_RNN/"
        "14b0a8ac2d09a7fa5d4c5dff7e1a832b98a4040d/data/shakespear.txt",
    ),
    "linux": (
        f"{_GITHUB}/HariomHudiya/Text_Generation-char_level-/"
        "43ddbb2ffb1c2ce4a5bf1f3994b55a96d0dffd54/datasets/linux.txt",
    ),
}

# In every CPython since 3.11, each a single file: a million characters.
LIBRARY_MODULES = (
    "argparse",
    "ast",
    "calendar",
    "configparser",
    "csv",
    "dataclasses",
    "enum",
    "ftplib",
    "functools",
    "gzip",
    "imaplib",
    "inspect",
    "ipaddress",
    "pickle",
    "plistlib",
    "shutil",
    "socket",
    "tempfile",
    "textwrap",
)
LIBRARY_CHARACTERS = 1_000_000  # as many as the paper's Linux has

# What the counts do not show, by the fingerprint of the text.
_REMARKS = {
    PAPER_SHA256["king_lear"]: (
        "made by a recurrent network, not Shakespeare's play"
    ),
    PAPER_SHA256["linux"]: (
        "made by a recurrent network, not the kernel's source"
    ),
    PAPER_SHA256["wikipedia"]: (
        "pages of another export, chosen to come near the paper's counts"
    ),
}


@dataclasses.dataclass(frozen=True, eq=False)
class Corpus:
    """A text as symbol ids, with the symbols.

    Attributes:
        train: int32 array, the symbol ids of the beginning of the text.
        test: int32 array, the symbol ids of the rest.
        symbols: Tuple of the distinct characters of the whole text, sorted by
            code point. The id of a symbol is its index.
        name: Name of the text; of a file given by its path, the file name.
        source: The source of the data in one line, and how it differs from
            the data of the paper if it does.
        fingerprint: sha256 of the text in UTF-8; the same for the same text,
            whatever its path.
    """

    train: np.ndarray
    test: np.ndarray
    symbols: tuple[str, ...]
    name: str
    source: str
    fingerprint: str

    @property
    def counts(self):
        """`Counts` of the whole text, to compare with `PAPER_COUNTS`."""
        return Counts(len(self.train) + len(self.test), len(self.symbols))

    def decode(self, ids):
        """Turns symbol ids back into text.

        Args:
            ids: Sequence or 1-D array of integers, the ids of symbols.

        Returns:
            String, one character for each id.

        Raises:
            ValueError: if `ids` is not as described above.

        Example:

        >>> corpus = text.load_data()
        >>> corpus.decode(corpus.train[:22])
        'The "assert" statement'
        """
        array = np.asarray(ids)
        is_ids = array.ndim == 1 and (
            array.dtype.kind in "iu" or not array.size
        )
        # A negative id would count from the end of the symbols.
        if not is_ids or np.any((array < 0) | (array >= len(self.symbols))):
            raise ValueError(
                "Invalid value for argument `ids`. Expected a sequence of "
                f"integers with 0 <= id < {len(self.symbols)}, the number of "
                f"symbols. Received: ids={ids!r:.60}"
            )
        return "".join(self.symbols[id] for id in array.tolist())


def load_data(name_or_path="python_reference", test_split=0.1, characters=None):
    """Loads a text as symbol ids, its beginning for training.

    Two texts come with Python, and differ from one version of it to the next:

    - `"python_reference"`: its language reference, `pydoc_data.topics`, topic
      by topic in sorted order;
    - `"python_library"`: source code of its standard library, as many whole
      files of `LIBRARY_MODULES` as fit in 1,000,000 characters.

    Three are the texts of the paper, or close to them, as `data/README.md`
    describes. Their files are looked for in the folder that the environment
    variable `KERAS_SLIM_DATA` names, in its subfolder `charlm`, and in the
    cache, where `python -m keras_slim.datasets fetch` puts the first two; they
    are never fetched automatically:

    - `"king_lear"`: `paper_king_lear.txt`;
    - `"linux"`: `near_paper_linux.txt`;
    - `"wikipedia"`: `wikipedia.xml`.

    Anything else is the path of a text file in UTF-8. Line ends `\\r\\n` and
    `\\r` become `\\n`, and a byte order mark is removed.

    Args:
        name_or_path: One of the names above, or the path of a text file. A
            name takes precedence over a file of that name, whose path can be
            given as `./name`.
        test_split: Float in `[0, 1)`, fraction of the characters to use for
            the test, from the end of the text.
        characters: Integer or `None`. If given, only the first `characters`
            characters of the text are used, or all if it has fewer.

    Returns:
        A `Corpus`.

    Raises:
        FileNotFoundError: if there is no such file, or this Python lacks the
            text.
        ValueError: if an argument is not as described above, or a file
            is not in UTF-8 or too short to be split.

    Example:

    >>> corpus = text.load_data("king_lear")
    >>> corpus.train.shape, corpus.test.shape, len(corpus.symbols)
    ((89994,), (9999,), 62)
    """
    check_share("test_split", test_split)
    check_integer("characters", characters, 2, optional=True)
    name, origin, text = _read(name_or_path, characters)
    if characters is not None and characters < len(text):
        text = text[:characters]
        origin = f"the beginning of {origin}"
    test = int(test_split * len(text))
    train = len(text) - test
    if train < 2 or (test_split and test < 2):
        raise ValueError(
            "Invalid value for argument `name_or_path`. Expected a text with "
            "two characters or more, one and the next, on either side of "
            f"test_split={test_split!r}. Received: "
            f"name_or_path={str(name_or_path)!r} with {train:,} characters "
            f"for training and {test:,} for the test"
        )
    # Code points as integers, since NumPy cannot look into a string.
    points = np.frombuffer(text.encode("utf-32-le"), "<u4")
    points, ids = np.unique(points, return_inverse=True)
    ids = ids.astype(np.int32)
    fingerprint = hashlib.sha256(text.encode()).hexdigest()
    counts = Counts(len(ids), len(points))
    return Corpus(
        train=ids[:train],
        test=ids[train:],
        symbols=tuple(map(chr, points.tolist())),
        name=name,
        source=f"{origin}: {_describe(name, counts, fingerprint)}",
        fingerprint=fingerprint,
    )


def fetch(name):
    """Fetches a text of the paper into the cache.

    Args:
        name: `"king_lear"` or `"linux"`.

    Returns:
        Path of the text, which `load_data(name)` reads.

    Raises:
        OSError: if no URL has the text with its published sha256.
        ValueError: if there is no URL of a text of that name.
    """
    if name not in URLS:
        raise ValueError(
            "Invalid value for argument `name`. Expected one of "
            f"{', '.join(URLS)}. Received: name={name!r}"
        )
    return _download.fetch_from_urls(
        cached_path(name),
        URLS[name],
        lambda path: _download.check_sha256(path, PAPER_SHA256[name]),
        _rewrite_as_utf_8,
    )


def cached_path(name):
    """Returns where a text of the paper is cached."""
    return _cache.root() / "text" / PAPER_FILES[name]


def _rewrite_as_utf_8(path):
    """Removes what is not UTF-8, and turns line ends into `\\n`."""
    path = Path(path)
    content = path.read_bytes().replace(b"\r\n", b"\n")
    path.write_bytes(content.decode("utf-8", "ignore").encode())


def _read(name_or_path, characters):
    """Returns the name of a text, its origin, and the text.

    Of a file, one more character than `characters` is read, if it is given.
    """
    if not isinstance(name_or_path, str | os.PathLike):
        raise ValueError(
            "Invalid value for argument `name_or_path`. Expected one of "
            f"{', '.join(NAMES)}, or the path of a text file. "
            f"Received: name_or_path={name_or_path!r}"
        )
    python = f"{platform.python_implementation()} {platform.python_version()}"
    if name_or_path == "python_reference":
        return name_or_path, f"pydoc_data.topics of {python}", _reference()
    if name_or_path == "python_library":
        return name_or_path, f"standard library of {python}", _library()
    if name_or_path in PAPER_FILES:
        name, path = name_or_path, _find_file(name_or_path)
    else:
        path = check_path("name_or_path", name_or_path)
        name = path.name
        if not path.is_file():
            raise FileNotFoundError(
                f"No such file. Expected one of {', '.join(NAMES)}, or the "
                "path of a text file. "
                f"Received: name_or_path={str(name_or_path)!r}"
            )
    try:
        with open(path, encoding="utf-8-sig") as file:
            if characters is not None:
                return name, path.name, file.read(characters + 1)
            size = path.stat().st_size
            _limits.check_size(f"The text {path}", size, _limits.TEXT)
            return name, path.name, file.read()
    except UnicodeDecodeError as error:
        raise ValueError(
            f"{path}: Expected a text file in UTF-8. Received: {error}"
        ) from error


def _reference():
    try:
        from pydoc_data.topics import topics
    except ImportError as error:
        raise FileNotFoundError(
            "This Python lacks pydoc_data.topics, its language "
            "reference. Any text file can be given by its path instead."
        ) from error
    return "\n".join(topics[topic] for topic in sorted(topics))


def _library():
    folder = Path(sysconfig.get_path("stdlib"))
    text = ""
    for module in LIBRARY_MODULES:
        path = folder / f"{module}.py"
        if not path.is_file():
            raise FileNotFoundError(
                "This Python lacks the source code of its standard "
                f"library: there is no {path}. Any text file can be given by "
                "its path instead."
            )
        # As Python reads it: a file may name an encoding of its own.
        with tokenize.open(path) as file:
            source = file.read()
        if len(text) + len(source) > LIBRARY_CHARACTERS:
            break
        text += source
    return text


def _find_file(name):
    file = PAPER_FILES[name]
    named = os.environ.get("KERAS_SLIM_DATA")
    places = [cached_path(name)]
    looked = ""
    if named:
        folder = check_path("KERAS_SLIM_DATA", named)
        places = [folder / file, folder / "charlm" / file, *places]
    else:
        looked = "KERAS_SLIM_DATA, which names the folder of data, is not set; "
    for path in places:
        if path.is_file():
            return path
    looked += "looked for " + " and ".join(map(str, places)) + ". "
    if name in URLS:
        looked += f"`python -m keras_slim.datasets fetch {name}` fetches it. "
    raise FileNotFoundError(
        f"No {file}: {looked}Any other text file can be given by its path; "
        f"{NAMES[0]} and {NAMES[1]} need no file."
    )


def _describe(name, counts, fingerprint):
    equal = [paper for paper in PAPER_COUNTS if PAPER_COUNTS[paper] == counts]
    if equal:
        description = f"{counts}, as the paper's {equal[0]}"
    elif name in PAPER_COUNTS:
        description = f"{counts}; the paper's has {PAPER_COUNTS[name]}"
    else:
        description = f"{counts}; not a text of the paper"
    remark = _REMARKS.get(fingerprint)
    return f"{description}; {remark}" if remark else description
