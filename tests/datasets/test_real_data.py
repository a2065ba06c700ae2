"""Facts about the real files. Run with `KERAS_SLIM_DATA=... -m real_data`."""

import os

import numpy as np
import pytest

from keras_slim.datasets import glove, newsgroups

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
