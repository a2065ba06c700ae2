"""Variants and activations by name: the names are part of run ids."""

import keras
import pytest

import keras_slim
from experiments.engine.names import (
    activation,
    activation_name,
    variant,
    variant_name,
)
from experiments.newsgroups.grid import ACTIVATIONS
from keras_slim.variants import VARIANTS, get

pytestmark = pytest.mark.any_backend


@pytest.mark.parametrize("name", VARIANTS)
def test_a_row_of_the_table_has_its_name_however_it_is_written(name):
    row = VARIANTS[name].terms
    for written in (name, name.upper(), "/".join(map(str, row))):
        assert variant_name(written) == name
    assert variant(name) == name


@pytest.mark.parametrize(
    ("written", "name", "row"),
    [
        ("hb/1.0/xhb/b", "hb/1.0/xhb/b", ("hb", 1.0, "xhb", "b")),
        ("BH/1/bxh/b", "hb/1.0/xhb/b", ("hb", 1.0, "xhb", "b")),
        ("u/0.96/xub/1e0", "u/0.96/xub/1.0", ("u", 0.96, "xub", 1.0)),
        ("hb/1.0/xhb", "hb/1.0/xhb", ("hb", 1.0, "xhb")),
    ],
)
def test_a_row_of_ones_own_is_its_name(written, name, row):
    assert variant_name(written) == name == variant_name(name)
    assert get(variant(name)).terms == row


@pytest.mark.parametrize(
    "written",
    [
        *("lstm99", "", "xhb", "b/b/xhb/b/b", "hb/1.0/xhz/b"),
        *("b/b/b/b", "b/b/1.0/b", "b/nan/xhb/b", "bb/b/xhb/b"),
    ],
)
def test_what_is_no_variant(written):
    with pytest.raises(ValueError, match="one of lstm, .*such as hb/1.0/xhb/b"):
        variant_name(written)


def test_activations_are_those_of_keras_and_our_own():
    for name in (*ACTIVATIONS, "gelu", "leaky_relu", "log_softmax"):
        assert activation_name(name) == name
        assert activation(name) is keras.activations.get(name)
    assert activation_name("swish") == activation_name("silu")
    own = keras_slim.activations.keras2_hard_sigmoid
    assert activation(activation_name("keras2_hard_sigmoid")) is own


# `glu` halves its input, `threshold` takes more arguments, `ops` is a module.
@pytest.mark.parametrize("name", ["tahn", "", "glu", "threshold", "ops", "get"])
def test_what_is_no_activation(name):
    with pytest.raises(ValueError, match="Keras activation.*keras2_hard_sig"):
        activation_name(name)
