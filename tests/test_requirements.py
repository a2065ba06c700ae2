"""The oldest versions that setup.cfg admits are those that tox installs."""

import configparser
import re
from pathlib import Path

import pytest

pytestmark = pytest.mark.any_backend

ROOT = Path(__file__).parents[1]
# What these extras need is tested in its newest versions only.
NEWEST_ONLY = {"deploy", "notebooks"}


def read(name):
    parser = configparser.ConfigParser(interpolation=None)
    parser.read(ROOT / name)
    return parser


def versions(text, sign):
    """Versions by name, of lines such as `keras>=3.10.0`."""
    lines = (line.strip() for line in text.splitlines())
    found = [line for line in lines if line and not line.startswith(("#", "{"))]
    assert all(re.fullmatch(rf"[\w-]+{sign}[\d.]+", line) for line in found)
    return dict(line.split(sign) for line in found)


def test_what_setup_admits_is_tested():
    setup, tox = read("setup.cfg"), read("tox.ini")
    admitted = versions(setup["options"]["install_requires"], ">=")
    for extra, text in setup["options.extras_require"].items():
        if extra not in NEWEST_ONLY:
            admitted |= versions(text, ">=")
    tested = versions(tox["oldest"]["deps"], "==")
    for backend in ("", "-tensorflow", "-jax"):
        tested |= versions(tox[f"testenv:oldest{backend}"]["deps"], "==")
    assert admitted == tested
