from experiments.benchmarks.markdown import number, spread, table
from experiments.benchmarks.sections.common import (
    disturbed,
    failures,
    machine,
    quietness,
)
from experiments.benchmarks.subjects import Shape

INTRODUCTION = """\
Training steps of whole models in `model.fit`: the time of an epoch of 20 steps,
divided by 20, with Adam and the defaults of `compile`, and with TensorFlow also
with `jit_compile=True`. The data is random. The layers have the same number of
units, so that LSTM3 has a quarter of the parameters of an LSTM. After the first
epoch, which compiles, the predictions of each model are compared with those of
the model with `keras.layers.LSTM`, or of the plain time loop for LSTM3; a
difference larger than rounding is an error, and the model is not timed. Then
each round trains every model for an epoch, on all backends, in a new random
order. The ratio is to
the same model with `keras.layers.LSTM`, on the same backend with the same
`jit_compile`."""
MODELS = {
    "classifier": "Masked bidirectional classifier of token sequences of "
    "varying length: `Embedding(mask_zero=True)`, `Bidirectional`, `Dense`.",
    "forecaster": "Stacked forecaster: two layers and `Dense`.",
    "encoder_decoder": "Encoder-decoder: the states of the encoder "
    "(`return_state=True`) are the `initial_state` of the decoder.",
}


def models(found, about):
    """The section of whole models.

    Args:
        found: What `summary.models` returns.
        about: Dict, the content of `models.json`.
    """
    yield "## Models"
    busy = found.loc[found["rounds_used"] == "all", "model"].unique()
    yield from (f"**{disturbed(model)}**" for model in busy)
    yield machine(about)
    yield INTRODUCTION
    for (model, shape), rows in found.groupby(["model", "shape"], sort=False):
        sizes = Shape.parse(shape)
        yield f"### {model}, {shape}"
        yield (
            f"{MODELS[model]} Batches of {sizes.batch}, {sizes.timesteps} time "
            f"steps, {sizes.features} features, {sizes.units} units. "
            f"{quietness(rows)}"
        )
        yield table([_line(row) for _, row in rows.iterrows()])
    yield from failures(found)


def _line(row):
    by_xla = row["jit_compile"] == "True"
    return {
        "layer": row["layer"] + (" (failed, see below)" * bool(row["error"])),
        "backend": row["backend"] + (", jit_compile=True" if by_xla else ""),
        "x Keras": spread(row, "keras", "x"),
        "parameters": f"{row['parameters']:,}",
        "ms per training step": number(1e3 * row["seconds"]),
        "first epoch (s)": number(row["compile_seconds"]),
    }
