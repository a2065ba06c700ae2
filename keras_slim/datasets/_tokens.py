"""The rules by which Keras 2 turned texts into word ids."""

import collections
import itertools
import re

import numpy as np

# Part of the name of every cached corpus: increment it when a rule changes.
RULES = 2

FILTERS = '!"#$%&()*+,-./:;<=>?@[\\]^_`{|}~\t\n'

_TABLE = str.maketrans(FILTERS, " " * len(FILTERS))
_FIELD = re.compile(rb"[!-9;-~]+:|[ \t]")  # a header field or continuation


def body(article):
    """Returns the text of an article, without the header of a newsgroup post.

    A post is Latin-1, as the Keras example reads it. Any other text is kept
    whole and is UTF-8, or Latin-1 if it is not valid UTF-8.

    Args:
        article: Byte string.

    Returns:
        String, with `\\n` as line ends. The text of a post begins with the
        blank line after its header.

    Raises:
        ValueError: if the article is binary or in UTF-16.
    """
    if b"\0" in article:
        raise ValueError(
            "Expected text in UTF-8 or Latin-1. Received: a NUL byte, as in "
            "UTF-16 and binary files"
        )
    article = article.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    end = article.find(b"\n\n")
    if end > 0 and _is_header(article[:end]):
        return article[end:].decode("latin-1")
    try:
        return article.decode("utf-8-sig")
    except UnicodeDecodeError:
        return article.decode("latin-1")


def _is_header(lines):
    """Returns whether all lines are fields of a header, one of them `From`.

    An ordinary text may well begin with a line `Name: value`.
    """
    lines = lines.split(b"\n")
    is_from = any(line[:5].lower() == b"from:" for line in lines)
    return is_from and all(map(_FIELD.match, lines))


def encode(texts):
    """Numbers the words of all texts.

    Args:
        texts: Iterable of strings.

    Returns:
        Tuple `(tokens, offsets, words)`. `tokens[offsets[n]:offsets[n + 1]]`
        are the word ids of text `n`; the word of id `i` is `words[i - 1]`.
        Ids are in order of decreasing frequency, ties in order of appearance.
    """
    order = collections.defaultdict(itertools.count().__next__)
    parts = [np.empty(0, np.int32)]
    for text in texts:
        words = text.lower().translate(_TABLE).split(" ")
        words = [word for word in words if word]
        ids = map(order.__getitem__, words)
        parts.append(np.fromiter(ids, np.int32, len(words)))
    offsets = np.cumsum([len(part) for part in parts], dtype=np.int64)
    tokens = np.concatenate(parts)

    by_frequency = np.argsort(-np.bincount(tokens), kind="stable")
    ranks = np.empty(len(order), np.int32)
    ranks[by_frequency] = np.arange(1, len(order) + 1)
    words = list(order)
    words = [words[position] for position in by_frequency]
    return ranks[tokens], offsets, words
