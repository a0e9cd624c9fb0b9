"""The classifier that a user provides, with one so small that its answer is known."""

import json

import onnx
import pytest
import torch
from classifiers import write_classifier

from ediffuser.evaluation.groups import GroupClassifier
from ediffuser.runtime.errors import BadInputError


def pictures(*levels, side=12):
    return torch.tensor(levels, dtype=torch.uint8)[:, None, None, None].expand(-1, 3, side, side).contiguous()


def test_the_largest_logit_is_the_group(tmp_path):
    classifier = GroupClassifier(write_classifier(tmp_path / "tone.onnx"))
    assert classifier.names == ("bright", "dark")
    assert classifier(pictures(255, 0, 140, 115)).tolist() == [0, 1, 0, 1]
    assert classifier(pictures(140, side=64)).tolist() == [0]
    assert classifier.resize == "bilinear to 8 x 8, antialiased"


def test_its_sum_is_that_of_its_weights_and_its_names(tmp_path):
    path = write_classifier(tmp_path / "tone.onnx")
    before = GroupClassifier(path).sha256
    path.with_suffix(".json").write_text('["dark", "bright"]')
    assert GroupClassifier(path).sha256 != before


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (None, r"cannot be read from .*tone\.json.* write there a JSON list"),
        ("bright, dark", "is no JSON"),
        ('["bright"]', "two or more different names"),
        ('["x", "x"]', "two or more different names"),
        ('["a", "b", "c"]', "for 3 names"),
    ],
)
def test_names_must_lie_beside_it(tmp_path, names, message):
    path = write_classifier(tmp_path / "tone.onnx")
    path.with_suffix(".json").unlink() if names is None else path.with_suffix(".json").write_text(names)
    with pytest.raises(BadInputError, match=message):
        GroupClassifier(path)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"input": "image"}, "has inputs image and outputs logits: give an ONNX model with the input pictures"),
        ({"output": "classes"}, "outputs classes"),
        ({"shape": ("N", 3, "S", "S")}, "S from 8 to 1024"),
        ({"shape": ("N", 1, 8, 8)}, "S from 8 to 1024"),
        ({"shape": (8, 3, 8, 8)}, "takes 8 pictures at once, not one"),
    ],
)
def test_another_interface_is_bad_input(tmp_path, changes, message):
    with pytest.raises(BadInputError, match=message):
        GroupClassifier(write_classifier(tmp_path / "tone.onnx", **changes))


def test_a_damaged_or_missing_file_is_bad_input(tmp_path):
    path = write_classifier(tmp_path / "tone.onnx")
    path.write_bytes(path.read_bytes()[:40])
    with pytest.raises(BadInputError, match="cannot be read as an ONNX model"):
        GroupClassifier(path)
    path.unlink()
    with pytest.raises(BadInputError, match="there is no classifier"):
        GroupClassifier(path)


def test_logits_that_are_no_numbers_are_bad_input(tmp_path):
    path = write_classifier(tmp_path / "tone.onnx", scale=float("nan"))
    with pytest.raises(BadInputError, match="not all finite"):
        GroupClassifier(path)(pictures(10))


def test_the_toy_is_a_sound_model(tmp_path):
    onnx.checker.check_model(onnx.load(write_classifier(tmp_path / "tone.onnx")))
    assert json.loads((tmp_path / "tone.json").read_text()) == ["bright", "dark"]
