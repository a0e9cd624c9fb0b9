"""The interface of segmentation networks, with a network so small that its answer is known."""

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper
from photo_files import picture

from ediffuser.editing import Photo, PhotoError
from ediffuser.editing.crop import Box
from ediffuser.editing.select import Click, segmenter
from ediffuser.runtime.errors import BadInputError

SIDE = 32


def network(path, *, image=(1, 3, SIDE, SIDE), points=(1, "N", 3), names=("image", "points", "logits"), kind=None):
    """Logits = the picture's red minus 0.5, plus a thousand times (number of negative clicks, negated)."""
    kind = kind or TensorProto.FLOAT
    values = [
        helper.make_tensor_value_info(names[0], kind, image),
        helper.make_tensor_value_info(names[1], TensorProto.FLOAT, points),
    ]
    output = helper.make_tensor_value_info(names[2], kind, (1, 1, *image[2:]))
    constants = [
        helper.make_tensor("zero", TensorProto.INT64, [1], [0]),
        helper.make_tensor("one", TensorProto.INT64, [1], [1]),
        helper.make_tensor("two", TensorProto.INT64, [1], [2]),
        helper.make_tensor("axis", TensorProto.INT64, [1], [1]),
        helper.make_tensor("last", TensorProto.INT64, [1], [2]),
        helper.make_tensor("three", TensorProto.INT64, [1], [3]),
        helper.make_tensor("half", kind, [1], [0.5]),
        helper.make_tensor("least", TensorProto.FLOAT, [1], [1.0]),
        helper.make_tensor("much", TensorProto.FLOAT, [1], [1000.0]),
    ]
    nodes = [
        helper.make_node("Slice", [names[0], "zero", "one", "axis"], ["red"]),
        helper.make_node("Sub", ["red", "half"], ["level"]),
        helper.make_node("Slice", [names[1], "two", "three", "last"], ["labels"]),
        helper.make_node("Sub", ["labels", "least"], ["negatives"]),
        helper.make_node("ReduceSum", ["negatives"], ["count"], keepdims=0),
        helper.make_node("Mul", ["count", "much"], ["penalty"]),
        helper.make_node("Add", ["level", "penalty"], [names[2]]),
    ]
    if kind != TensorProto.FLOAT:
        nodes = [*nodes[:1], helper.make_node("Sub", ["red", "half"], [names[2]])]
        nodes.append(helper.make_node("Identity", [names[1]], ["unused"]))
    graph = helper.make_graph(nodes, "red", values, [output], constants)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.save(model, path)
    return path


def red_square(height=90, width=160):
    pixels = picture(width, height) // 4
    pixels[30:60, 80:160] = (250, 20, 30)
    return Photo(pixels), pixels[..., 0] == 250


def test_mask_at_the_photos_size(tmp_path):
    photo, square = red_square()
    selector = segmenter(network(tmp_path / "red.onnx")).look_at(photo)
    mask = selector.select([Click(100, 50)])
    assert mask.dtype == bool
    assert mask.shape == square.shape
    assert np.count_nonzero(mask ^ square) < 0.1 * np.count_nonzero(square)
    assert not selector.select([Click(100, 50), Click(3, 3, positive=False)]).any()


def test_box_cuts_the_mask_and_stands_for_a_click(tmp_path):
    selector = segmenter(network(tmp_path / "red.onnx")).look_at(red_square()[0])
    mask = selector.select([], Box(0, 0, 90, 120))
    assert not mask[:, 120:].any()
    assert np.array_equal(mask[:, :120], selector.select([Click(100, 50)])[:, :120])
    with pytest.raises(PhotoError, match="outside of the photo"):
        selector.select([Click(160, 5)])


def test_tall_photo_in_strips(tmp_path, monkeypatch):
    selector = segmenter(network(tmp_path / "red.onnx")).look_at(red_square()[0])
    whole = selector.select([Click(100, 50)])
    monkeypatch.setattr("ediffuser.editing.select_onnx.ROWS_AT_ONCE", 7)
    assert np.count_nonzero(selector.select([Click(100, 50)]) ^ whole) < 20


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"names": ("picture", "points", "logits")}, "has inputs picture, points and outputs logits"),
        ({"names": ("image", "points", "mask")}, "outputs mask"),
        ({"image": (1, 3, 32, 48)}, r"'image' of .* \[1, 3, 32, 48\]"),
        ({"image": (1, 4, 32, 32)}, r"\[1, 4, 32, 32\]"),
        ({"image": (1, 3, "S", "S")}, r"'S', 'S'\]"),
        ({"points": (1, 5, 3)}, "N must be free"),
        ({"kind": TensorProto.DOUBLE}, r"'image' of .* tensor\(double\), not float32"),
    ],
)
def test_networks_of_another_interface(tmp_path, change, said):
    with pytest.raises(BadInputError, match=said) as caught:
        segmenter(network(tmp_path / "other.onnx", **change))
    assert "give an ONNX model with inputs image (1, 3, S, S)" in str(caught.value)


def test_files_that_are_no_network(tmp_path):
    with pytest.raises(BadInputError, match=r"there is no segmentation network .*absent\.onnx"):
        segmenter(tmp_path / "absent.onnx")
    (tmp_path / "text.onnx").write_text("no network")
    with pytest.raises(BadInputError, match="cannot be read as an ONNX model"):
        segmenter(tmp_path / "text.onnx")


@pytest.mark.parametrize(("module", "extra"), [("cv2", "serve"), ("onnxruntime", "onnx")])
def test_missing_library_is_named(module, extra, tmp_path, monkeypatch):
    path = None if module == "cv2" else network(tmp_path / "red.onnx")
    monkeypatch.setitem(__import__("sys").modules, module, None)
    for name in ("select_classical", "upsample"):
        monkeypatch.delitem(__import__("sys").modules, f"ediffuser.editing.{name}", raising=False)
    with pytest.raises(BadInputError, match=rf"not installed: pip install 'ediffuser\[{extra}\]'"):
        segmenter(path)
