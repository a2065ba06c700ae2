"""README.md of the results: what was measured, on what, with what result.

It is made from the files of a measurement, without measuring again.
"""

import json

from experiments.benchmarks import charts, sections, summary
from experiments.engine.files import replacing

CHART = "layers_training.png"
DEPLOY_CHART = "deploy.png"
SOAK_CHART = "soak.png"


def write(folder, console):
    """Makes tables, chart and README.md from the files in a folder.

    Args:
        folder: `pathlib.Path` of the results.
        console: `rich.console.Console`, for warnings and the path.

    Raises:
        FileNotFoundError: if nothing was measured there.
    """
    paragraphs = ["# Benchmarks"]
    layers = _table(folder, "layers", "rounds", summary.layers)
    if layers is not None:
        about = _about(folder, "layers")
        products = _table(
            folder,
            "products",
            "products_rounds",
            lambda rounds: summary.products(rounds, layers),
        )
        charts.speed_ups(layers, folder / CHART)
        paragraphs += sections.layers(layers, about, CHART)
        if products is not None:
            paragraphs += sections.products(products)
        for warning in sections.warnings(layers):
            console.print(warning, style="bold red")
    models = _table(folder, "models", "models_rounds", summary.models)
    if models is not None:
        paragraphs += sections.models(models, _about(folder, "models"))
    networks = _table(
        folder, "newsgroups", "newsgroups_rounds", summary.newsgroups
    )
    if networks is not None:
        about = _about(folder, "newsgroups")
        paragraphs += sections.newsgroups(networks, about)
    files = _table(folder, "deploy", "deploy_rounds", summary.deploy)
    if files is not None:
        charts.files(files, folder / DEPLOY_CHART)
        about = _about(folder, "deploy")
        paragraphs += sections.deploy(files, about, DEPLOY_CHART)
    if (folder / "slimming.csv").exists():
        slimmed = summary.read(folder / "slimming.csv")
        about = _about(folder, "slimming")
        paragraphs += sections.slimming(slimmed, about)
    if (folder / "soak.csv").exists():
        soaked = summary.read(folder / "soak.csv")
        charts.memory_held(soaked, folder / SOAK_CHART)
        paragraphs += sections.soak(soaked, _about(folder, "soak"), SOAK_CHART)
    if len(paragraphs) == 1:
        raise FileNotFoundError(
            f"Nothing was measured yet. Received: --results-dir={folder}"
        )
    failed = sum(
        (table["error"] != "").sum()
        for table in (layers, models, networks, files)
        if table is not None
    )
    if failed:
        console.print(f"{failed} failed, see README.md", style="bold red")
    with replacing(folder / "README.md", encoding="utf-8") as file:
        file.write("\n\n".join(paragraphs) + "\n")
    console.print(f"Tables and chart: {folder / 'README.md'}")


def _table(folder, name, rounds, summarise):
    """A table, made from its rounds if they are there, or `None`."""
    path, source = folder / f"{name}.csv", folder / f"{rounds}.csv"
    if source.exists():
        rows = summary.read(source)
        if rows.empty:
            return None
        summary.write(summarise(rows), path)
    return summary.read(path) if path.exists() else None


def _about(folder, name):
    return json.loads((folder / f"{name}.json").read_text(encoding="utf-8"))
