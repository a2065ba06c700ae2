import copy
import doctest
import pickle
import re
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from keras_slim import table, variants
from keras_slim.table import variant_table
from keras_slim.variants import Variant

N, M = 100, 28  # units and features of the counts below


# Parameter counts at n = 100 units and m = 28 features, by the formulas of
# Lu & Salem (arXiv:1701.03441) for lstm .. lstm3 and by the weight shapes of
# the lab's code for the rest.
@pytest.mark.parametrize(
    ("name", "count"),
    {
        "lstm": 4 * (N * M + N * N + N),
        "lstm1": N * M + 4 * N * N + 4 * N,
        "lstm2": N * M + 4 * N * N + N,
        "lstm3": N * M + N * N + 4 * N,
        "lstm4": N * M + N * N + 4 * N,
        "lstm5": N * M + N * N + 7 * N,
        "lstm4a": N * M + N * N + 2 * N,
        "lstm5a": N * M + N * N + 3 * N,
        "lstm6": N * M + N * N + N,
        "lstm10": N * M + 5 * N,
        "lstm11": N * M + 8 * N,
        # By the formulas that follow from the equations of Dey & Salem
        # (arXiv:1701.05923) and Heck & Salem (arXiv:1701.03452).
        "gru": 3 * (N * M + N * N + N),
        "gru1": N * M + 3 * N * N + 3 * N,
        "gru2": N * M + 3 * N * N + N,
        "gru3": N * M + N * N + 3 * N,
        "mgu": 2 * (N * M + N * N + N),
        "mgu1": N * M + 2 * N * N + 2 * N,
        "mgu2": N * M + 2 * N * N + N,
        "mgu3": N * M + N * N + 2 * N,
    }.items(),
)
def test_parameters_are_those_of_the_papers(name, count):
    (row,) = variant_table(N, M, [name]).rows
    assert row["parameters"] == count


# Published counts: Lu & Salem, pixel-wise MNIST, row-wise MNIST and IMDB, for
# LSTM, LSTM1, LSTM2, LSTM3.
@pytest.mark.parametrize(
    ("units", "features", "counts"),
    [
        (100, 1, (40_800, 40_500, 40_200, 10_500)),
        (50, 28, (15_800, 11_600, 11_450, 4_100)),
        (128, 128, (131_584, 82_432, 82_048, 33_280)),
    ],
)
def test_published_parameter_counts(units, features, counts):
    names = ["lstm", "lstm1", "lstm2", "lstm3"]
    rows = variant_table(units, features, names).rows
    assert tuple(row["parameters"] for row in rows) == counts


def test_every_row_has_a_count_above():
    marks = test_parameters_are_those_of_the_papers.pytestmark
    assert {name for name, _ in marks[0].args[1]} == set(variants.VARIANTS)


def test_multiply_adds_of_a_step():
    n, m = 4, 3
    lstm, lstm3, lstm10 = variant_table(n, m, ["lstm", "lstm3", "lstm10"]).rows
    assert lstm["multiply_adds"] == 4 * n * (n + m) + 3 * n
    assert lstm3["multiply_adds"] == n * (n + m) + 3 * n
    assert lstm10["multiply_adds"] == n * m + 4 * n + 3 * n
    gru, mgu3 = variant_table(n, m, ["gru", "mgu3"]).rows
    assert gru["multiply_adds"] == 3 * n * (n + m) + 3 * n
    assert mgu3["multiply_adds"] == n * (n + m) + 3 * n


def test_table_as_text_and_as_frame():
    own = ("hb", 0.96, "xhb", 1)
    compared = variant_table(128, 100, ["lstm3", own])
    lines = str(compared).splitlines()
    assert len(lines) == 4
    assert lines[2].split()[0] == "lstm3"
    assert "29,696" in lines[2]
    assert "U h + b" in lines[3] and "0.96" in lines[3]
    frame = compared.to_frame()
    assert list(frame.index) == ["lstm3", "(hb, 0.96, xhb, 1.0)"]
    assert frame.loc["lstm3", "parameters"] == 29_696
    assert "<table" in compared._repr_html_()


def test_table_of_several_families():
    compared = variant_table(128, 100, ["lstm3", "gru3", "mgu3"])
    blocks = str(compared).split("\n\n")
    headers = [block.split("\n")[0].split()[:-3] for block in blocks]
    assert headers == [
        ["variant", *"ifco"],
        ["variant", *"zrh"],
        ["variant", *"fh"],
    ]
    frame = compared.to_frame()
    assert list(frame.columns)[:-2] == list("ifcozrh")
    assert frame.loc["gru3", "i"] == "" and frame.loc["mgu3", "f"] == "b"
    assert frame.loc["gru3", "h"] == "W x + U (r ⊙ h) + b"


def test_table_without_bias():
    (row,) = variant_table(4, 3, ["lstm3"], use_bias=False).rows
    assert row["i"] == "0"
    assert row["parameters"] == 4 * 3 + 4 * 4


def test_table_takes_an_array_of_names():
    names = ["lstm", "lstm3"]
    found = variant_table(4, 3, np.array(names)).rows
    assert found == variant_table(4, 3, names).rows


def test_table_takes_numpy_integers_and_names_rows_of_the_table():
    row = variants.get("lstm3")
    (made,) = variant_table(np.int64(4), np.int32(3), [row]).rows
    assert made["variant"] == "lstm3"
    assert made["parameters"] == 4 * 3 + 4 * 4 + 4 * 4


def test_the_table_of_the_guide():
    guide = Path(__file__).parents[1] / "docs" / "layers.md"
    lines = re.findall(
        r"^\| (\w+) +\| (.+) \| (.+) \| ([\d,]+) \|$", guide.read_text(), re.M
    )
    assert [name.lower() for name, *_ in lines] == [*variants.VARIANTS]
    for name, gates, candidate, parameters in lines:
        (row,) = variant_table(128, 128, [name]).rows
        assert f"{row['parameters']:,}" == parameters
        family = variants.get(name).family
        assert row[family.candidate] == candidate
        others = [row[g] for g in family.gates if g != family.candidate]
        different = gates.split("; ")
        assert others == different * (len(others) // len(different))


@pytest.mark.parametrize("bad", ["lstm3", [], 3])
def test_table_refuses_what_is_no_list_of_variants(bad):
    with pytest.raises(ValueError, match="`variants`.*at least one"):
        variant_table(4, 3, bad)


@pytest.mark.parametrize("name", ["units", "features"])
@pytest.mark.parametrize("value", [0, -1, 2.5, "8", None, True])
def test_table_refuses_bad_sizes(name, value):
    sizes = {"units": 4, "features": 3, name: value}
    with pytest.raises(ValueError, match=f"`{name}`.*{name}={value!r}"):
        variant_table(**sizes)


def test_equations():
    assert variants.get("lstm1").equations() == {
        "i": "i = σ(U_i h + b_i)",
        "f": "f = σ(U_f h + b_f)",
        "c": "c̃ = g(W_c x + U_c h + b_c)",
        "o": "o = σ(U_o h + b_o)",
    }
    row = Variant("lstm", ("u", 0.96, "xub", 1.0))
    assert list(row.equations(use_bias=False).values()) == [
        "i = σ(u_i ⊙ h)",
        "f = 0.96",
        "c̃ = g(W_c x + u_c ⊙ h)",
        "o = 1",
    ]
    assert variants.get("lstm3").equations(use_bias=False)["f"] == "f = σ(0)"


@pytest.mark.parametrize(
    "value", [1, np.float32(1), np.int64(1), Fraction(1), np.float64(1)]
)
def test_a_constant_is_a_plain_float(value):
    row = Variant("lstm", ("hb", value, "xhb", "hb"))
    assert type(row.gates["f"]) is float and row.gates["f"] == 1.0


@pytest.mark.parametrize("name", variants.VARIANTS)
def test_a_name_is_known_in_any_case(name):
    for spelling in (name, name.upper(), name.title()):
        assert variants.get(spelling).name == name


@pytest.mark.parametrize(
    "copied",
    [copy.copy, copy.deepcopy, lambda v: pickle.loads(pickle.dumps(v))],
    ids=["copy", "deepcopy", "pickle"],
)
def test_a_copy_is_equal(copied):
    for variant in (
        *variants.VARIANTS.values(),
        Variant("gru", ("xh", 0.5, "xu")),
    ):
        found = copied(variant)
        assert found == variant
        assert found.name == variant.name
        assert variants.get(found, variant.family) is found


def test_get_takes_a_name_a_row_or_a_variant():
    named = variants.get("lstm2")
    assert variants.get(named) is named
    assert variants.get(list(named.terms)).terms == named.terms
    assert variants.get(("b", "xhb")).name == "mgu3"


@pytest.mark.parametrize(
    "bad",
    [
        "lstm99",
        " lstm1",
        None,
        3,
        (),
        ("xhb",),
        ("xhb",) * 5,
        {"i": "xhb"},
        np.array(["hb", "hb", "xhb", "hb"]),
    ],
    ids=str,
)
def test_unknown_variant_says_what_is_allowed(bad):
    with pytest.raises(ValueError) as error:
        variants.get(bad)
    message = str(error.value)
    assert f"variant={bad!r}" in message
    assert "lstm3" in message and "(i, f, c, o)" in message


@pytest.mark.parametrize(
    ("row", "gate"),
    [
        (("", "b", "xhb", "b"), "i"),
        (("b", "bb", "xhb", "b"), "f"),
        (("b", "b", "xz", "b"), "c"),
        (("b", "b", 1.0, "xb"), "c"),
        (("b", "b", "xhb", float("nan")), "o"),
        (("b", float("inf"), "xhb", "b"), "f"),
        (("b", 10**400, "xhb", "b"), "f"),
        ((True, "b", "xhb", "b"), "i"),
        ((None, "b", "xhb", "b"), "i"),
    ],
    ids=str,
)
def test_bad_gate_is_named(row, gate):
    value = row["ifco".index(gate)]
    with pytest.raises(ValueError) as error:
        variants.get(row)
    assert f"`{gate}`" in str(error.value)
    assert f"{gate}={value!r}" in str(error.value)


def test_gates_of_a_family_are_named():
    assert variants.get("gru2").equations() == {
        "z": "z = σ(U_z h)",
        "r": "r = σ(U_r h)",
        "h": "h̃ = g(W_h x + U_h (r ⊙ h) + b_h)",
    }
    row = Variant("MGU", (0.5, "xu"))
    assert row.equations()["h"] == "h̃ = g(W_h x + u_h ⊙ (f ⊙ h))"


@pytest.mark.parametrize("name", variants.VARIANTS)
def test_variants_with_the_same_terms_are_equal(name):
    row = variants.VARIANTS[name]
    backwards = [
        terms[::-1] if isinstance(terms, str) else terms for terms in row.terms
    ]
    found = Variant(row.family, backwards, source="elsewhere")
    assert found == row
    assert hash(found) == hash(row)
    assert found.name == name
    assert all(
        found != other
        for other in variants.VARIANTS.values()
        if other is not row
    )


def test_a_row_must_read_the_input():
    with pytest.raises(ValueError, match="no gate reads the input"):
        Variant("lstm", ("hb", "hb", "hb", "hb"))


@pytest.mark.parametrize(
    ("arguments", "name"),
    [
        (("rnn", ("xhb", "xhb")), "family"),
        ((None, ("xhb", "xhb")), "family"),
        (("gru", ("xhb", "xhb")), "terms"),
        (("gru", "xhb"), "terms"),
        (("lstm", 3), "terms"),
        (("lstm", None), "terms"),
    ],
)
def test_bad_arguments_of_a_variant_are_named(arguments, name):
    with pytest.raises(ValueError, match=f"`{name}`.*Received: {name}="):
        Variant(*arguments)


@pytest.mark.parametrize("module", [variants, table])
def test_docstring_examples(module):
    results = doctest.testmod(module)
    assert results.attempted and not results.failed
