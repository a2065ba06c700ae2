"""Facts about the real files. Run with `KERAS_SLIM_DATA=... -m real_data`."""

import os

import numpy as np
import pytest

from keras_slim.datasets import glove, newsgroups, text

DATA = os.environ.get("KERAS_SLIM_DATA")

pytestmark = pytest.mark.real_data


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    assert DATA, "KERAS_SLIM_DATA must name a folder with news20.tar.gz"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("KERAS_HOME", str(tmp_path_factory.mktemp("keras")))
        return newsgroups.load_corpus(DATA)


def test_posts(corpus):
    counts = dict(
        zip(corpus.label_names, np.bincount(corpus.labels), strict=True)
    )
    assert len(corpus.labels) == sum(counts.values()) == 19_997
    assert counts.pop("soc.religion.christian") == 997
    assert set(counts.values()) == {1_000} and len(counts) == 19
    assert "the original 19,997 posts" in corpus.source


def test_words(corpus):
    # 174,074 is often quoted: the same without the lone control character.
    assert len(corpus.word_index) == 174_075
    assert "\x1a" in corpus.word_index
    assert list(corpus.word_index)[:5] == ["the", "to", "of", "a", "and"]


def test_split(corpus):
    (x_train, y_train), (x_val, y_val) = corpus.split()
    assert x_train.shape == (15_998, 1_000) and y_train.shape == (15_998,)
    assert x_val.shape == (3_999, 1_000) and y_val.shape == (3_999,)
    assert x_train.max() == 19_999
    assert set(np.bincount(y_train) + np.bincount(y_val)) == {997, 1_000}


def test_vectors(corpus):
    vectors = glove.load_embeddings(corpus.word_index, path=DATA)
    assert vectors.matrix.shape == (20_000, 100)
    assert vectors.wanted == 19_999
    # All of GloVe 6B covers 17,902; a file restricted to words, fewer.
    assert 0.8 < vectors.coverage <= 17_902 / 19_999
    has_vector = vectors.matrix.any(axis=1)
    assert has_vector.sum() == vectors.found and not has_vector[0]
    np.testing.assert_allclose(
        vectors.matrix[corpus.word_index["the"]][:3],
        [-0.038194, -0.24487, 0.72812],
    )


@pytest.fixture
def named(monkeypatch):
    assert DATA, "KERAS_SLIM_DATA must name a folder with charlm"
    monkeypatch.setenv("KERAS_SLIM_DATA", DATA)


@pytest.mark.parametrize(
    ("name", "counts", "source"),
    [
        (
            "king_lear",
            text.PAPER_COUNTS["king_lear"],
            "paper_king_lear.txt: 99,993 characters, 62 symbols, as the "
            "paper's king_lear; made by a recurrent network, not "
            "Shakespeare's play",
        ),
        (
            "linux",
            (999_587, 96),
            "near_paper_linux.txt: 999,587 characters, 96 symbols; the "
            "paper's has 999,589 characters, 96 symbols; made by a recurrent "
            "network, not the kernel's source",
        ),
        (
            "wikipedia",
            (350_087, 194),
            "wikipedia.xml: 350,087 characters, 194 symbols; the paper's has "
            "352,158 characters, 194 symbols; pages of another export, "
            "chosen to come near the paper's counts",
        ),
    ],
)
def test_texts(named, name, counts, source):
    corpus = text.load_data(name)
    assert corpus.counts == counts
    assert corpus.source == source
    assert len(corpus.test) == int(0.1 * counts[0])


def test_text_by_its_path():
    path = os.path.join(DATA, "charlm", "king_lear.txt")
    corpus = text.load_data(path)
    assert corpus.counts == (99_974, 64)
    assert corpus.source.endswith("; not a text of the paper")
    assert corpus.decode(corpus.train[:5]) == "ACT I"
