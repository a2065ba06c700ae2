import numpy as np
import pandas as pd
import pytest
from made_results import CORNER, GRID, a_row, made
from scipy import stats

from experiments.engine.confidence import confidence_interval
from experiments.newsgroups.report.statistics import (
    compare,
    friedman,
    holm,
    matched,
)

pytestmark = pytest.mark.any_backend

# Demšar (2006), table 6: AUC of four versions of C4.5 on 14 data sets.
# `voting` has 0.975 twice there, with the ranks 2 and 3.
DEMSAR = np.reshape(
    """0.763 0.768 0.771 0.798  0.599 0.591 0.590 0.569
    0.954 0.971 0.968 0.967  0.628 0.661 0.654 0.657  0.882 0.888 0.886 0.898
    0.936 0.931 0.916 0.931  0.661 0.668 0.609 0.685  0.583 0.583 0.563 0.625
    0.775 0.838 0.866 0.875  1.000 1.000 1.000 1.000  0.940 0.962 0.965 0.962
    0.619 0.666 0.614 0.669  0.972 0.981 0.9751 0.975  0.957 0.978 0.946 0.970
    """.split(),
    (14, 4),
).astype(float)


def test_interval_is_that_of_students_t():
    values = [0.71, 0.74, 0.72, 0.78, 0.70]
    interval = confidence_interval([*values, np.nan])
    reference = stats.ttest_1samp(values, 0).confidence_interval(0.95)
    assert interval.mean == pytest.approx(np.mean(values))
    assert interval[1:3] == pytest.approx((reference.low, reference.high))
    assert interval.n == 5


def test_one_seed_has_no_interval():
    mean, low, high, n = confidence_interval([0.7])
    assert (mean, n) == (0.7, 1) and np.isnan([low, high]).all()
    assert confidence_interval([]).n == 0


def test_holm_on_the_textbook_example():
    # 0.005 <= 0.05 / 4, 0.01 <= 0.05 / 3, but 0.03 > 0.05 / 2: two rejections.
    corrected = holm([0.01, 0.04, 0.03, 0.005])
    assert corrected == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([0.9, np.nan, 0.4]) == pytest.approx(
        [0.9, np.nan, 0.8], nan_ok=True
    )


def test_friedman_on_the_example_of_demsar():
    frame = pd.DataFrame(DEMSAR, columns=["C4.5", "+m", "+cf", "+m+cf"])
    result = friedman(frame, "seeds")
    assert result.ranks.tolist() == pytest.approx(
        [3.143, 2.000, 2.893, 1.964], abs=5e-4
    )
    # 9.28 there; scipy divides by 1 - sum(t^3 - t) / (n (k^3 - k)) for ties,
    # here three of two and one of four.
    assert result.statistic == pytest.approx(
        9.28 / (1 - (3 * 6 + 60) / (14 * 60)), rel=1e-3
    )
    assert result.n == 14


def test_pairs_are_matched_by_setting_and_seed():
    rows = []
    for number, entry in enumerate(GRID):
        lead = 0.001 * (1 + number) if entry[2] == "lstm" else 0
        for seed in range(3):
            rows.append(a_row(entry, seed, 0.5 + 0.1 * seed + lead))
    # A seed without a partner must not count.
    rows.append(a_row(GRID[0], 7, 0.99))
    wide = matched(made(rows).runs)
    table = compare(wide).set_index(["a", "b"])
    row = table.loc[("lstm", "lstm1")]
    leads = [0.001 * (1 + n) for n, c in enumerate(GRID) if c[2] == "lstm"]
    assert row["n"] == 15
    assert row["difference"] == pytest.approx(np.mean(leads))
    assert row["p"] == pytest.approx(2**-14, rel=0.02)
    assert row["conclusion"] == "they differ"
    same = table.loc[("lstm2", "lstm3")]
    assert same["p"] == 1 and same["conclusion"] == "no difference shown"


def test_one_seed_a_entry_is_no_claim():
    rows = [
        a_row(entry, value=0.9 if entry[2] == "lstm" else 0.1) for entry in GRID
    ]
    table = compare(matched(made(rows).runs))
    assert (table["n"] == 0).all()
    assert (table["conclusion"] == "no claim: too few settings").all()
    assert np.isnan(friedman(matched(made(rows).runs)).p)


@pytest.mark.parametrize(
    ("seeds", "conclusion"),
    [
        # Six comparisons: 6 * 2 / 2^7 > 0.05, and 6 * 2 / 2^8 < 0.05.
        (7, "no claim: too few seeds"),
        (8, "they differ"),
    ],
)
def test_how_many_seeds_a_claim_takes(seeds, conclusion):
    rows = [
        a_row(entry, seed, 0.5 + 0.1 * number + 0.001 * seed * number)
        for number, entry in enumerate(CORNER)
        for seed in range(seeds)
    ]
    table = compare(matched(made(rows).runs), "seeds")
    assert set(table["conclusion"]) == {conclusion}
    assert table["reach"].iloc[0] == pytest.approx(12 / 2**seeds)


def test_failed_runs_are_not_compared():
    rows = [a_row(entry, seed) for entry in CORNER for seed in range(3)]
    rows.append(a_row(CORNER[0], 3, status="failed"))
    rows.append(a_row(CORNER[1], 3, status="unfinished"))
    assert len(matched(made(rows).runs)) == 3


def test_nothing_to_compare():
    wide = matched(made([]).runs)
    assert compare(wide).empty and friedman(wide).n == 0
