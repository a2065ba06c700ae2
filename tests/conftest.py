import keras
import pytest

from keras_slim.variants import VARIANTS

# Rows that no paper has stand in for those that users write. In the others of
# a family, the reset gate is the same at all steps or reads `h`.
OWN_ROWS = {
    "own lstm": ("xu", "uhb", "xhb", 0.5),
    "own gru": ("uhb", "xb", "xhub"),
    "own mgu": (0.7, "xhu"),
}


def pytest_generate_tests(metafunc):
    """Runs a test that takes `variant` over the whole table."""
    given = [m.args[0] for m in metafunc.definition.iter_markers("parametrize")]
    if "variant" in metafunc.fixturenames and "variant" not in given:
        rows = {**{name: name for name in VARIANTS}, **OWN_ROWS}
        metafunc.parametrize("variant", rows.values(), ids=rows.keys())


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
