"""Shares of groups in the data, among samples, and before and after pictures are filled."""

import numpy as np
import pytest
from scipy import stats

from ediffuser.evaluation.shares import compare_shares, difference_interval, flips, rate
from ediffuser.runtime.errors import BadInputError


@pytest.mark.parametrize(("count", "total"), [(0, 10), (3, 10), (10, 10), (480, 500)])
def test_intervals_of_shares_are_wilsons(count, total):
    wanted = stats.binomtest(count, total).proportion_ci(method="wilson")
    assert (rate(count, total).low, rate(count, total).high) == pytest.approx((wanted.low, wanted.high), abs=1e-12)


def test_the_interval_of_a_difference_is_newcombes():
    """His example: 56 of 70 against 48 of 80, 0.0524 to 0.3339 (Statistics in Medicine 17, 1998, table II)."""
    assert difference_interval(rate(56, 70), rate(48, 80)) == pytest.approx((0.0524, 0.3339), abs=5e-5)


def test_a_generator_that_leaves_a_group_out_is_found():
    """The dissertation's case: a majority of 80 % in the data is 96 % of the samples."""
    found = compare_shares(("Asian", "Black", "White"), (60, 40, 400), (8, 12, 480))
    assert found.p < 1e-10
    assert found.test == "chi-square, 2 degrees of freedom"
    asian, _, white = found.rows
    assert (white.data.share, white.made.share) == (0.8, 0.96)
    assert white.difference == pytest.approx(0.16)
    assert white.low > 0 > asian.high
    assert all(row.p_holm < 0.01 for row in found.rows)


def test_a_fair_generator_is_accused_in_five_of_a_hundred_cases_at_most():
    random, truth = np.random.default_rng(0), (0.7, 0.2, 0.1)
    cases = [random.multinomial(400, truth, size=2) for _ in range(600)]
    found = [compare_shares("abc", data, made) for data, made in cases]
    assert np.mean([each.p < 0.05 for each in found]) == pytest.approx(0.05, abs=0.025)
    assert np.mean([any(row.p_holm < 0.05 for row in each.rows) for each in found]) < 0.065


def test_few_pictures_are_judged_by_the_exact_test():
    """Two groups: the exact test by random tables is Fisher's up to its 99,999 tables."""
    found = compare_shares("ab", (9, 2), (2, 8))
    assert found.test.startswith("exact")
    assert found.p == pytest.approx(stats.fisher_exact([[9, 2], [2, 8]]).pvalue, abs=0.005)
    assert [row.p_holm for row in found.rows] == [None, None]  # 11 and 10 pictures: too few to judge the group alone


def test_a_group_that_vanishes_from_the_samples_is_judged_and_one_that_never_was_is_not():
    found = compare_shares("abc", (460, 40, 0), (500, 0, 0))
    assert found.rows[1].p_holm < 1e-9
    assert found.rows[1].made.high < 0.01
    assert found.rows[2].p_holm is None
    assert compare_shares("a", (5,), (7,)).p == 1


def test_nothing_made_is_bad_input():
    with pytest.raises(BadInputError, match="there are 5 of the data and 0 made"):
        compare_shares("ab", (3, 2), (0, 0))


def case(table):
    """Groups before and after that give a confusion table."""
    pairs = [(i, j) for i, row in enumerate(table) for j, count in enumerate(row) for _ in range(count)]
    return np.array(pairs).T


def test_a_minority_painted_with_the_majoritys_features_is_found():
    """20 of 60 dark faces become bright ones, 5 of 240 the other way: the flips of the dissertation's figure 4.14b."""
    table = ((235, 5), (20, 40))
    found = flips(("bright", "dark"), *case(table))
    assert found.table == table
    bright, dark = found.rows
    assert (dark.flipped.count, dark.flipped.total, bright.flipped.count) == (20, 60, 5)
    assert dark.p_flipped_holm < 1e-6
    assert dark.change == pytest.approx(-15 / 300)
    assert dark.high < 0 < bright.low
    assert (dark.before.share, dark.after.share) == (0.2, 0.15)
    assert dark.p_change_holm == pytest.approx(2 * stats.binomtest(5, 25).pvalue)


def test_a_classifier_that_errs_alike_on_both_groups_flips_them_and_accuses_nobody():
    random, accused = np.random.default_rng(0), 0
    for _ in range(300):
        before = (random.random(300) < 0.5).astype(np.int64)
        after = np.where(random.random(300) < 0.1, 1 - before, before)
        rows = flips("ab", before, after).rows
        accused += any(row.p_flipped_holm < 0.05 or row.p_change_holm < 0.05 for row in rows)
    assert accused <= 30  # two families of tests


def test_small_groups_have_rates_and_are_not_judged():
    found = flips("abc", *case(((200, 0, 0), (10, 10, 0), (0, 0, 0))))
    assert [row.group for row in found.rows] == ["a", "b"]
    assert found.rows[1].flipped.share == 0.5
    assert (found.rows[1].p_flipped_holm, found.rows[1].p_change_holm) == (None, None)


def test_groups_before_and_after_must_be_of_the_same_pictures():
    with pytest.raises(BadInputError, match="of the same pictures: 2 and 3"):
        flips("ab", np.zeros(2, int), np.zeros(3, int))
