"""The rules by which Keras 2 made word ids of a text, for latin-1 text.

Bytes stay bytes until the words are known: lower-casing maps latin-1 into
itself, so that one table does it together with the filter.
"""

import collections
import itertools

import numpy as np

# Part of the name of every cached corpus: count up when a rule changes.
RULES = 1

FILTERS = '!"#$%&()*+,-./:;<=>?@[\\]^_`{|}~\t\n'

_TABLE = bytes(
    ord(" " if chr(code) in FILTERS else chr(code).lower())
    for code in range(256)
)


def body(article):
    """Returns an article from its first blank line on, newlines made `\\n`.

    An article without one, or that begins with one, is returned whole.
    """
    article = article.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    return article[max(article.find(b"\n\n"), 0) :]


def encode(texts):
    """Numbers the words of all texts.

    Args:
        texts: Iterable of latin-1 byte strings.

    Returns:
        Tuple `(tokens, offsets, words)`. `tokens[offsets[n]:offsets[n + 1]]`
        are the word ids of text `n`; the word of id `i` is `words[i - 1]`.
        Ids follow falling frequency, ties the order of first appearance.
    """
    order = collections.defaultdict(itertools.count().__next__)
    parts = [np.empty(0, np.int32)]
    for text in texts:
        words = [word for word in text.translate(_TABLE).split(b" ") if word]
        ids = map(order.__getitem__, words)
        parts.append(np.fromiter(ids, np.int32, len(words)))
    offsets = np.cumsum([len(part) for part in parts], dtype=np.int64)
    tokens = np.concatenate(parts)

    by_frequency = np.argsort(-np.bincount(tokens), kind="stable")
    ranks = np.empty(len(order), np.int32)
    ranks[by_frequency] = np.arange(1, len(order) + 1)
    words = list(order)
    words = [words[position].decode("latin-1") for position in by_frequency]
    return ranks[tokens], offsets, words
