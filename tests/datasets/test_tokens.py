import numpy as np
import pytest

from keras_slim.datasets import _tokens

pytestmark = pytest.mark.any_backend


def keras_2(texts):
    """What the Tokenizer of Keras 2 makes of the texts."""
    from keras.src.legacy.preprocessing.text import Tokenizer

    tokenizer = Tokenizer()
    tokenizer.fit_on_texts(texts)
    return tokenizer.texts_to_sequences(texts), tokenizer.word_index


def encode(texts):
    tokens, offsets, words = _tokens.encode(texts)
    parts = zip(offsets[:-1], offsets[1:], strict=True)
    sequences = [tokens[start:end].tolist() for start, end in parts]
    return sequences, {word: id for id, word in enumerate(words, 1)}


def random_texts(seed):
    random = np.random.RandomState(seed)
    letters = list("aAbB éÉ×÷ßÿµ  '-\t\n\x0b\x0c\x1a\x1c\x85\xa0\xad.#_~\r")
    # Letters that make words meet again, all of Latin-1, and beyond.
    beyond = list("aA İıΣσςßẞЖж日本\u0301\u2028\u3000😀._\n")
    for alphabet in letters, [chr(code) for code in range(256)], beyond:
        for length in random.randint(0, 200, 40):
            yield "".join(random.choice(alphabet, length))


@pytest.mark.parametrize("seed", range(5))
def test_as_keras_2_on_random_text(seed):
    texts = list(random_texts(seed))
    assert encode(texts) == keras_2(texts)


@pytest.mark.parametrize(
    "texts",
    [
        [],
        [""],
        ["", " \t\n", "!!!"],
        ["b a", "a b", "c"],  # ties keep the order of first appearance
        ["one", "", "two one"],
        ["don't DON'T", "É é", "ΌΔΟΣ όδος", "日本 日本"],
        ["x" * 10_000],
    ],
)
def test_as_keras_2(texts):
    assert encode(texts) == keras_2(texts)


def test_order_of_ids_goes_on():
    _, index = encode(["c b b", "a a c d"])
    assert list(index) == ["c", "b", "a", "d"]


def test_kinds_of_the_arrays():
    tokens, offsets, words = _tokens.encode(["a b", ""])
    assert tokens.dtype == np.int32
    assert offsets.dtype == np.int64
    assert offsets.tolist() == [0, 2, 2]
    assert words == ["a", "b"]


@pytest.mark.parametrize(
    ("article", "body"),
    [
        (b"From: a\n\nText\n\nmore", "\n\nText\n\nmore"),
        (b"From: a\r\n\r\nText", "\n\nText"),
        (b"From: a\r\rText", "\n\nText"),
        (b"From: a\n\r\nText", "\n\nText"),
        (b"Path: x!y\nfrom: a\nX-Y:\n\nText", "\n\nText"),
        (b"From: a\nSubject: b\n c\n\td\n\nText", "\n\nText"),
        (b"From: \xe9\nX: \xfc\n\nText", "\n\nText"),
        (b"\n\nText\n\nmore", "\n\nText\n\nmore"),  # found, but at 0
        (b"no blank line\nText", "no blank line\nText"),
        (b"", ""),
        (b"From: a\n \nText", "From: a\n \nText"),
    ],
)
def test_header_is_cut_off(article, body):
    assert _tokens.body(article) == body


@pytest.mark.parametrize(
    "text",
    [
        "The first paragraph.\n\nThe second.",
        "Note: a text\n\nThe second.",  # one field, and no header
        "Subject: a\nDate: b\n\nThe second.",
        "From: a\nand no field\n\nThe second.",
        "From here on: all\n\nThe second.",
        "A field: b\nFrom: a\n\nThe second.",
        "Où: là\nFrom: a\n\nThe second.",
        "  From: a\n\nThe second.",
    ],
)
def test_text_without_a_header_is_kept_whole(text):
    assert _tokens.body(text.encode()) == text
    assert _tokens.body(text.replace("\n", "\r\n").encode()) == text


@pytest.mark.parametrize(
    ("article", "body"),
    [
        ("naïve — 日本".encode(), "naïve — 日本"),
        ("naïve".encode("utf-8-sig"), "naïve"),
        ("naïve".encode("latin-1"), "naïve"),
        # A post is Latin-1 even if it happens to be valid UTF-8.
        ("From: a\n\nnaÃ¯ve".encode("latin-1"), "\n\nnaÃ¯ve"),
    ],
)
def test_encoding(article, body):
    assert _tokens.body(article) == body


@pytest.mark.parametrize("article", ["text".encode("utf-16"), b"\x89PNG\0"])
def test_binary_is_refused(article):
    with pytest.raises(ValueError, match="UTF-8 or Latin-1. Received: a NUL"):
        _tokens.body(article)


@pytest.mark.parametrize("seed", range(3))
def test_header_is_cut_off_as_text_mode_does(tmp_path, seed):
    random = np.random.RandomState(seed)
    for _ in range(100):
        article = b"From: a" + bytes(random.choice(list(b" \r\n"), 30).tolist())
        (tmp_path / "1").write_bytes(article)
        with open(tmp_path / "1", encoding="latin-1") as file:
            text = file.read()
        if text.find("\n\n") > 0:
            text = text[text.find("\n\n") :]
        assert _tokens.body(article) == text
