import keras
import pytest

from keras_slim.variants import FAMILIES, VARIANTS

# Rows that no paper has stand in for those that users write. In the others of
# a family, the reset gate is the same at all steps or reads `h`.
OWN_ROWS = {
    "own lstm": ("xu", "uhb", "xhb", 0.5),
    "own gru": ("uhb", "xb", "xhub"),
    "own mgu": (0.7, "xhu"),
}
# The full row of each family, its slimmest one, and those of no paper.
CHOSEN = {*FAMILIES, *(f"{family}3" for family in FAMILIES), *OWN_ROWS}


def pytest_generate_tests(metafunc):
    """Runs a test that takes `variant` over the whole table.

    Where a test is marked `compiles`, the rows that are not `CHOSEN` are marked
    `further_row`.
    """
    given = [m.args[0] for m in metafunc.definition.iter_markers("parametrize")]
    if "variant" in metafunc.fixturenames and "variant" not in given:
        compiles = metafunc.definition.get_closest_marker("compiles")
        rows = [
            pytest.param(
                row,
                id=name,
                marks=pytest.mark.further_row
                if compiles and name not in CHOSEN
                else (),
            )
            for name, row in {**{n: n for n in VARIANTS}, **OWN_ROWS}.items()
        ]
        metafunc.parametrize("variant", rows)


def pytest_collection_modifyitems(items):
    """The long ones first: no worker is to wait for one at the end."""
    items.sort(key=lambda item: item.get_closest_marker("long") is None)


@pytest.fixture(autouse=True)
def fixed_seed():
    keras.utils.set_random_seed(0)
    yield
    allow_any_order_of_sums()
    keras.utils.clear_session(free_memory=False)


def allow_any_order_of_sums():
    """Undoes `engine.training.make_deterministic`, lest tests depend on order.

    With TensorFlow, Keras then compiles no model by XLA.
    """
    if keras.backend.backend() == "tensorflow":
        from tensorflow.python.framework import config  # no public name

        config.disable_op_determinism()
    elif keras.backend.backend() == "torch":
        import torch

        torch.use_deterministic_algorithms(False)
