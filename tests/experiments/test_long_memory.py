import gzip
import struct

import keras
import numpy as np
import pytest
from sklearn.datasets import load_digits

from experiments.engine.report import FAILS, HOLDS, LEARNED_NOTHING
from experiments.engine.results import Results, frame
from experiments.long_memory import claims, figures, tables, tasks
from experiments.long_memory.config import Config
from experiments.long_memory.report import REPORT, readable
from experiments.long_memory.results import TABLES
from experiments.long_memory.tasks import COPIED, SYMBOLS
from keras_slim.variants import VARIANTS

pytestmark = pytest.mark.any_backend


@pytest.mark.parametrize("length", [25, 40])
def test_the_adding_problem(length):
    """Experiment 1 of Hochreiter & Schmidhuber (NIPS 1996), word for word."""
    data = tasks.load("adding", 300, length, seed=3)
    for (x, y), count in ((data.train, 300), (data.test, 100)):
        assert x.shape == (count, length, 2) and y.shape == (count, 1)
        values, markers = x[..., 0], x[..., 1]
        marked = markers == 1
        assert (marked.sum(axis=1) == 2).all()
        np.testing.assert_allclose(
            y[:, 0], 0.5 + (values * marked).sum(axis=1) / 4, rtol=1e-6
        )
        places = np.argwhere(marked)[:, 1].reshape(-1, 2)
        assert (places.min(axis=1) < 10).all()
        assert places.max() == length // 2 - 2
        ends = markers[:, [0, -1]]
        assert ((ends == -1) | marked[:, [0, -1]]).all()
        assert (markers[:, 1:-1] >= 0).all()
        first = marked[:, 0]
        assert first.any() and (values[first, 0] == 0).all()
        assert -1 <= values.min() < -0.9 and 0.9 < values.max() <= 1
    guesses = np.linspace(0, 1, 201)
    right = [np.mean(abs(data.test[1] - g) < 0.04) for g in guesses]
    assert data.chance == pytest.approx(max(right), abs=0.03)


def test_the_copying_problem():
    data = tasks.load("copy", 200, 30, seed=0)
    x, y = data.train
    assert x.shape == (200, 30, SYMBOLS + 2) and (x.sum(axis=-1) == 1).all()
    symbols = x.argmax(axis=-1)
    np.testing.assert_array_equal(symbols[:, :COPIED], y)
    assert set(y.ravel()) == set(range(SYMBOLS))
    rest = symbols[:, COPIED:]
    go = 30 - 2 * COPIED - 1
    assert (rest[:, go] == SYMBOLS + 1).all()
    assert (np.delete(rest, go, axis=1) == SYMBOLS).all()
    assert data.chance == pytest.approx(1 / SYMBOLS, abs=0.05)


def test_digits_are_those_of_scikit_learn():
    images = load_digits().images / 16
    for name, shape in (("row", (8, 8)), ("pixel", (64, 1))):
        data = tasks.load(f"digits_by_{name}", 10_000, shape[0], seed=0)
        found = np.concatenate([data.train[0], data.test[0]])
        assert found.shape == (len(images), *shape)
        assert len(data.test[0]) == len(images) - len(images) * 4 // 5
        # All of them, in another order.
        rows = (set(map(bytes, a.astype("float32"))) for a in (found, images))
        assert len(set(map(frozenset, rows))) == 1
    few = tasks.load("digits_by_row", 100, 8, seed=0)
    assert len(few.train[0]) == 100 and len(few.test[0]) == len(data.test[0])


@pytest.fixture
def idx(tmp_path, monkeypatch):
    """Files as those of MNIST, in KERAS_SLIM_DATA."""
    folder = tmp_path / "mnist"
    folder.mkdir()
    random = np.random.default_rng(0)
    arrays = {
        "train-images-idx3": random.integers(0, 256, (5, 28, 28), "uint8"),
        "train-labels-idx1": np.arange(5, dtype="uint8"),
        "t10k-images-idx3": random.integers(0, 256, (3, 28, 28), "uint8"),
        "t10k-labels-idx1": np.array([7, 7, 1], "uint8"),
    }
    for name, array in arrays.items():
        head = struct.pack(f">HBB{array.ndim}I", 0, 8, array.ndim, *array.shape)
        with gzip.open(folder / f"{name}-ubyte.gz", "wb") as file:
            file.write(head + array.tobytes())
    monkeypatch.setenv("KERAS_SLIM_DATA", str(tmp_path))
    return folder, arrays


def test_images_are_read_from_the_folder_of_the_user_only(idx, monkeypatch):
    folder, _ = idx
    monkeypatch.chdir(folder.parent)
    monkeypatch.delenv("KERAS_SLIM_DATA")
    arrays = (np.zeros((1, 28, 28), "uint8"), np.zeros(1, "uint8"))
    monkeypatch.setattr(keras.datasets.mnist, "load_data", lambda: [arrays] * 2)
    data = tasks.load("mnist_by_row", 4, 28, seed=0)
    assert data.source == "mnist, of keras.datasets"


def test_images_in_idx_files(idx):
    folder, arrays = idx
    data = tasks.load("mnist_by_row", 4, 28, seed=0)
    wanted = arrays["train-images-idx3"][:4] / np.float32(255)
    np.testing.assert_allclose(data.train[0], wanted, rtol=1e-6)
    np.testing.assert_array_equal(data.test[1], [7, 7, 1])
    assert data.chance == pytest.approx(2 / 3)
    assert data.source == "mnist, IDX files"
    pixels = tasks.load("mnist_by_pixel", 4, 784, seed=0)
    np.testing.assert_array_equal(
        pixels.train[0].reshape(4, 28, 28), data.train[0]
    )


@pytest.mark.parametrize(
    "content",
    [b"", b"nonsense", gzip.compress(b"\0\0\x08"), gzip.compress(b"x" * 20)],
    ids=["empty", "no gzip", "cut off", "no array of bytes"],
)
def test_a_damaged_idx_file_is_named(idx, content):
    path = idx[0] / "t10k-images-idx3-ubyte.gz"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=f"{path} cannot be read"):
        tasks.load("mnist_by_row", 4, 28, seed=0)


def test_fresh_sequences_are_fresh():
    one, other = (tasks.load("adding", 200, 25, seed) for seed in (0, 1))
    assert one.fingerprint != other.fingerprint
    assert one.fingerprint == tasks.load("adding", 200, 25, 0).fingerprint
    seen = set(map(bytes, one.train[0]))
    assert not seen & set(map(bytes, one.test[0]))


def test_lengths():
    assert Config().length == 50
    assert Config(task="digits_by_pixel").length == 64
    assert Config(task="mnist_by_row", length=28).length == 28
    for settings in (
        {"length": 24},
        {"task": "digits_by_row", "length": 9},
        {"length": 10**10},
        {"length": 10**25},
    ):
        with pytest.raises(ValueError, match="for `length`.*Received: length="):
            Config(**settings)
    for samples in (10**10, 10**25):
        with pytest.raises(ValueError, match="for `samples`.*: samples="):
            Config(samples=samples)


def made(rows):
    """Results of runs: task, length, variant, rate, seed, accuracy, solved."""
    names = ("task", "length", "variant", "learning_rate", "seed")
    names += ("val_accuracy", "solved_epoch")
    fixed = {
        **{n: v for n, v in TABLES.defaults.items() if n not in names},
        "status": "done",
        "epochs_done": 30,
        "steps_per_epoch": 100,
        "trainable_parameters": 10,
        "chance": 0.2,
    }
    runs = frame(
        [
            {"id": str(k), **fixed, **dict(zip(names, row, strict=True))}
            for k, row in enumerate(rows)
        ],
        TABLES.run_columns,
    )
    return Results(runs, frame([], TABLES.history_columns))


def both_seeds(task, length, variant, accuracy, epochs, rate=1e-3):
    return [
        (task, length, variant, rate, seed, accuracy, epoch)
        for seed, epoch in enumerate(epochs)
    ]


@pytest.fixture
def found():
    """LSTM solves up to 100, LSTM3 50 with one rate and none with another."""
    return made(
        [
            *both_seeds("adding", 25, "lstm", 0.99, (2, 4)),
            *both_seeds("adding", 50, "lstm", 0.98, (5, 5)),
            *both_seeds("adding", 100, "lstm", 0.95, (9, 9)),
            *both_seeds("adding", 25, "lstm3", 0.98, (8, 8)),
            *both_seeds("adding", 50, "lstm3", 0.99, (9, 9)),
            *both_seeds("adding", 100, "lstm3", 0.6, (9, None)),
            *both_seeds("adding", 25, "lstm3", 0.999, (None, None), 1e-2),
            *both_seeds("adding", 50, "lstm3", 0.999, (None, None), 1e-2),
        ]
    )


def test_the_rate_with_most_runs_solved_is_chosen(found):
    best = tables.chosen(found.runs)
    assert set(best["learning_rate"]) == {1e-3}
    assert len(best) == 12


def test_what_is_solved(found):
    (budget,) = tables.split(found)
    summary = tables.summary(budget).set_index(["variant", "length"])
    assert summary.loc[("lstm", 25), "steps"] == 300
    row = summary.loc[("lstm3", 100)]
    assert (row["seeds"], row["solved"], row["accuracy"]) == (2, 0.5, 0.6)
    # Wilson's interval of one of two.
    assert row["solved_low"] == pytest.approx(0.0945, abs=1e-3)
    longest = tables.longest(summary.reset_index()).set_index("variant")
    assert longest["adding"].to_dict() == {"lstm": 100, "lstm3": 50}


def test_two_tasks_of_one_name_share_no_row():
    """Such as two sets of files in the format of MNIST."""
    found = made(both_seeds("mnist_by_row", 28, "lstm", 0.9, (2, None)))
    found.runs["data_fingerprint"] = ["0123456", "abcdef0"]
    (budget,) = tables.split(found)
    (about, *_) = REPORT.items(budget)
    assert [*about.text["task"]] == [
        "mnist_by_row 012345",
        "mnist_by_row abcdef",
    ]
    assert [*tables.summary(budget)["seeds"]] == [1, 1]


def test_a_gap_ends_what_is_solved():
    found = made(
        [
            *both_seeds("adding", 25, "lstm", 0.5, (None, 3)),
            *both_seeds("adding", 50, "lstm", 0.98, (5, 5)),
        ]
    )
    longest = tables.longest(tables.summary(tables.split(found)[0]))
    assert longest["adding"].item() == 0


def test_a_length_that_was_run_at_another_rate_only():
    found = made(
        [
            *both_seeds("adding", 25, "lstm", 0.99, (2, 3)),
            *both_seeds("adding", 50, "lstm", 0.5, (None, None), 3e-3),
            *both_seeds("adding", 100, "lstm", 0.98, (5, 5)),
        ]
    )
    summary = tables.summary(tables.split(found)[0])
    assert [*summary["seeds"]] == [2, 0, 2]
    assert [*readable(summary)["seeds"]] == ["2", "0 (2 at another rate)", "2"]
    assert tables.longest(summary)["adding"].item() == 25


def test_claims(found):
    verdicts = claims.verdicts(found).set_index("length")
    assert set(verdicts["claim"]) == {"lstm3 is as good as lstm"}
    assert set(verdicts["source"]) == {"ours"}
    assert verdicts["verdict"].to_dict() == {25: HOLDS, 50: HOLDS, 100: FAILS}
    assert verdicts.loc[100, "seeds"] == "0 of 2"
    assert verdicts.loc[100, "values"] == "60.0%, 95.0%"


def test_no_claim_is_made_of_variants_that_learned_nothing():
    rows = [
        *both_seeds("adding", 100, "lstm", 0.21, (None, None)),
        *both_seeds("adding", 100, "lstm3", 0.19, (None, None)),
        *both_seeds("adding", 100, "lstm5", 0.6, (None, None)),
    ]
    found = claims.verdicts(made(rows)).set_index("claim")
    neither, one = "lstm3 is as good as lstm", "lstm5 is as good as lstm"
    assert found.loc[neither, "verdict"] == LEARNED_NOTHING
    assert found.loc[neither, "values"] == "19.0%, 21.0%"
    assert found.loc[one, "verdict"] == HOLDS


def test_claims_of_the_papers():
    rows = []
    for task, length in (("mnist_by_row", 28), ("mnist_by_pixel", 784)):
        for name, accuracy in (("gru", 0.98), ("gru1", 0.975), ("gru3", 0.6)):
            rows += both_seeds(task, length, name, accuracy, (3, 3))
    verdicts = claims.verdicts(made(rows))
    assert set(verdicts["source"]) == {claims.DEY}
    found = verdicts.set_index(["task", "claim"])["verdict"].to_dict()
    assert found == {
        ("mnist_by_row", "gru1 is as good as gru"): HOLDS,
        ("mnist_by_row", "gru3 is as good as gru"): FAILS,
        ("mnist_by_pixel", "gru1 is as good as gru"): HOLDS,
        ("mnist_by_pixel", "gru3 falls behind gru"): HOLDS,
    }


def test_no_two_variants_are_drawn_alike():
    names = [*VARIANTS, "ub/0.8/xhb/b", "b/0.9/xhb/b"]
    styles = figures._styles(names)
    assert set(styles) == set(names)
    drawn = {tuple(style.values()) for style in styles.values()}
    assert len(drawn) == len(names)


def test_pictures_and_page_of_several_lengths(found, tmp_path):
    paths = REPORT.write(found, tmp_path)
    names = [path.name for path in paths]
    assert names == ["index.html", "lengths.png"]
    page = (tmp_path / "index.html").read_text()
    assert "Hochreiter" in page and "is as good as" in page
    assert (tmp_path / "lengths.png").stat().st_size > 10_000


def test_there_is_no_such_budget(found):
    with pytest.raises(ValueError, match="1 budgets.*Received: budget=1"):
        REPORT.show(found, None, 1)
