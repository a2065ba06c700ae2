import hashlib
import platform
import sys
import sysconfig
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from keras_slim.datasets import text

pytestmark = pytest.mark.any_backend

TEXT = "LEAR:\nNothing will come of nothing: speak again.\n" * 4


@pytest.fixture
def write(tmp_path):
    def write(content, name="own.txt"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if isinstance(content, str):
            content = content.encode()
        path.write_bytes(content)
        return path

    return write


@pytest.fixture
def topics(monkeypatch):
    """A language reference of two topics, not in sorted order."""
    topics = {"while": "The while\n", "assert": "The assert\n"}
    module = SimpleNamespace(topics=topics)
    monkeypatch.setitem(sys.modules, "pydoc_data.topics", module)
    return topics


@pytest.fixture
def library(tmp_path, monkeypatch):
    """A standard library whose modules have 20 characters each."""
    for module in text.LIBRARY_MODULES:
        (tmp_path / f"{module}.py").write_text(f"# {module:17}\n")
    monkeypatch.setattr(
        sysconfig, "get_path", {"stdlib": str(tmp_path)}.__getitem__
    )
    return tmp_path


def whole(corpus):
    return corpus.decode(np.concatenate([corpus.train, corpus.test]))


def test_ids_follow_the_code_points(write):
    corpus = text.load_data(write("ba€b\n😀aé\n€"), test_split=0.5)
    assert corpus.symbols == ("\n", "a", "b", "é", "€", "😀")
    ids = np.concatenate([corpus.train, corpus.test])
    assert ids.tolist() == [2, 1, 4, 2, 0, 5, 1, 3, 0, 4]


@pytest.mark.parametrize("test_split", [0.1, 0.25, 0.5, 0.9])
def test_split(write, test_split):
    corpus = text.load_data(write(TEXT), test_split)
    assert len(corpus.test) == int(test_split * len(TEXT))
    assert corpus.train.dtype == corpus.test.dtype == np.int32
    assert corpus.decode(corpus.train) == TEXT[: len(corpus.train)]
    assert corpus.decode(corpus.test) == TEXT[len(corpus.train) :]
    assert corpus.counts == (len(TEXT), len(set(TEXT)))


def test_only_the_beginning(write):
    path = write(TEXT)
    corpus = text.load_data(path, characters=21)
    assert whole(corpus) == TEXT[:21]
    assert corpus.source.startswith("the beginning of own.txt: 21 characters")
    alone = text.load_data(write(TEXT[:21], "beginning.txt"))
    assert corpus.fingerprint == alone.fingerprint
    longer = text.load_data(path, characters=10**6)
    assert whole(longer) == TEXT and longer.source.startswith("own.txt")


@pytest.mark.parametrize("value", [1, -5, 2.0, "9", True])
def test_wrong_characters(write, value):
    with pytest.raises(ValueError) as error:
        text.load_data(write(TEXT), characters=value)
    assert f"Received: characters={value!r}" in str(error.value)


def test_without_a_test(write):
    corpus = text.load_data(write("ab"), test_split=0)
    assert corpus.train.tolist() == [0, 1] and len(corpus.test) == 0


def test_symbols_are_of_the_whole_text(write):
    corpus = text.load_data(write("a" * 18 + "bc"))
    assert corpus.symbols == ("a", "b", "c")
    assert corpus.test.tolist() == [1, 2]


@pytest.mark.parametrize(
    "content",
    [TEXT, TEXT.replace("\n", "\r\n"), TEXT.replace("\n", "\r")],
    ids=["LF", "CRLF", "CR"],
)
@pytest.mark.parametrize("mark", ["", "\ufeff"], ids=["", "BOM"])
def test_the_same_text_has_the_same_fingerprint(write, mark, content):
    corpus = text.load_data(write(mark + content, "else/where.txt"))
    assert whole(corpus) == TEXT
    assert corpus.fingerprint == hashlib.sha256(TEXT.encode()).hexdigest()
    other = text.load_data(write(TEXT.replace("\n", "\n\n")))
    assert other.fingerprint != corpus.fingerprint


def test_other_characters_stay_as_they_are(write):
    content = "a\tb\x0b\x0c\x1a\x00\x85\xa0\u2028\u0301 \n\n" * 2
    assert whole(text.load_data(write(content))) == content


@pytest.mark.parametrize("kind", [list, tuple, np.uint8, np.int64])
def test_decode(write, kind):
    corpus = text.load_data(write(TEXT))
    wanted = [corpus.symbols.index(symbol) for symbol in "again"]
    ids = kind(wanted) if kind in (list, tuple) else np.array(wanted, kind)
    assert corpus.decode(ids) == "again"
    assert corpus.decode(ids[:0]) == ""


@pytest.mark.parametrize("ids", [[-1], [3], 1, "a", [[1]], [1.0], [True]])
def test_decode_refuses(write, ids):
    corpus = text.load_data(write("abc" * 10))
    with pytest.raises(ValueError) as error:
        corpus.decode(ids)
    assert "argument `ids`. Expected" in str(error.value)
    assert f"0 <= id < 3, the number of symbols. Received: ids={ids!r}" in str(
        error.value
    )


@pytest.mark.parametrize("value", [1, -0.1, "0.1", None, float("nan")])
def test_wrong_split(write, value):
    with pytest.raises(ValueError) as error:
        text.load_data(write(TEXT), test_split=value)
    message = str(error.value)
    assert "argument `test_split`. Expected" in message
    assert f"Received: test_split={value!r}" in message


@pytest.mark.parametrize(
    ("content", "test_split", "received"),
    [
        ("", 0.1, "0 characters for training and 0 for the test"),
        ("", 0, "0 characters for training"),
        ("\ufeff", 0, "0 characters for training"),
        ("a", 0, "1 characters for training"),
        ("a" * 19, 0.1, "18 characters for training and 1 for the test"),
        ("a" * 10, 0.9, "1 characters for training and 9 for the test"),
    ],
)
def test_too_short_for_the_split(write, content, test_split, received):
    path = write(content)
    with pytest.raises(ValueError) as error:
        text.load_data(path, test_split)
    message = str(error.value)
    assert "argument `name_or_path`. Expected a text with two" in message
    assert f"{str(path)!r} with {received}" in message


def test_shortest_for_the_split(write):
    corpus = text.load_data(write("abab"), 0.5)
    assert corpus.train.tolist() == corpus.test.tolist() == [0, 1]


@pytest.mark.parametrize(
    "content", [b"caf\xe9 " * 10, TEXT.encode("utf-16"), b"\xed\xa0\x80" * 9]
)
def test_not_utf_8(write, content):
    path = write(content)
    with pytest.raises(ValueError) as error:
        text.load_data(path)
    assert f"{path}: Expected a text file in UTF-8. Received" in str(
        error.value
    )


@pytest.mark.parametrize("value", [None, 3, b"linux", ["linux"]])
def test_neither_a_name_nor_a_path(value):
    with pytest.raises(ValueError) as error:
        text.load_data(value)
    message = str(error.value)
    assert "argument `name_or_path`. Expected one of" in message
    assert f"Received: name_or_path={value!r}" in message


@pytest.mark.parametrize("by", ["argument", "environment"])
def test_home_of_nobody(monkeypatch, by):
    monkeypatch.setenv("KERAS_SLIM_DATA", "~nosuchuser/x")
    given = "~nosuchuser/x" if by == "argument" else "linux"
    with pytest.raises(ValueError, match="Received: .*='~nosuchuser/x'"):
        text.load_data(given)


@pytest.mark.parametrize("name", ["King Lear", "missing.txt", "", "."])
def test_no_such_file(name):
    with pytest.raises(FileNotFoundError) as error:
        text.load_data(name)
    message = str(error.value)
    assert f"Received: name_or_path={name!r}" in message
    for allowed in *text.NAMES, "path of a text file":
        assert allowed in message


def test_path(write, monkeypatch):
    path = write(TEXT, "my own.txt")
    monkeypatch.setenv("HOME", str(path.parent))
    for form in path, str(path), "~/my own.txt":
        corpus = text.load_data(form)
        assert corpus.name == "my own.txt"
        assert corpus.source == (
            f"my own.txt: 196 characters, {len(set(TEXT))} symbols; not a "
            "text of the paper"
        )


def test_name_goes_before_a_file(write, monkeypatch, topics):
    path = write(TEXT, "python_reference")
    monkeypatch.chdir(path.parent)
    assert whole(text.load_data("python_reference")) != TEXT
    for form in "./python_reference", Path("python_reference"):
        assert whole(text.load_data(form)) == TEXT


@pytest.mark.parametrize("folder", [".", "charlm"])
@pytest.mark.parametrize("name", text.PAPER_FILES)
def test_files_of_the_paper(tmp_path, monkeypatch, write, folder, name):
    write(TEXT, f"{folder}/{text.PAPER_FILES[name]}")
    monkeypatch.setenv("KERAS_SLIM_DATA", str(tmp_path))
    corpus = text.load_data(name)
    assert corpus.name == name and whole(corpus) == TEXT
    assert corpus.source == (
        f"{text.PAPER_FILES[name]}: {corpus.counts}; the paper's has "
        f"{text.PAPER_COUNTS[name]}"
    )


def test_folder_itself_goes_before_its_subfolder(tmp_path, monkeypatch, write):
    write("other" * 10, "charlm/wikipedia.xml")
    write(TEXT, "wikipedia.xml")
    monkeypatch.setenv("KERAS_SLIM_DATA", str(tmp_path))
    assert whole(text.load_data("wikipedia")) == TEXT


@pytest.mark.parametrize("named", [None, "", "empty", "missing"])
@pytest.mark.parametrize("name", text.PAPER_FILES)
def test_files_of_the_paper_are_missing(tmp_path, monkeypatch, named, name):
    (tmp_path / "empty").mkdir()
    if named is not None:
        folder = named and str(tmp_path / named)
        monkeypatch.setenv("KERAS_SLIM_DATA", folder)
    with pytest.raises(FileNotFoundError) as error:
        text.load_data(name)
    message = str(error.value)
    file = text.PAPER_FILES[name]
    assert message.startswith(f"No {file}: ")
    assert str(text.cached_path(name)) in message
    if named:
        assert f"{tmp_path / named / file} and" in message
        assert str(tmp_path / named / "charlm" / file) in message
    else:
        assert "KERAS_SLIM_DATA" in message and "is not set" in message
    for way_out in "by its path", "python_reference and python_library":
        assert way_out in message


def test_counts_of_the_paper_are_recognized(write, monkeypatch):
    counts = text.Counts(len(TEXT), len(set(TEXT)))
    monkeypatch.setitem(text.PAPER_COUNTS, "king_lear", counts)
    fingerprint = hashlib.sha256(TEXT.encode()).hexdigest()
    monkeypatch.setitem(text._REMARKS, fingerprint, "not the play")
    assert text.load_data(write(TEXT)).source == (
        f"own.txt: {counts}, as the paper's king_lear; not the play"
    )
    # As many characters and symbols, yet another text.
    turned = text.load_data(write(TEXT[::-1])).source
    assert turned == f"own.txt: {counts}, as the paper's king_lear"


def test_reference(topics):
    corpus = text.load_data("python_reference")
    assert whole(corpus) == "The assert\n\nThe while\n"
    python = f"CPython {platform.python_version()}"
    assert corpus.source == (
        f"pydoc_data.topics of {python}: 22 characters, 12 symbols; not a "
        "text of the paper"
    )
    topics["while"] += "and more"  # as in the next version of Python
    other = text.load_data()
    assert other.name == corpus.name == "python_reference"
    assert other.fingerprint != corpus.fingerprint


def test_reference_is_missing(monkeypatch):
    monkeypatch.setitem(sys.modules, "pydoc_data.topics", None)
    with pytest.raises(FileNotFoundError, match="lacks pydoc_data.topics"):
        text.load_data()


def test_library(library):
    corpus = text.load_data("python_library")
    lines = whole(corpus).splitlines()
    modules = [line.removeprefix("# ").strip() for line in lines]
    assert modules == sorted(modules) == list(text.LIBRARY_MODULES)
    assert corpus.name == "python_library"
    python = f"CPython {platform.python_version()}"
    assert corpus.source.startswith(f"standard library of {python}: ")
    assert corpus.source.endswith("; not a text of the paper")


@pytest.mark.parametrize(("limit", "files"), [(60, 3), (79, 3), (80, 4)])
def test_library_ends_with_a_whole_file(library, monkeypatch, limit, files):
    monkeypatch.setattr(text, "LIBRARY_CHARACTERS", limit)
    content = whole(text.load_data("python_library"))
    assert len(content) == 20 * files and content.endswith("\n")


def test_library_is_read_as_python_reads_it(library):
    source = "# -*- coding: latin-1 -*-\r\n'é'\r\n"
    (library / "argparse.py").write_bytes(source.encode("latin-1"))
    content = whole(text.load_data("python_library"))
    assert content.startswith("# -*- coding: latin-1 -*-\n'é'\n# ast")


def test_library_is_missing(library):
    missing = library / "csv.py"
    missing.unlink()
    with pytest.raises(FileNotFoundError) as error:
        text.load_data("python_library")
    assert f"there is no {missing}." in str(error.value)


@pytest.mark.parametrize("name", ["python_reference", "python_library"])
def test_what_comes_with_python(name):
    corpus = text.load_data(name)
    characters, symbols = corpus.counts
    low = 400_000 if name == "python_reference" else 900_000
    assert low < characters <= 1_000_000 and 90 <= symbols < 200
    assert corpus.fingerprint == text.load_data(name).fingerprint


def test_nothing_is_cached_or_printed(cache, capfd):
    text.load_data()
    assert not cache.exists()
    assert capfd.readouterr() == ("", "")
