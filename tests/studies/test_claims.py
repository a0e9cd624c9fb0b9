"""Verdicts follow from intervals, over pictures and over seeds."""

import math
from dataclasses import replace
from pathlib import Path

import pytest

from ediffuser.evaluation.figures import Context, Figure
from ediffuser.studies.claims import Claim, Comparison, decide, summary
from ediffuser.studies.results import Result


def result(value, half, calls=25.0, name="KD", better="low"):
    context = Context("m", "0" * 64, "colorization", 100, "d", "0" * 64, "test", "none", "8 bits", 0, "ddim", calls)
    low, high = (None, None) if half is None else (value - half, value + half)
    return Result(context, (Figure(name, value, low, high, better, "", 100, "", "", "", "model"),), Path())


def one(a="a", b="b", **more):
    return Comparison("25 steps", (((a,), (b,)),), **more)


@pytest.mark.parametrize(
    ("better", "worse", "verdict"),
    [(1.0, 2.0, "holds"), (2.0, 1.0, "does not hold"), (1.0, 1.05, "not significant")],
)
def test_the_interval_of_the_difference_decides(better, worse, verdict):
    outcome = decide(one(), {"a": result(better, 0.3), "b": result(worse, 0.4)})
    assert outcome.verdict == verdict
    assert outcome.half_width == pytest.approx(0.5)  # 3, 4, 5
    assert outcome.advantage == pytest.approx(worse - better)


def test_where_high_is_better_the_higher_one_has_the_advantage():
    values = {"a": result(30, 0.1, name="PSNR", better="high"), "b": result(25, 0.1, name="PSNR", better="high")}
    outcome = decide(one(figure=("PSNR",)), values)
    assert (outcome.verdict, outcome.advantage) == ("holds", 5)


def test_seeds_widen_the_interval_by_students_t():
    """Differences 1, 2 and 3: mean 2, s = 1, t of two degrees of freedom 4.3027, so 4.3027 / sqrt(3) = 2.484."""
    values = {f"a{k}": result(0.0, 0.0) for k in range(3)} | {f"b{k}": result(k + 1.0, 0.0) for k in range(3)}
    outcome = decide(Comparison("25 steps", tuple(((f"a{k}",), (f"b{k}",)) for k in range(3))), values)
    assert outcome.advantage == pytest.approx(2)
    assert outcome.half_width == pytest.approx(2.484, abs=1e-3)
    assert outcome.verdict == "not significant"


def test_pictures_that_all_seeds_share_do_not_average_out():
    """Equal differences leave no spread over seeds; the interval over pictures stays that of one seed."""
    values = {f"a{k}": result(0.0, 0.3) for k in range(3)} | {f"b{k}": result(1.0, 0.4) for k in range(3)}
    outcome = decide(Comparison("25 steps", tuple(((f"a{k}",), (f"b{k}",)) for k in range(3))), values)
    assert outcome.half_width == pytest.approx(0.5)


def test_a_seed_that_is_missing_leaves_the_comparison_undecided():
    values = {"a0": result(0, 0.1), "b0": result(1, 0.1), "a1": result(0, 0.1)}
    pairs = ((("a0",), ("b0",)), (("a1",), ("b1",)))
    assert decide(Comparison("25 steps", pairs), values).verdict == "missing"


@pytest.mark.parametrize("half", [None, math.nan])
def test_a_figure_without_an_interval_decides_nothing(half):
    assert decide(one(), {"a": result(0, half), "b": result(1, 0.1)}).verdict == "missing"


@pytest.mark.parametrize("other", [{"name": "KID"}, {"features_sha256": "1"}])
def test_figures_under_other_features_are_not_compared(other):
    values = {"a": result(1, 0.1), "b": result(2, 0.1)}
    assert decide(one(), values).figure == "KD"
    inception = {"features": "Inception 2015-12-05"} if "name" in other else {}
    figure = replace(values["b"].figures[0], **other, **inception)
    outcome = decide(one(), values | {"b": replace(values["b"], figures=(figure,))})
    assert (outcome.verdict, outcome.figure) == ("not comparable", "")
    assert summary([outcome]) == "not comparable"


def test_as_many_pictures_are_compared_with_the_same_ones_only():
    """The sum of fewer pictures is another one, and no sign of other data."""

    def with_context(**changes):
        two = result(2, 0.1)
        return {"a": result(1, 0.1), "b": replace(two, context=replace(two.context, **changes))}

    assert decide(one(), with_context(reference_sha256="1" * 64)).verdict == "not comparable"
    assert decide(one(), with_context(split="train")).verdict == "not comparable"
    assert decide(one(), with_context(reference_sha256="1" * 64, count=50)).verdict == "holds"


def test_solvers_that_choose_their_steps_are_compared_where_their_calls_are_nearest():
    values = {"a": result(1, 0.01, 80), "b": result(2, 0.01, 52), "c": result(3, 0.01, 30), "d": result(9, 0.01, 50)}
    comparison = Comparison("50 calls", ((("a", "b", "c"), ("d",)),), nfe=50)
    outcome = decide(comparison, values)
    assert (outcome.better, outcome.calls) == ((2,), (52, 50))
    del values["c"]
    assert decide(comparison, values).verdict == "missing"  # which one is nearest is not known yet


def test_a_claim_says_in_how_many_comparisons_it_holds():
    values = {"a": result(1, 0.1), "b": result(2, 0.1), "c": result(1.01, 0.1)}
    outcomes = [decide(one("a", "b"), values), decide(one("b", "a"), values), decide(one("a", "c"), values)]
    assert summary(outcomes) == "holds in 1, does not hold in 1, not significant in 1 of 3 comparisons"
    assert summary(outcomes[:1]) == "holds"
    assert summary([decide(one("a", "z"), values)]) == "not measured yet"


def test_a_claim_on_other_cells_names_them():
    claim = Claim("", "", (one(),)).on({"a": "A", "b": "B"})
    assert claim.comparisons[0].pairs == ((("A",), ("B",)),)


def test_where_there_are_originals_a_claim_is_judged_picture_by_picture_as_well():
    claim = Claim("One is better", "4.2", (Comparison("25 steps", ((("a",), ("b",)),)),))
    assert [each.text for each in claim.judged("generation")] == ["One is better, by KID or KD"]
    of_colours, of_holes = claim.judged("colorization"), claim.judged("inpainting")
    assert [each.comparisons[0].figure for each in of_colours] == [("KID", "KD"), ("PD",)]
    assert [each.text for each in of_holes][1] == "One is better, by LPIPS or ST-LPIPS"
    assert all(each.comparisons[0].pairs == claim.comparisons[0].pairs for each in (*of_colours, *of_holes))
