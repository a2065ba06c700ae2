from experiments.benchmarks.markdown import number, spread, table
from experiments.benchmarks.sections.common import (
    disturbed,
    failures,
    machine,
    quietness,
)


def newsgroups(networks, about):
    """The section of the newsgroups experiment.

    Args:
        networks: What `summary.newsgroups` returns.
        about: Dict, the content of `newsgroups.json`.
    """
    yield "## The newsgroups experiment"
    if (networks["rounds_used"] == "all").any():
        yield f"**{disturbed('this experiment')}**"
    yield machine(about)
    data = about["data"]
    yield (
        f"The paper's network with {data['units']} units in each direction, "
        f"{data['embedding_dim']}-d vectors, dropout and recurrent dropout as "
        f"there: epochs of {data['posts_for_training']:,} posts and "
        f"validations with {data['posts_for_validation']:,}, divided by their "
        f"number of batches of {data['batch_size']}. Padding, "
        f"{data['padding']:.0%} of the word ids, is skipped in the first "
        "convolution as in the experiment, or computed by Keras's layers. "
        "Parameters are those of the recurrent layer. The first ratio is to "
        "the network with the same recurrent layer in which padding is "
        "computed, the second to the network with Keras's layers only, "
        f"`keras.layers.LSTM` included, both on the same backend. "
        f"{quietness(networks)}"
    )
    for mode, rows in networks.groupby("mode", sort=False):
        yield f"### {mode.capitalize()}"
        yield table([_line(row) for _, row in rows.iterrows()])
    yield from failures(networks)


def _line(row):
    return {
        "layer": row["layer"],
        "backend": row["backend"],
        "padding": row["padding"],
        "parameters": f"{row['parameters']:,}",
        "x padding computed": spread(row, "computed", "x"),
        "x Keras": spread(row, "keras", "x"),
        "ms per batch": number(1e3 * row["seconds"]),
        "first epoch (s)": number(row["compile_seconds"]),
    }
