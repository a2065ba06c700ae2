"""Downloads from public URLs, or as a wheel from the package index."""

import contextlib
import os
import socket
import subprocess
import sys
from typing import NamedTuple

import keras

from keras_slim.datasets import _cache

TIMEOUT = 10  # seconds that a server may stay silent


class Wheel(NamedTuple):
    """A wheel of the package index, pinned to its content."""

    project: str
    version: str
    sha256: str

    @property
    def requirement(self):
        return f"{self.project}=={self.version}"

    @property
    def file_name(self):
        project = self.project.replace("-", "_")
        return f"{project}-{self.version}-py3-none-any.whl"


def check_sha256(path, expected):
    """Raises a `ValueError` unless the file has this sha256."""
    found = _cache.sha256(path)
    if found != expected:
        raise ValueError(
            f"{path}: the file is not the published one. "
            f"Expected sha256 {expected}. Received: {found}"
        )


def fetch_from_urls(
    target, urls, check, prepare=lambda path: None, sha256=None
):
    """Fetches a file from the first URL that has the right one.

    Args:
        target: Path of the file. An existing one that passes `check` is
            kept.
        urls: List of strings, tried in this order.
        check: Function of the path of the fetched file that raises an error
            if it is wrong.
        prepare: Function of the same path, called before `check`, which
            may rewrite the file.
        sha256: Dictionary from URLs to the published sha256 of their files.

    Returns:
        `target`.

    Raises:
        OSError: if no URL has the file.
    """
    if _is_there(target, check):
        return target
    problems = []
    for url in urls:
        try:
            # `get_file` writes under the final name from the first byte on.
            with _cache.partial_folder(target.parent) as folder, _timeout():
                path = keras.utils.get_file(
                    target.name, url, cache_dir=str(folder), cache_subdir=""
                )
                if sha256 and url in sha256:
                    check_sha256(path, sha256[url])
                prepare(path)
                check(path)
                os.replace(path, target)
            return target
        except Exception as error:  # `get_file` raises bare exceptions
            problems.append(" ".join(str(error).split()))
    raise OSError(f"{target.name} could not be fetched: " + "; ".join(problems))


def fetch_wheel(target, wheel):
    """Fetches a wheel, without installing it, into the file `target`."""

    def check(path):
        check_sha256(path, wheel.sha256)

    if _is_there(target, check):
        return target
    with _cache.partial_folder(target.parent) as folder:
        requirements = folder / "requirements.txt"
        requirements.write_text(
            f"{wheel.requirement} --hash=sha256:{wheel.sha256}\n"
        )
        _pip_download(requirements, folder)
        fetched = folder / wheel.file_name
        if not fetched.is_file():
            raise OSError(f"pip did not fetch {wheel.file_name}.")
        check(fetched)
        os.replace(fetched, target)
    return target


def _pip_download(requirements, folder):
    done = subprocess.run(
        [sys.executable, "-m", "pip", "download"]
        + ["--disable-pip-version-check", "--no-input", "--no-deps"]
        + ["--only-binary=:all:", "--require-hashes"]
        + ["--requirement", str(requirements), "--dest", str(folder)],
        stderr=subprocess.PIPE,
        text=True,
    )
    if done.returncode:
        wanted = requirements.read_text().split()[0]
        reason = (done.stderr.strip() or "no reason given").splitlines()[-1]
        raise OSError(f"pip could not fetch {wanted}: {reason}")


def _is_there(target, check):
    if not target.is_file():
        return False
    try:
        check(target)
    except ValueError as error:
        print(f"Fetched again: {error}")
        return False
    return True


@contextlib.contextmanager
def _timeout():
    before = socket.getdefaulttimeout()
    socket.setdefaulttimeout(TIMEOUT)
    try:
        yield
    finally:
        socket.setdefaulttimeout(before)
