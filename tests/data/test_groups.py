"""Tables of attributes, as people have them."""

import numpy as np
import pytest

from ediffuser.data.groups import Groups, groups_from_csv
from ediffuser.data.pictures import ArrayPictures
from ediffuser.runtime.errors import BadInputError

CELEBA = "image_id,Male,Young\n000001.jpg,-1,1\n000002.jpg,1,1\n000003.jpg,1,-1\n"


@pytest.fixture
def table(tmp_path):
    def write(text, encoding="utf-8"):
        path = tmp_path / "groups.csv"
        path.write_bytes(text.encode(encoding))
        return path

    return write


def named(groups):
    return [groups.names[label] for label in groups.labels]


def test_celebas_attributes_name_a_group_and_its_opposite(table):
    groups = groups_from_csv(table(CELEBA), ["Male"], ["000003.webp", "000001.webp", "000002.webp"])
    assert named(groups) == ["Male", "not Male", "Male"]
    assert groups.names == ("Male", "not Male")
    assert groups.counts.tolist() == [2, 1]
    assert groups.members(0).tolist() == [0, 2]


def test_several_columns_are_intersections_and_only_those_that_occur(table):
    groups = groups_from_csv(table(CELEBA), ["Male", "Young"], ["000001.webp", "000002.webp", "000003.webp"])
    assert named(groups) == ["not Male, Young", "Male, Young", "Male, not Young"]
    assert len(groups.names) == 3


def test_celebas_own_file_is_read_with_its_count_and_its_spaces(table):
    text = "3\nMale Young \n000001.jpg -1  1\n000002.jpg  1  1\n000003.jpg  1 -1\n"
    groups = groups_from_csv(table(text), ["Young"], ["000001.jpg", "000003.jpg"])
    assert named(groups) == ["Young", "not Young"]


def test_words_zeros_and_numbers(table):
    text = "file,race,glasses,age\na.png,White,1,20\nb.png,Black,0,30\n"
    path, pictures = table(text), ["a.png", "b.png"]
    assert named(groups_from_csv(path, ["race"], pictures)) == ["White", "Black"]
    assert named(groups_from_csv(path, ["glasses"], pictures)) == ["glasses", "not glasses"]
    assert named(groups_from_csv(path, ["age"], pictures)) == ["age 20", "age 30"]


def test_what_a_column_is_of_does_not_depend_on_the_pictures_asked_for(table):
    path = table("file,cluster\na.png,0\nb.png,1\nc.png,7\n")
    assert named(groups_from_csv(path, ["cluster"], ["a.png", "b.png"])) == ["cluster 0", "cluster 1"]


def test_a_table_of_a_spreadsheet_has_a_mark_blank_lines_and_quotes(table):
    text = '﻿image,who\r\n"a.png", "Doe, J"\r\n\r\nb.png,Roe\r\n'.replace(", ", ",")
    assert named(groups_from_csv(table(text), ["who"], ["b.png", "a.png"])) == ["Roe", "Doe,J"]


def test_pictures_in_folders_are_found_by_either_name_and_not_mistaken(table):
    path = table("file,x\nmen/1.png,p\nwomen/1.png,q\n2.png,r\n")
    assert named(groups_from_csv(path, ["x"], ["men/1.webp", "women/1.webp", "women/2.webp"])) == ["p", "q", "r"]
    with pytest.raises(
        BadInputError, match=r"'2\.png' in .* may be 'men/2\.webp' or 'women/2\.webp': write their fold"
    ):
        groups_from_csv(path, ["x"], ["men/2.webp", "women/2.webp"])


def test_pictures_without_files_go_by_their_numbers(table):
    pictures = ArrayPictures(np.zeros((3, 3, 8, 8), np.uint8))
    groups = groups_from_csv(table("number,x\n2,a\n1,b\n0,c\n"), ["x"], pictures.names)
    assert named(groups) == ["c", "b", "a"]


@pytest.mark.parametrize(
    ("text", "columns", "message"),
    [
        (CELEBA, ["male"], "unknown column of .* 'male': did you mean 'Male'"),
        (CELEBA, [], "no column of .* is named: choose among Male, Young"),
        ("", ["x"], "no headings of two columns"),
        ("image_id\n1.png\n", ["x"], "no headings of two columns"),
        (CELEBA + "000009.jpg,1\n", ["Male"], "line 5 of .* has 2 values under 3 headings"),
        (CELEBA + "000001.png,1,1\n", ["Male"], "two lines for the picture '000001.png'"),
        ("image_id,Male\n000001.jpg,1\n", ["Male"], r"no line for 1 of 2 pictures, '000002\.webp' first"),
        ("image_id,Male\n000001.jpg,1\n000002.jpg,\n", ["Male"], r"'000002\.jpg' in .* has no value of 'Male'"),
    ],
)
def test_what_is_wrong_with_a_table_is_said_in_a_sentence(table, text, columns, message):
    with pytest.raises(BadInputError, match=message) as caught:
        groups_from_csv(table(text), columns, ["000001.webp", "000002.webp"])
    assert "\n" not in str(caught.value)


def test_no_file_and_no_text_are_bad_input(table, tmp_path):
    with pytest.raises(BadInputError, match="cannot be read: No such file"):
        groups_from_csv(tmp_path / "none.csv", ["x"], ["a"])
    with pytest.raises(BadInputError, match="no UTF-8 text"):
        groups_from_csv(table(CELEBA, "utf-16"), ["Male"], ["a"])


def test_groups_are_sorted_by_name():
    assert Groups.of(["b", "a", "b"]).names == ("a", "b")
