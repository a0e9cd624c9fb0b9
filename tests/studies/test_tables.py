"""What a study's tables say of what there is, of what is missing, and of what was published."""

from dataclasses import replace

import tiny
from test_claims import result

from ediffuser.evaluation.figures import Figure
from ediffuser.studies.claims import Claim, Comparison, decide
from ediffuser.studies.tables import (
    NOT_COMPARABLE,
    PARTLY_COMPARABLE,
    claim_table,
    comparability,
    literature,
    markdown,
    ours,
)

STUDY = tiny.study()
DDIM = STUDY.tables[0]


def test_a_row_stands_beside_the_published_one_and_says_its_interval_and_pictures():
    table = ours(DDIM, {DDIM.cells[0].name: result(0.5, 0.1, 2)})
    assert table.columns[:4] == ("", "NFE", "pictures", "KD ↓")
    assert table.columns[-5:] == tuple(f"published {name}" for name in ("T", "IS", "FID", "NLL", "Speed"))
    assert table.rows[0] == ("2 steps", "2", "100", "0.5 [0.4, 0.6]", "25", "10.56", "2.080", "5.768", "1")
    assert table.published == 5


def test_a_row_that_is_missing_says_so_and_keeps_its_published_entries():
    table = ours(DDIM, {})
    assert table.rows[0] == ("2 steps", "not measured yet", "8", "25", "10.56", "2.080", "5.768", "1")


def test_methods_without_learning_have_rows_of_their_own_without_calls():
    found = result(0.5, 0.1, 2)
    telea = replace(found.figures[0], value=0.9, low=None, high=None, method="telea")
    table = ours(DDIM, {DDIM.cells[0].name: replace(found, figures=(*found.figures, telea))})
    assert table.rows[1] == ("telea", "0", "100", "0.9", "", "", "", "", "")
    assert found.figure("KD").value == 0.5


def test_under_a_table_stand_the_features_and_sums_that_its_figures_depend_on():
    figure = Figure("KD", 0.5, 0.4, 0.6, "low", "", 100, "EfficientNet-Lite0", "5" * 64, "", "model")
    table = ours(DDIM, {DDIM.cells[0].name: replace(result(0.5, 0.1), figures=(figure,))})
    assert "KD: EfficientNet-Lite0, sha256 555555555555." in table.notes
    assert any("seed 0" in note and "100 pictures" in note for note in table.notes)


def test_below_the_literatures_rows_stands_our_best_by_the_distance_that_there_is():
    cells = STUDY.tables[0].cells
    found = {cells[0].name: result(0.5, 0.1), cells[1].name: result(0.4, 0.1)}
    table = literature("4.23", STUDY, found)
    assert table.rows[-1] == ("DDIM, 4 steps", "KD 0.4 [0.3, 0.5], of 100 pictures", "ours, small")
    frechet = result(9, None, name="FD")
    assert literature("4.23", STUDY, {**found, cells[0].name: frechet}).rows[-1][1] == "FD 9, of 100 pictures"
    few = replace(found[cells[1].name], figures=(replace(found[cells[1].name].figures[0], count=50),))
    assert literature("4.23", STUDY, found | {cells[1].name: few}).rows[-1][0] == "DDIM, 2 steps"
    assert all(row[-1] == "published" for row in literature("4.23", STUDY, {}).rows)


def test_only_the_full_size_under_the_published_network_compares_with_published_figures():
    other, official = {"a": result(1, 0.1, name="FD")}, {"a": result(1, 0.1, name="PSNR")}
    inception = Figure("FID", 3.0, None, None, "low", "", 50_000, "Inception 2015-12-05", "6" * 64, "", "model")
    official = {"a": replace(official["a"], figures=(inception,))}
    full = replace(STUDY, size="full")
    assert comparability(STUDY, official) == NOT_COMPARABLE
    assert comparability(full, other) == NOT_COMPARABLE
    assert comparability(full, official) == PARTLY_COMPARABLE
    assert comparability(full, official | {"b": other["a"]}) == NOT_COMPARABLE
    assert comparability(full, {"a": result(1, 0.1, name="PSNR")}) == NOT_COMPARABLE


def test_a_claims_table_has_figures_calls_pictures_advantage_and_verdict():
    claim = STUDY.claims[0]
    better, worse = claim.comparisons[0].pairs[0]
    found = {
        better[0]: result(30, 0.3, 2, "PSNR", "high"),
        worse[0]: result(25, 0.4, 2, "PSNR", "high"),
    }
    table = claim_table(claim, [decide(claim.comparisons[0], found)])
    sides = ("30 (2 calls, 100 pictures)", "25 (2 calls, 100 pictures)")
    assert table.rows == (("2 steps", *sides, "+5 ± 0.5", "holds"),)


def test_a_claims_table_is_headed_by_the_figure_that_was_measured():
    claim = Claim("", "", (Comparison("25 steps", ((("a",), ("b",)),)),))
    found = {name: result(value, 0.1) for name, value in (("a", 1), ("b", 2))}
    assert claim_table(claim, [decide(claim.comparisons[0], found)]).columns[1] == "KD, said to be better"
    nothing = claim_table(claim, [decide(claim.comparisons[0], {})])
    assert (nothing.columns[1], nothing.rows[0][-1]) == ("KID or KD, said to be better", "not measured yet")


def test_markdown_keeps_its_columns_whatever_is_in_them():
    table = replace(ours(DDIM, {}), rows=(("a | b", *[""] * 7),))
    lines = markdown(table).splitlines()
    assert lines[-1].count("|") - lines[-1].count("\\|") == lines[2].count("|")
