"""A bias that was put in must be found, and where there is none, nothing but chance may say so."""

import numpy as np
import pytest
import torch
from scipy import stats

from ediffuser.data.groups import Groups
from ediffuser.evaluation.bias import SMALL, Measure, compare, holm, judged_groups
from ediffuser.runtime.errors import BadInputError


def groups_of(*counts):
    return Groups.of([name for name, count in zip("abcdef", counts, strict=False) for _ in range(count)])


def draws(seed, *shape):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


@pytest.fixture
def no_intervals(monkeypatch):
    """Intervals of the means take most of the time, and where only p matters nobody reads them."""
    monkeypatch.setattr("ediffuser.evaluation.bias.bootstrap", lambda values: (0.0, 0.0))


def faces(groups, seed=0):
    """Toy faces, a disc on a ground: bright ones of group a, dark ones of group b, each a little different; uint8."""
    rows = torch.linspace(-1, 1, 16)
    disc = ((rows[:, None] ** 2 + rows**2) < 0.5).double()
    tones = torch.from_numpy(np.array([200.0, 60.0])[groups.labels]) + 8 * draws(seed, len(groups.labels))
    return (110 + (tones - 110)[:, None, None, None] * disc).expand(-1, 3, -1, -1).round().to(torch.uint8)


def painted(originals, groups, off):
    """What lies in the lower half, with an error whose spread is `off` grey levels for each group."""
    spread = torch.tensor(off, dtype=torch.float64)[torch.from_numpy(groups.labels)][:, None, None, None]
    results = originals.double()
    results[:, :, 8:] += spread * draws(9, *originals[:, :, 8:].shape)
    return results.round().clamp(0, 255).to(torch.uint8)


def psnr_db_below(results, originals):
    """Peak signal-to-noise ratio of the lower half, dB."""
    return 10 * torch.log10(255**2 / (results.double() - originals.double())[:, :, 8:].square().mean((1, 2, 3)))


def judge(off, better="high"):
    groups = groups_of(150, 50)
    originals = faces(groups)
    results = painted(originals, groups, off)
    (found,) = compare([Measure("PSNR in the hole", better, psnr_db_below(results, originals), "dB")], groups)
    return found


def test_a_method_that_paints_one_group_worse_is_found_and_by_how_much():
    """20 levels of error against 16 are 1.94 dB."""
    found = judge((16.0, 20.0))
    assert found.worst == "b"
    (gap,) = found.gaps
    assert gap.p_holm == gap.p == 1e-4
    assert gap.group == "a"
    assert gap.low < 20 * np.log10(20 / 16) < gap.high
    assert [mean.count for mean in found.means] == [150, 50]
    assert all(mean.low < mean.mean < mean.high for mean in found.means)


def test_a_method_that_paints_both_alike_is_not_accused():
    found = judge((16.0, 16.0))
    assert found.worst == ""
    assert found.gaps[0].p > 0.05
    assert found.gaps[0].low < 0 < found.gaps[0].high


def test_worse_is_where_the_measure_says():
    assert judge((16.0, 20.0), better="low").worst == "a"


def test_no_group_is_named_by_chance_more_often_than_in_five_of_a_hundred_evaluations(no_intervals):
    """Three groups by two measures, as one family of six tests; 400 fair evaluations."""
    groups = groups_of(60, 45, 35)
    named = 0
    for seed in range(400):
        values = draws(seed, 140, 2) ** 2  # skewed, as errors are
        measures = [Measure("one", "low", values[:, 0]), Measure("other", "high", values[:, 1])]
        found = compare(measures, groups, seed=seed, permutations=399)
        named += any(gap.p_holm < 0.05 for each in found for gap in each.gaps)
    assert named <= 32  # 5 % is 20, and 32 is passed once in 300 times


def test_a_group_that_only_varies_more_is_not_taken_for_worse(no_intervals):
    """A plain permutation of the difference of means accuses it several times too often."""
    groups = groups_of(35, 165)
    spread = torch.where(torch.from_numpy(groups.labels) == 0, 5.0, 1.0)
    p, plain = [], []
    for seed in range(300):
        values = draws(seed, 200) * spread
        p.append(compare([Measure("error", "low", values)], groups, seed=seed, permutations=199)[0].gaps[0].p)
        shuffled = values[torch.rand(199, 200, generator=torch.Generator().manual_seed(seed)).argsort(1)]
        gap = (shuffled[:, :35].mean(1) - shuffled[:, 35:].mean(1)).abs()
        plain.append((1 + (gap >= (values[:35].mean() - values[35:].mean()).abs()).sum()) / 200)
    assert np.mean(np.array(p) < 0.05) < 0.1
    assert np.mean(np.array(plain) < 0.05) > 0.2


def test_the_permutation_test_is_welchs_where_errors_are_normal():
    groups = groups_of(80, 70, 60)
    values = draws(4, 210) + 0.35 * torch.from_numpy(groups.labels == 1)
    (found,) = compare([Measure("error", "low", values)], groups)
    for k, gap in enumerate(found.gaps):
        own, others = values[groups.labels == k].numpy(), values[groups.labels != k].numpy()
        welch = stats.ttest_ind(own, others, equal_var=False)
        assert gap.p == pytest.approx(welch.pvalue, abs=0.01)
        assert gap.gap == pytest.approx(own.mean() - others.mean(), abs=1e-12)
        assert gap.low < gap.gap < gap.high


def test_small_groups_are_shown_and_not_judged():
    groups = groups_of(100, SMALL, SMALL - 1)
    values = torch.from_numpy(groups.labels == 2) * 50.0 + draws(0, len(groups.labels))
    (found,) = compare([Measure("error", "low", values)], groups)
    assert [mean.group for mean in found.means] == ["a", "b", "c"]
    assert "c" not in {gap.group for gap in found.gaps}
    assert found.worst != "c"
    assert judged_groups(groups_of(200, 29)) == []  # neither is there anything to compare the large one with


def test_a_group_of_one_picture_has_no_interval():
    (found,) = compare([Measure("error", "low", draws(0, 41))], groups_of(40, 1))
    assert (found.means[1].count, found.means[1].low, found.means[1].high) == (1, None, None)
    assert found.gaps == ()
    assert found.worst == ""


def test_values_that_are_all_alike_accuse_nobody():
    (found,) = compare([Measure("error", "low", torch.full((80,), 0.1))], groups_of(40, 40))
    assert found.gaps[0].p == 1
    assert (found.gaps[0].gap, found.worst) == (0, "")


def test_the_same_pictures_give_the_same_numbers():
    groups, measure = groups_of(50, 50, 50), Measure("error", "low", draws(0, 150))
    assert compare([measure], groups) == compare([measure], groups)


def test_holm_multiplies_the_least_by_the_number_of_tests_and_keeps_the_order():
    assert holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])
    assert holm([0.5, 0.9]) == [1, 1]
    assert holm([]) == []


@pytest.mark.parametrize("values", [torch.zeros(3), torch.full((4,), torch.nan)])
def test_values_of_other_pictures_or_that_are_no_numbers_are_bad_input(values):
    with pytest.raises(BadInputError, match="each of the 4 pictures whose groups are known needs a finite one"):
        compare([Measure("error", "low", values)], groups_of(2, 2))
