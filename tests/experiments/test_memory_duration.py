import dataclasses
import math

import keras
import matplotlib
import numpy as np
import pandas as pd
import pytest
from drawn import randomise
from rich.console import Console
from tiny import replaced

from experiments.engine import results as engine_results
from experiments.engine import training
from experiments.engine.report import FAILS, HOLDS
from experiments.engine.runs import read_history
from experiments.memory_duration import (
    claims,
    cli,
    figures,
    grid,
    report,
    results,
    tables,
)
from experiments.memory_duration.config import COEFFICIENTS, Config
from experiments.memory_duration.experiment import MEMORY_DURATION
from experiments.memory_duration.model import (
    CarriedState,
    build_model,
)
from experiments.memory_duration.reading import frequency_bits, read
from experiments.memory_duration.run import load_data
from experiments.memory_duration.streams import Streams
from keras_slim import memory
from keras_slim.datasets.text import PAPER_COUNTS

TINY = {
    "characters": 1_000,
    "units": 5,
    "layers": 2,
    "epochs": 3,
    "batch_size": 6,
    "timesteps": 4,
    "backend": keras.backend.backend(),
}


@pytest.fixture
def tiny_text(tmp_path):
    """A text of few symbols whose next character can be predicted."""
    path = tmp_path / "text.txt"
    path.write_text("the rain in spain. " * 60)
    return str(path)


@pytest.fixture
def tiny_config(tiny_text):
    return Config(text=tiny_text, **TINY)


@pytest.fixture
def arguments(tiny_text, tmp_path):
    """The command line of a tiny run, but for what is an axis of a sweep."""
    options = {**TINY, "text": tiny_text, "results-dir": tmp_path / "runs"}
    return [f"--{k.replace('_', '-')}={v}" for k, v in options.items()]


def history(folder):
    """What must be the same bit for bit: all but the clock."""
    rows = read_history(folder.path / "history.csv")
    return [{k: v for k, v in row.items() if k != "seconds"} for row in rows]


@pytest.mark.any_backend
def test_every_setting_tells_its_origin():
    for field in dataclasses.fields(Config):
        assert field.metadata["origin"] in ("stated", "ours"), field.name


@pytest.mark.any_backend
def test_what_the_paper_states():
    config = Config()
    assert (config.layers, config.units, config.dropout) == (3, 400, 0.5)
    assert (config.batch_size, config.timesteps, config.clip_norm) == (
        100,
        10,
        5,
    )
    assert (config.optimizer, config.test_split) == ("adam", 0.1)
    assert set(grid.TEXTS) == set(PAPER_COUNTS)


@pytest.mark.any_backend
@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"units": 0}, "`units`.*>= 1.*units=0"),
        ({"r_2": -1.0}, "`r_2`.*>= 0.*r_2=-1.0"),
        ({"layers": 2, "r_3": 0.5}, "`r_3`.*layers=2.*r_3=0.5"),
        ({"characters": 10}, "`characters`.*>= 1000"),
        ({"test_split": 0.0}, "`test_split`.*> 0 and < 1"),
        ({"variant": "lstm99"}, "`variant`.*lstm3"),
        ({"carry_state": 1}, "`carry_state`.*True or False"),
    ],
    ids=str,
)
def test_bad_settings_say_what_is_allowed(settings, message):
    with pytest.raises(ValueError, match=message):
        Config(**settings)


@pytest.mark.any_backend
def test_streams_go_on_from_batch_to_batch():
    ids = np.arange(103)
    streams = Streams(ids, batch_size=5, timesteps=4)
    assert len(streams) == 5  # 100 characters and the one that follows
    batches = [streams[k] for k in range(len(streams))]
    read_in_order = np.concatenate([x for x, _ in batches], axis=1)
    np.testing.assert_array_equal(read_in_order, ids[:100].reshape(5, 20))
    for x, y in batches:
        assert x.shape == y.shape == (5, 4)
        np.testing.assert_array_equal(y, x + 1)
    assert len(Streams(ids[:101], 5, 4)) == 5
    assert len(Streams(ids[:100], 5, 4)) == 4
    with pytest.raises(ValueError, match="more than.*20.*Received: 20"):
        Streams(ids[:20], 5, 4)


def test_the_network_of_the_paper():
    """Parameters of an LSTM stack: 4 (m n + n² + n) a layer."""
    model = build_model(Config(), symbols=62)
    wanted = sum(4 * (m * 400 + 400**2 + 400) for m in (62, 400, 400))
    wanted += 400 * 62 + 62
    trainable = sum(math.prod(w.shape) for w in model.trainable_weights)
    assert trainable == wanted
    assert model.output_shape == (100, 10, 62)
    assert model.optimizer.global_clipnorm == 5
    carried = [x for x in model.layers if isinstance(x, CarriedState)]
    names = [layer.recurrent.name for layer in carried]
    assert names == [f"layer_{k}" for k in (1, 2, 3)]
    one_hot = model.get_layer("one_hot")
    ids = np.array([[3, 0]])
    np.testing.assert_array_equal(
        keras.ops.convert_to_numpy(one_hot(ids)), np.eye(62)[ids]
    )


@pytest.mark.parametrize("carry_state", [True, False])
def test_states_are_carried_over_and_begin_anew_with_an_epoch(
    tiny_config, carry_state
):
    config = dataclasses.replace(
        tiny_config, carry_state=carry_state, dropout=0.0
    )
    model = build_model(config, symbols=9)
    ids = np.random.default_rng(0).integers(0, 9, 200)
    streams = Streams(ids, config.batch_size, config.timesteps, model)
    (x, _), (following, _) = streams[0], streams[1]
    alone = model.predict_on_batch(following)
    streams.begin_epoch(0)
    np.testing.assert_allclose(
        model.predict_on_batch(following), alone, atol=1e-6
    )
    streams.begin_epoch(1)
    model.predict_on_batch(x)
    after = model.predict_on_batch(following)
    assert np.allclose(after, alone, atol=1e-6) != carry_state


@pytest.mark.parametrize("length", [2, 100, 101, 230])
def test_a_text_is_read_as_one_stream(tiny_config, monkeypatch, length):
    """Beside the trained network on the text in one piece, step by step."""
    monkeypatch.setattr("experiments.memory_duration.reading._PIECES", 2)
    monkeypatch.setattr("experiments.memory_duration.reading.PIECE", 50)
    model = build_model(tiny_config, symbols=9)
    randomise(model)
    model.get_layer("one_hot").set_weights([np.eye(9)])
    ids = np.random.default_rng(1).integers(0, 9, length)
    found = read(model, tiny_config, 9, ids)

    whole = dataclasses.replace(
        tiny_config, batch_size=1, timesteps=length - 1, carry_state=False
    )
    twin = build_model(whole, symbols=9)
    for own, trained in zip(
        twin.trainable_variables, model.trainable_variables, strict=True
    ):
        own.assign(keras.ops.copy(trained))
    logits = twin.predict(ids[None, :-1], verbose=0)[0].astype("float64")
    odds = np.exp(logits)
    given = (odds / odds.sum(-1, keepdims=True))[np.arange(length - 1), ids[1:]]
    np.testing.assert_allclose(
        found.bits_per_character, -np.log2(given).mean(), rtol=1e-5
    )
    assert found.accuracy == np.mean(logits.argmax(-1) == ids[1:])
    cell_states = memory.cell_states(twin, ids[None, :-1])
    for layer, own in enumerate(found.durations, 1):
        wanted = memory.durations(cell_states[f"layer_{layer}"])
        for name in ("unit", "duration", "count"):
            np.testing.assert_array_equal(
                getattr(own, name), getattr(wanted, name)
            )


@pytest.mark.long
@pytest.mark.any_backend
def test_a_run_learns_and_leaves_its_folder(tiny_config, tmp_path):
    config = dataclasses.replace(
        tiny_config, epochs=40, learning_rate=0.02, units=20
    )
    data = load_data(config)
    folder = MEMORY_DURATION.carry_out(config, tmp_path, verbose=0)
    result = folder.result
    assert result["test_bits_per_character"] < math.log2(len(data.symbols)) / 2
    found = engine_results.collect(tmp_path, results.TABLES)
    durations = found.details["durations"]
    steps = len(data.test) - 1
    for layer, rows in durations.groupby("layer"):
        assert (rows["duration"] * rows["count"]).sum() == steps * config.units
        of_layer = results.durations_of(rows)
        assert result["mean_durations"][layer - 1] == of_layer.mean()
    units = found.details["units"]
    assert len(units) == config.layers * config.units
    of_units = (units["mean"] * units["count"]).sum()
    np.testing.assert_allclose(
        of_units, steps * config.units * config.layers, rtol=1e-4
    )
    # Without a term of eq. 7 the two are the same.
    last = read_history(folder.path / "history.csv")[-1]
    np.testing.assert_allclose(last["loss"], last["cross_entropy"], rtol=1e-5)


@pytest.mark.any_backend
def test_the_term_of_equation_7_is_in_the_loss(tiny_config, tmp_path):
    config = dataclasses.replace(tiny_config, r_2=3.0, epochs=1)
    folder = MEMORY_DURATION.carry_out(config, tmp_path, verbose=0)
    (row,) = read_history(folder.path / "history.csv")
    assert row["loss"] > row["cross_entropy"] * 1.0001


@pytest.mark.any_backend
def test_a_text_is_known_by_what_it_holds(tiny_config, tmp_path):
    """A run is resumed if its text was moved, but not with another text."""
    folder = MEMORY_DURATION.folder_of(tiny_config, tmp_path)
    (tmp_path / "elsewhere").mkdir()
    moved = tmp_path / "elsewhere" / "text.txt"
    moved.write_bytes((tmp_path / "text.txt").read_bytes())
    config = dataclasses.replace(tiny_config, text=str(moved))
    assert MEMORY_DURATION.folder_of(config, tmp_path).id == folder.id
    assert config.as_dict()["text"] == "text.txt"
    moved.write_text("in spain the rain. " * 60)
    other = dataclasses.replace(config, text=f"{moved.parent}/./text.txt")
    assert MEMORY_DURATION.folder_of(other, tmp_path).id != folder.id


class CutOff(Exception):
    pass


@pytest.mark.long
def test_a_run_cut_off_goes_on_bit_for_bit(tiny_config, tmp_path, monkeypatch):
    whole = MEMORY_DURATION.carry_out(
        tiny_config, tmp_path / "whole", verbose=0
    )
    with monkeypatch.context() as patch:
        on_epoch_end = training.RunRecorder.on_epoch_end

        def cut_off(self, epoch, logs=None):
            on_epoch_end(self, epoch, logs)
            if epoch == 1:
                raise CutOff

        patch.setattr(training.RunRecorder, "on_epoch_end", cut_off)
        with pytest.raises(CutOff):
            MEMORY_DURATION.carry_out(tiny_config, tmp_path / "cut", verbose=0)
    resumed = MEMORY_DURATION.carry_out(
        tiny_config, tmp_path / "cut", verbose=0
    )
    assert history(resumed) == history(whole)
    for name in ("test_bits_per_character", "mean_durations"):
        assert resumed.result[name] == whole.result[name]
    for name in ("durations.csv", "units.csv"):
        paths = resumed.path / name, whole.path / name
        assert paths[0].read_bytes() == paths[1].read_bytes()


@pytest.fixture
def wide_terminal(monkeypatch):
    """On which no sentence of a table is broken."""
    monkeypatch.setenv("COLUMNS", "300")


# With which a tiny network learns more than character frequencies.
LEARNING = ("--epochs=20", "--learning-rate=0.03", "--units=12")


@pytest.mark.long
@pytest.mark.any_backend
def test_a_run_ends_in_a_table_and_pictures(arguments, wide_terminal, capsys):
    arguments = replaced(arguments, *LEARNING)
    assert cli.main(["run", *arguments]) == 0
    told = capsys.readouterr().out
    assert "learned nothing but" not in told
    assert "bits" in told and "the mean duration grows" in told
    assert told.splitlines()[-2] == "Pictures: histograms.png, variants.png"
    # Again: nothing is trained, the same is shown.
    assert cli.main(["run", *arguments]) == 0
    again = capsys.readouterr().out
    assert "Epoch" not in again
    assert again.splitlines()[-2:] == told.splitlines()[-2:]


@pytest.mark.long
@pytest.mark.any_backend
def test_a_sweep_and_its_report(arguments, wide_terminal, tmp_path, capsys):
    axes = ["--variant=lstm3", "--layers=3", "--seed=0-1", "--r-1=0,1"]
    line = replaced(arguments, *axes, *LEARNING, "--dropout=0")
    sweep = ["sweep", "--preset=modulation", *line]
    assert cli.main([*sweep, "--dry-run"]) == 0
    # Two seeds of: none, r_1 at 1, r_2 and r_3 at three values each.
    planned = 2 * (1 + 1 + 3 + 3)
    assert f"{planned} runs: {planned} left" in capsys.readouterr().out
    small = [*sweep, "--r-2=0", "--r-3=0"]
    assert cli.main(small) == 0
    assert "0 of 4 runs are done" in (told := capsys.readouterr().out)
    assert "[4 of 4]" in told
    assert cli.main(small) == 0
    assert "4 of 4 runs are done" in capsys.readouterr().out

    places = [f"--results-dir={tmp_path / 'runs'}"]
    assert cli.main(["collect", *places, f"--to={tmp_path / 'csv'}"]) == 0
    made = engine_results.collect(tmp_path / "runs", results.TABLES)
    kept = engine_results.read(tmp_path / "csv", results.TABLES)
    for one, other in zip(made[:2], kept[:2], strict=True):
        pd.testing.assert_frame_equal(one, other)
    for name, table in made.details.items():
        pd.testing.assert_frame_equal(table, kept.details[name])
    capsys.readouterr()
    report = ["report", f"--from={tmp_path / 'csv'}", f"--to={tmp_path}"]
    assert cli.main(report) == 0
    told = capsys.readouterr().out
    assert "r_1 hardly changes" in told and claims.NOT_ENOUGH in told
    for name in ("histograms", "modulation", "variants"):
        assert (tmp_path / f"{name}.png").stat().st_size > 10_000
    summary = pd.read_csv(tmp_path / "summary.csv")
    assert len(summary) == 2 and (summary["seeds"] == 2).all()
    page = (tmp_path / "index.html").read_text("utf-8")
    for name in ("summary", "verdicts", "texts"):
        assert f'id="{name}"' in page
        assert "\\toprule" in (tmp_path / f"{name}.tex").read_text("utf-8")
    assert "histograms.png" in page


@pytest.mark.any_backend
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["run", "--text=nowhere.txt"], "nowhere.txt"),
        (["run", "--units=0"], "`units`"),
        (["run", "--text=king_lear"], "paper_king_lear.txt"),
        (["sweep", "--preset=quick", "--seed=x"], "`seed`"),
        (["sweep", "--preset=quick", "--layers=1", "--r-2=1"], "`r_2`"),
        (["report"], "There are no runs"),
        (["report", "--from=nowhere"], "nowhere"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_mistakes_are_told_in_a_line(
    arguments, message, tmp_path, monkeypatch, capsys
):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("KERAS_SLIM_DATA", raising=False)
    assert cli.main(arguments) == 2
    told = capsys.readouterr().err
    assert message in told and "Traceback" not in told


@pytest.mark.any_backend
def test_the_preset_of_figure_2():
    modulation = MEMORY_DURATION.points("modulation", {})
    # Each coefficient alone, and none once.
    assert len(modulation) == 3 * (1 + 3 * (len(grid.VALUES_OF_R) - 1))
    for point in modulation:
        assert sum(point[name] > 0 for name in COEFFICIENTS) <= 1


def made_durations(means, spreads=None, **settings):
    """A row a layer of runs of one seed each."""
    rows = []
    for seed, by_layer in enumerate(means):
        for layer, mean in enumerate(by_layer, 1):
            row = {"text": "t", "variant": "lstm", "seed": seed}
            row |= {"layer": layer, "mean": mean, "spread": mean}
            row["unit_spread"] = mean
            row |= {**dict.fromkeys(COEFFICIENTS, 0.0), "layers": len(by_layer)}
            rows.append({**row, **settings})
    return pd.DataFrame(rows)


def verdict_of(durations, claim):
    found = claims.verdicts(durations)
    return found[found["claim"].str.contains(claim)].iloc[0]


@pytest.mark.any_backend
@pytest.mark.parametrize(
    ("means", "verdict", "seeds"),
    [
        ([[1, 2, 3], [1, 3, 4]], HOLDS, "2 of 2"),
        ([[1, 2, 3], [2, 1, 4]], FAILS, "1 of 2"),
        ([[1, 2, 3], [1.5, 1.4, 4]], HOLDS, "1 of 2"),
        ([[3, 2, 1]], FAILS, "0 of 1"),
        ([[1, 1, 2]], FAILS, "0 of 1"),
        ([[1, 2]], HOLDS, "1 of 1"),
    ],
    ids=str,
)
def test_whether_durations_grow_with_depth(means, verdict, seeds):
    for claim in ("mean duration", "broader", "units differ"):
        found = verdict_of(made_durations(means), claim)
        assert (found["verdict"], found["seeds"]) == (verdict, seeds)


@pytest.mark.any_backend
def test_one_layer_says_nothing_of_depth():
    found = claims.verdicts(made_durations([[3.0]]))
    assert not found["claim"].str.contains("depth").any()


@pytest.mark.any_backend
@pytest.mark.parametrize(
    ("changed", "verdict"),
    [
        ((1.05, 1.2, 2.0), HOLDS),
        ((0.95, 1.2, 2.0), HOLDS),
        ((1.5, 1.6, 2.0), FAILS),  # r_1 changes much
        ((1.05, 2.0, 1.2), FAILS),  # r_3 less than r_2
        ((1.05, 1.2, 0.5), FAILS),  # it shortens
    ],
    ids=str,
)
def test_whether_coefficients_change_their_layers(changed, verdict):
    base = [2.0, 4.0, 8.0]
    durations = [made_durations([base])]
    for k, name in enumerate(COEFFICIENTS):
        for r, factor in ((0.1, 1.0), (10.0, changed[k])):
            means = [m * factor if i == k else m for i, m in enumerate(base)]
            durations.append(made_durations([means], **{name: r}))
    found = verdict_of(pd.concat(durations), "r_1 hardly")
    assert (found["verdict"], found["seeds"]) == (
        verdict,
        "1 of 1" if verdict == HOLDS else "0 of 1",
    )
    # What changes in between counts, too.
    between = made_durations([[3.0, 4.0, 8.0]], r_1=1.0)
    found = verdict_of(pd.concat([*durations, between]), "r_1 hardly")
    assert found["verdict"] == FAILS and "+50%" in found["values"]
    of_rate = pd.concat(durations).assign(variant="lstm at 0.01")
    assert verdict_of(of_rate, "r_1 hardly")["section"] == "4.2"
    missing = pd.concat(durations[:3])
    assert verdict_of(missing, "r_1 hardly")["verdict"] == claims.NOT_ENOUGH


@pytest.mark.any_backend
def test_bits_of_character_frequencies():
    """By the definition: shares of the training text, Laplace's rule."""
    train, test = list("aabac"), list("bad")
    symbols = "abcd"
    shares = {s: (train.count(s) + 1) / (5 + 4) for s in symbols}
    wanted = -np.mean([math.log2(shares[s]) for s in test[1:]])
    ids = [np.array([symbols.index(s) for s in t]) for t in (train, test)]
    np.testing.assert_allclose(frequency_bits(*ids, 4), wanted)


@pytest.mark.any_backend
@pytest.mark.parametrize(
    ("bits", "frequencies", "learned"),
    [
        (2.5, 4.7, True),
        (4.71, 4.7, False),
        (4.65, 4.7, False),  # by chance a little lower
        (4.5, 4.7, True),
        (5.1, math.nan, True),  # earlier runs did not keep it
        (math.nan, 4.7, False),
        (None, None, False),
    ],
)
def test_what_learned_nothing(bits, frequencies, learned):
    row = {"test_bits_per_character": bits, "frequency_bits": frequencies}
    runs = pd.DataFrame([{**row, "status": "done"}], dtype=object)
    assert results.learned(runs).tolist() == [learned]
    earlier = runs.drop(columns="frequency_bits")
    assert results.learned(earlier).tolist() == [bits == bits and bool(bits)]
    unfinished = runs.assign(status="unfinished", test_bits_per_character=None)
    assert results.learned(unfinished).tolist() == [True]


@pytest.fixture
def of_three_seeds():
    """The third learned nothing: its units never change a sign."""
    runs, durations, units = [], [], []
    for seed, bits in enumerate((2.5, 2.6, 4.72)):
        row = {"id": str(seed), "status": "done", "epochs_done": 30}
        row |= Config(seed=seed, epochs=30).as_dict() | {"text_symbols": 62}
        row |= {"test_bits_per_character": bits, "frequency_bits": 4.72}
        row |= {"text_characters": 9_999, "text_source": "made here"}
        runs.append({**row, "data_fingerprint": "01", "error": None})
        for layer in (1, 2, 3):
            rows = {1: 100 * (seed + 1), 2 + 2 * layer: 100, 6_000: seed // 2}
            durations += [
                {"id": str(seed), "layer": layer, "duration": d, "count": n}
                for d, n in rows.items()
                if n
            ]
            count = sum(rows.values()) - 1
            units += [
                {"id": str(seed), "layer": layer, "unit": 0, "count": count}
                | {"mean": 2.0},
                {"id": str(seed), "layer": layer, "unit": 1, "count": 1}
                | {"mean": 2.0 ** (1 + layer)},
            ]
    history = pd.DataFrame({"id": []})
    return engine_results.Results(
        pd.DataFrame(runs).assign(trainable_parameters=1),
        history,
        {"durations": pd.DataFrame(durations), "units": pd.DataFrame(units)},
    )


@pytest.mark.any_backend
@pytest.mark.parametrize("name", ["histograms", "modulation", "variants"])
def test_a_text_with_a_name_like_a_formula(
    name, of_three_seeds, tmp_path, monkeypatch
):
    """And for a user whose Matplotlib is set to use LaTeX."""
    monkeypatch.setitem(matplotlib.rcParams, "text.usetex", True)
    runs = of_three_seeds.runs.assign(
        text="price_$1_to_$2.txt", r_1=[0.0, 1.0, 0.0]
    )
    (budget,) = tables.split(of_three_seeds._replace(runs=runs))
    assert getattr(figures, name)(budget, tmp_path / "drawn.png")


@pytest.mark.any_backend
def test_what_learned_nothing_is_in_no_mean_and_no_claim(
    of_three_seeds, tmp_path
):
    (budget,) = tables.split(of_three_seeds)
    assert set(tables.layer_durations(budget)["id"]) == {"0", "1"}
    (row,) = tables.summary(budget).to_dict("records")
    assert (row["seeds"], row["learned_nothing"]) == (2, 1)
    assert row["bits"] == pytest.approx(2.55)
    # Of 100 and 200 durations of 1, and 100 of 4: (2.5 + 2) / 2.
    assert row["mean_1"] == pytest.approx(2.25)
    found = claims.verdicts(tables.layer_durations(budget))
    assert found["seeds"].tolist()[0] == "2 of 2"
    assert "2.25 < 3.08 < 3.92" in found["values"].tolist()[0]
    # Of two units with 2 and 4, 8 or 16: log2(3.8 / 2.2) and so on.
    (units,) = found.loc[found["section"] == "5", "values"]
    assert units == "0.79 < 1.51 < 2.10"
    incomplete = budget.details["durations"].iloc[:-1]
    incomplete = {**budget.details, "durations": incomplete}
    with pytest.raises(ValueError, match="layer 3 of the run 2: one is incom"):
        results.layers(budget._replace(details=incomplete))
    console = Console(width=80, record=True, file=open("/dev/null", "w"))
    with console.file:
        report.REPORT.show(of_three_seeds, console)
    told = console.export_text()
    assert "learned nothing: lstm, python_reference (runs: 1)" in told
    text = report.readable(budget).iloc[0]
    assert text["learned nothing"] == "1" and text["seeds"] == "2"


@pytest.mark.any_backend
def test_table_and_picture_pool_a_layer_in_one_way(
    of_three_seeds, tmp_path, monkeypatch
):
    """Each seed counts once, however many durations it has."""
    (budget,) = tables.split(of_three_seeds)
    row = tables.summary(budget).iloc[0]
    drawn = []
    monkeypatch.setattr("matplotlib.pyplot.close", drawn.append)
    assert figures.histograms(budget, tmp_path / "x.png")
    axis = drawn[0].axes[0]
    for layer, line in enumerate(axis.get_lines(), 1):
        mean = row[f"mean_{layer}"]
        assert line.get_label() == f"layer {layer}, mean {mean:.2f}"
        # Of the first bin, from 1 to 2: the mean of the shares of two seeds.
        assert line.get_ydata()[0] == pytest.approx((1 / 2 + 2 / 3) / 2)
    nothing = budget._replace(runs=budget.runs[budget.runs["id"] == "2"])
    for draw in (figures.histograms, figures.variants, figures.modulation):
        assert not draw(nothing, tmp_path / "y.png")


@pytest.mark.any_backend
def test_runs_of_other_settings_share_no_table(tiny_config, tmp_path):
    rows = []
    for k, (units, epochs) in enumerate([(5, 3), (5, 3), (7, 9)]):
        config = dataclasses.replace(
            tiny_config, units=units, epochs=epochs, seed=k
        )
        rows.append(
            {"id": str(k), "status": "done", "epochs_done": epochs}
            | {"data_fingerprint": "abcdef0" if k else "0123456", "text": "t"}
            | {k: v for k, v in config.as_dict().items() if k != "text"}
        )
    empty = pd.DataFrame({"id": []})
    details = {name: empty for name in results.TABLES.details}
    runs = pd.DataFrame(rows)
    found = tables.split(engine_results.Results(runs, empty, details))
    assert [len(budget.runs) for budget in found] == [1, 2]
    assert "2 layers of 7 units, 9 epochs" in found[0].description
    # Learning rates share a table, but no row.
    of_rates = runs.assign(learning_rate=[1e-3, 3e-3, 3e-3])
    found = tables.split(engine_results.Results(of_rates, empty, details))
    assert set(found[1].runs["variant"]) == {"lstm at 0.001", "lstm at 0.003"}
    assert set(found[0].runs["variant"]) == {"lstm"}
    assert "learning_rate 0.003" in found[0].description
    # Nor do two texts of one name share a row.
    assert set(found[1].runs["text"]) == {"t 012345", "t abcdef"}
    # A text and its beginning are in two budgets, with one name.
    cut = runs.assign(characters=[2_000, None, None])
    found = tables.split(engine_results.Results(cut, empty, details))
    assert [set(budget.runs["text"]) for budget in found] == [{"t"}] * 3
