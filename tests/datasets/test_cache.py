import os
import threading

import numpy as np
import pytest

from keras_slim.datasets import _cache

pytestmark = pytest.mark.any_backend


def test_root_follows_the_environment(tmp_path, monkeypatch):
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "here"))
    assert _cache.root() == tmp_path / "here" / "keras_slim"
    monkeypatch.delenv("KERAS_HOME")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert _cache.root() == tmp_path / ".keras" / "keras_slim"


def test_home_is_expanded(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("KERAS_HOME", "~/here")
    assert _cache.root() == tmp_path / "here" / "keras_slim"
    monkeypatch.setenv("KERAS_HOME", "~nosuchuser/x")
    with pytest.raises(ValueError, match="KERAS_HOME='~nosuchuser/x'"):
        _cache.root()


def test_root_without_a_home_to_write_to(tmp_path, monkeypatch):
    monkeypatch.delenv("KERAS_HOME")
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    assert _cache.root() == tmp_path / ".keras" / "keras_slim"


def test_round_trip(tmp_path):
    path = tmp_path / "new" / "a.npz"
    assert _cache.load(path, ("x",)) is None
    _cache.save(path, {"x": np.arange(3), "y": np.array(2)})
    np.testing.assert_array_equal(_cache.load(path, ("x",))["x"], [0, 1, 2])
    assert _cache.load(path, ("x", "z")) is None
    assert os.listdir(path.parent) == ["a.npz"]


def test_no_pickle(tmp_path):
    np.savez(tmp_path / "a.npz", x=np.array([{}], object))
    assert _cache.load(tmp_path / "a.npz", ("x",)) is None


@pytest.mark.parametrize("error", [OSError, KeyboardInterrupt])
def test_failure_while_writing_leaves_what_was_there(
    tmp_path, monkeypatch, error
):
    path = tmp_path / "a.npz"
    _cache.save(path, {"x": np.arange(3)})

    def savez(file, **arrays):
        file.write(b"half")
        raise error

    monkeypatch.setattr(np, "savez", savez)
    with pytest.raises(error):
        _cache.save(path, {"x": np.arange(4)})
    assert len(_cache.load(path, ("x",))["x"]) == 3
    assert os.listdir(tmp_path) == ["a.npz"]


def test_writers_at_once(tmp_path):
    path = tmp_path / "a.npz"
    seen = []

    def write(value):
        for _ in range(20):
            _cache.save(path, {"x": np.full(1_000, value)})
            seen.append(_cache.load(path, ("x",)))

    threads = [threading.Thread(target=write, args=(i,)) for i in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(seen) == 80
    assert all(len(set(arrays["x"].tolist())) == 1 for arrays in seen)
    assert os.listdir(tmp_path) == ["a.npz"]


def test_leftovers_of_killed_processes_go(tmp_path):
    for name in "partial-old", "partial-new", "kept":
        (tmp_path / name).mkdir()
        (tmp_path / name / "file").write_bytes(b"")
    (tmp_path / "partial-1.npz").write_bytes(b"")
    for name in "partial-old", "partial-1.npz", "kept":
        os.utime(tmp_path / name, (0, 0))
    with _cache.partial_folder(tmp_path) as folder:
        (folder / "file").write_bytes(b"")
    assert sorted(os.listdir(tmp_path)) == ["kept", "partial-new"]


def test_key_differs():
    keys = [_cache.key("a", 1), _cache.key("a", 2), _cache.key("a1")]
    assert len(set(keys)) == 3
    assert _cache.key("a", 1) == keys[0]
