from pathlib import Path

import pytest

pytestmark = [pytest.mark.any_backend, pytest.mark.long]

nbformat = pytest.importorskip("nbformat")
nbclient = pytest.importorskip("nbclient")

NOTEBOOKS = sorted((Path(__file__).parents[1] / "notebooks").glob("*.ipynb"))


def outputs(notebook):
    """The kinds of what the cells show."""
    kinds = []
    for cell in notebook.cells:
        for output in cell.get("outputs", []):
            assert output.output_type != "error", output
            kinds.extend(sorted(output.get("data", {})))
    return kinds


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_notebook_runs_and_shows_its_pictures_when_opened(path):
    notebook = nbformat.read(path, as_version=4)
    kept = outputs(notebook)
    assert "image/png" in kept and "text/html" in kept
    for cell in notebook.cells:
        for output in cell.get("outputs", []):
            assert output.get("name") != "stderr", output.text
    resources = {"metadata": {"path": str(path.parent)}}
    client = nbclient.NotebookClient(notebook, timeout=300, resources=resources)
    made = outputs(client.execute())
    assert made == kept, "run `tox -e notebooks` and commit"


def test_there_are_notebooks():
    assert NOTEBOOKS
