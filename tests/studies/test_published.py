"""The dissertation's rows stand as printed."""

import pytest

from ediffuser.studies.published import PUBLISHED


def test_all_tables_of_figures_are_there_with_as_many_rows_as_printed():
    counts = {number: len(table.rows) for number, table in PUBLISHED.items()}
    of_four = dict.fromkeys(
        ["4.2", "4.4", "4.5", "4.6", "4.7", "4.13", "4.15", "4.16", "4.18", "4.21", "5.1", "5.2"], 4
    )
    of_three = dict.fromkeys(["4.9", "4.10", "4.11", "4.12", "4.17"], 3)
    assert counts == of_four | of_three | {"4.1": 10, "4.8": 1, "4.19": 5, "4.20": 8, "4.22": 5, "4.23": 8}


@pytest.mark.parametrize(
    ("table", "row", "column", "entry"),
    [
        ("4.1", "NCSNv2", "IS", "8.40±.07"),
        ("4.2", "50", "FID", "7.136"),
        ("4.4", "25", "FID", "170.4"),
        ("4.5", "100", "NLL", "4.622"),
        ("4.7", "25", "NLL", "17.44"),
        ("4.9", "2e-2", "NFE", "50"),
        ("4.12", "1e-1", "FID", "3.053"),
        ("4.17", "DPMsolver", "FID", "9.832"),
        ("4.19", "75", "Speed", "37"),
        ("4.20", "DDGAN (2021)", "FID", "7.64"),
        ("4.21", "25", "NLL", "62.12"),
        ("4.22", "25", "FID", "0.476"),
        ("4.23", "MAT (2022)", "FID", "2.94"),
        ("5.1", "25", "IS", "6.438"),
        ("5.2", "4000", "FID", "0.656"),
    ],
)
def test_entries_are_the_printed_ones(table, row, column, entry):
    assert PUBLISHED[table].row(row)[column] == entry


@pytest.mark.parametrize("number", PUBLISHED)
def test_every_entry_is_a_number_and_every_row_has_its_columns(number):
    table = PUBLISHED[number]
    for row in table.rows:
        assert len(row) == len(table.columns)
        for entry in row[1:]:
            assert entry == "" or float(entry.partition("±")[0]) > 0


def test_a_row_that_was_not_printed_is_said():
    with pytest.raises(KeyError, match="Table 4\\.7 has no row '10'"):
        PUBLISHED["4.7"].row("10")
