import pytest
from made_results import CORNER, a_row, made
from rich.console import Console

from experiments.engine.budgets import choose
from experiments.newsgroups.report import REPORT
from experiments.newsgroups.report.budgets import is_full, split

pytestmark = pytest.mark.any_backend


def test_runs_of_different_settings_are_not_mixed():
    rows = [a_row(entry, epochs=20) for entry in CORNER]
    rows += [a_row(CORNER[0], seed, epochs=100) for seed in (0, 1)]
    rows += [a_row(CORNER[0], samples=2_000, embedding_dim=50)]
    rows += [a_row(CORNER[0], data_fingerprint="4567", posts="x: 9 posts; y")]
    found = split(made(rows))
    assert [(b.description, len(b.runs)) for b in found] == [
        ("epochs 100; all posts", 2),
        ("epochs 100; 2,000 posts; embedding_dim 50 (default 100)", 1),
        ("epochs 100; all posts; x: 9 posts", 1),
        ("epochs 20 of 100; all posts", 4),
    ]
    assert list(map(is_full, found)) == [True, False, False, False]
    for budget in found:
        assert set(budget.history["id"]) == set(budget.runs["id"])


def test_the_budget_with_most_epochs_is_chosen_unless_one_is_named():
    rows = [a_row(entry, epochs=20) for entry in CORNER] + [
        a_row(CORNER[0], epochs=60)
    ]
    found = split(made(rows))
    budget, others = choose(found, 0)
    assert budget.description == "epochs 20 of 100; all posts"
    assert others == ["epochs 60 of 100; all posts (runs: 1; --budget 1)"]
    assert choose(found, 1)[0].description == "epochs 60 of 100; all posts"
    with pytest.raises(ValueError, match="There are 2 budgets"):
        choose(found, 2)


def test_budgets_that_differ_in_their_data_only_are_told_apart():
    vectors = [a_row(CORNER[0], k, data_fingerprint=f"01+{k}") for k in (2, 3)]
    rows = [*vectors, a_row(CORNER[1], epochs=20)]
    results = made(rows)
    found = split(results)
    assert [b.description for b in found] == [
        "epochs 100; all posts; data 01+2",
        "epochs 100; all posts; data 01+3",
        "epochs 20 of 100; all posts",
    ]
    assert list(map(is_full, found)) == [True, True, False]
    console = Console(width=200)
    with console.capture() as shown:
        REPORT.show(results, console, 1)
    told = shown.get()
    for place in (0, 2):
        other = f"{found[place].description} (runs: 1; --budget {place})"
        assert f"Not shown: {other}" in told


def test_no_runs_are_a_budget_too():
    (budget,) = split(made([]))
    assert budget.description == "no runs" and is_full(budget)
