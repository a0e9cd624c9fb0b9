"""What a study's tables say of what there is, of what is missing, and of what was published."""

from dataclasses import replace

import tiny
from test_claims import result

from ediffuser.evaluation.figures import Figure
from ediffuser.studies.claims import decide
from ediffuser.studies.tables import NOT_COMPARABLE, PARTLY_COMPARABLE, claim_table, comparability, markdown, ours

STUDY = tiny.study()
DDIM = STUDY.tables[0]


def test_a_row_stands_beside_the_published_one_and_says_its_interval_and_pictures():
    table = ours(DDIM, {DDIM.cells[0].name: result(0.5, 0.1, 2)})
    assert table.columns[:4] == ("", "NFE", "pictures", "KD ↓")
    assert table.columns[-4:] == ("published IS", "published FID", "published NLL", "published Speed")
    assert table.rows[0] == ("2 steps", "2", "100", "0.5 [0.4, 0.6]", "10.56", "2.080", "5.768", "1")
    assert table.published == 4


def test_a_row_that_is_missing_says_so_and_keeps_its_published_entries():
    table = ours(DDIM, {})
    assert table.rows[0] == ("2 steps", "not measured yet", "8", "10.56", "2.080", "5.768", "1")


def test_methods_without_learning_have_rows_of_their_own_without_calls():
    found = result(0.5, 0.1, 2)
    telea = replace(found.figures[0], value=0.9, low=None, high=None, method="telea")
    table = ours(DDIM, {DDIM.cells[0].name: replace(found, figures=(*found.figures, telea))})
    assert table.rows[1] == ("telea", "0", "100", "0.9", "", "", "", "")
    assert found.figure("KD").value == 0.5


def test_under_a_table_stand_the_features_and_sums_that_its_figures_depend_on():
    figure = Figure("KD", 0.5, 0.4, 0.6, "low", "", 100, "EfficientNet-Lite0", "5" * 64, "", "model")
    table = ours(DDIM, {DDIM.cells[0].name: replace(result(0.5, 0.1), figures=(figure,))})
    assert "KD: EfficientNet-Lite0, sha256 555555555555." in table.notes
    assert any("seed 0" in note and "100 pictures" in note for note in table.notes)


def test_only_the_full_size_under_the_published_network_compares_with_published_figures():
    other, official = {"a": result(1, 0.1, name="FD")}, {"a": result(1, 0.1, name="PSNR")}
    inception = Figure("FID", 3.0, None, None, "low", "", 50_000, "Inception 2015-12-05", "6" * 64, "", "model")
    official = {"a": replace(official["a"], figures=(inception,))}
    full = replace(STUDY, size="full")
    assert comparability(STUDY, official) == NOT_COMPARABLE
    assert comparability(full, other) == NOT_COMPARABLE
    assert comparability(full, official) == PARTLY_COMPARABLE


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


def test_markdown_keeps_its_columns_whatever_is_in_them():
    table = replace(ours(DDIM, {}), rows=(("a | b", *[""] * 6),))
    lines = markdown(table).splitlines()
    assert lines[-1].count("|") - lines[-1].count("\\|") == lines[2].count("|")
