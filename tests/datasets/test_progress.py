import time

import pytest

from keras_slim.datasets._progress import Progress

pytestmark = pytest.mark.any_backend


@pytest.mark.parametrize("seconds", [0.5, 2])
def test_shows_only_what_is_slow(monkeypatch, capsys, seconds):
    now = time.monotonic()
    monkeypatch.setattr(time, "monotonic", lambda: now)
    progress = Progress(10, "Reading", "post")
    progress.update(1)
    assert capsys.readouterr().out == ""
    now += seconds
    for done in 5, 12:  # a size that an archive states may be too small
        progress.update(done)
    printed = capsys.readouterr().out
    assert ("Reading\n" in printed) == (seconds > 1)
    assert ("10/10" in printed) == (seconds > 1)
    assert "12/" not in printed
