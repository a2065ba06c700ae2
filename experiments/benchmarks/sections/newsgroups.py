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
        networks: `pandas.DataFrame`, as `summary.newsgroups` returns it.
        about: Dict, what `newsgroups.json` holds.
    """
    yield "## The newsgroups experiment"
    if (networks["rounds_used"] == "all").any():
        yield f"**{disturbed('this experiment')}**"
    yield machine(about)
    data = about["data"]
    yield (
        f"The paper's network, an epoch of {data['posts_for_training']:,} "
        f"posts and its validation with {data['posts_for_validation']:,}: "
        f"{data['units']} units in each direction, batches of "
        f"{data['batch_size']}, {data['embedding_dim']}-d vectors, dropout and "
        "recurrent dropout as there. The first epoch compiles. Parameters are "
        "those of the recurrent layer. The ratio is to the same network with "
        f"`keras.layers.LSTM`. {quietness(networks)}"
    )
    yield table(
        [
            {
                "layer": f"{row['layer']} {row['recurrence']}".strip(),
                "parameters": f"{row['parameters']:,}",
                "seconds an epoch": spread(row, "seconds"),
                "first epoch (s)": number(row["compile_seconds"]),
                "times as fast as Keras": spread(row, "keras", "x"),
            }
            for _, row in networks.iterrows()
        ]
    )
    yield from failures(networks)
