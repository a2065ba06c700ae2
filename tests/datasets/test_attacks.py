"""Attacks on archives, vectors and caches, counted by the fixture `attack`."""

import numpy as np
import pytest
from drawn import mangled
from hypothesis import strategies as st
from keras.src.legacy.preprocessing.text import Tokenizer

from keras_slim.datasets import _tokens, glove, newsgroups

pytestmark = pytest.mark.any_backend


def outcome(load):
    """A value, or what refuses it; anything but a `ValueError` is a fault."""
    try:
        return load(), None
    except ValueError as error:
        return None, str(error)


def test_archives(attack, tmp_path, posts, write_archive):
    """Corrupted archives: an error that names the file, or the same posts."""
    path = write_archive(tmp_path / "news20.tar.gz", posts)
    content = path.read_bytes()
    whole = newsgroups.load_corpus(path).fingerprint
    for _ in range(attack.limit):
        path.write_bytes(changed := mangled(attack.random, content))
        fault = None
        try:
            found, told = outcome(lambda: newsgroups.load_corpus(path))
            if told and path.name not in told:
                fault = f"not named: {told}"
            elif found and found.fingerprint != whole:
                fault = "other posts"
        except Exception as error:
            fault = f"{type(error).__name__}: {error}"
        attack.tried(f"{len(changed)} bytes", fault)


def test_texts(attack):
    """Any text: the same word ids as from the Tokenizer of Keras 2."""

    @attack.given(st.lists(st.text(max_size=60), max_size=5))
    def case(texts):
        tokenizer = Tokenizer()
        tokenizer.fit_on_texts(texts)
        tokens, offsets, words = _tokens.encode(texts)
        ends = zip(offsets[:-1], offsets[1:], strict=True)
        found = [tokens[start:end].tolist() for start, end in ends]
        assert found == tokenizer.texts_to_sequences(texts)
        assert {w: k for k, w in enumerate(words, 1)} == tokenizer.word_index


WORDS = st.text(
    st.characters(codec="utf-8", exclude_characters=" \n\r"), min_size=1
)
NUMBERS = st.floats(-(2.0**99), 2.0**99, width=32)


def test_written_vectors(attack, tmp_path):
    """Any tokens and float32 numbers: read back without any difference."""
    path = tmp_path / "glove.6B.2d.txt"

    @attack.given(
        st.dictionaries(WORDS, st.tuples(NUMBERS, NUMBERS), min_size=1)
    )
    def case(vectors):
        lines = [f"{word} {a!r} {b!r}\n" for word, (a, b) in vectors.items()]
        path.write_bytes("".join(lines).encode())
        index = {word: k for k, word in enumerate(vectors, 1)}
        found = glove.load_embeddings(index, 2, num_words=None, path=path)
        wanted = np.array(list(vectors.values()), "float32")
        np.testing.assert_array_equal(found.matrix[1:], wanted)


LINES = [f"word{k} {k}.25 -{k}.5 {k}e-1 0.125\n" for k in range(50)]
INDEX = {f"word{k}": k + 1 for k in range(50)}


def test_vectors(attack, tmp_path):
    """Truncated vectors: an error names file and line, or no number is cut."""
    path = tmp_path / "glove.6B.4d.txt"
    content = "".join(LINES).encode()
    path.write_bytes(content)
    whole = glove.load_embeddings(INDEX, 4, path=path).matrix
    for _ in range(attack.limit):
        # Cut, where no line says that some are missing; others change numbers.
        end = attack.random.randrange(len(content))
        path.write_bytes(content[:end])
        fault = None
        try:
            found, told = outcome(
                lambda: glove.load_embeddings(INDEX, 4, path=path)
            )
            if told and str(path) not in told:
                fault = f"not named: {told}"
            elif found is not None:
                rows = found.matrix.any(axis=1)
                if not np.array_equal(found.matrix[rows], whole[rows]):
                    fault = "other numbers"
        except Exception as error:
            fault = f"{type(error).__name__}: {error}"
        attack.tried(f"{end} bytes", fault)


def test_caches(attack, tmp_path, cache, posts, write_tree):
    """Corrupted caches of a corpus: made again, with the same posts."""
    tree = write_tree(tmp_path / "20_newsgroup", posts)
    whole = newsgroups.load_corpus(tree)
    (path,) = (cache / "newsgroups").glob("corpus-*")
    content = path.read_bytes()
    for _ in range(attack.limit):
        path.write_bytes(changed := mangled(attack.random, content))
        fault = None
        try:
            found = newsgroups.load_corpus(tree)
            same = (
                np.array_equal(found.tokens, whole.tokens)
                and np.array_equal(found.labels, whole.labels)
                and found.word_index == whole.word_index
            )
            fault = None if same else "other posts"
        except Exception as error:
            fault = f"{type(error).__name__}: {error}"
        attack.tried(f"{len(changed)} bytes", fault)
