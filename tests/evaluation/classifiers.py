"""A classifier of bright and dark pictures, as its user would provide it."""

import json

import onnx
from onnx import TensorProto, helper


def write_classifier(path, *, input="pictures", output="logits", shape=("N", 3, 8, 8), scale=1.0, border=0.5):
    """Logits = (mean - border, border - mean) of a picture in [0, 1]; its names lie beside it. Returns the path."""
    values = [helper.make_tensor_value_info(input, TensorProto.FLOAT, shape)]
    results = [helper.make_tensor_value_info(output, TensorProto.FLOAT, ("N", 2))]
    constants = [
        helper.make_tensor("axes", TensorProto.INT64, [3], [1, 2, 3]),
        helper.make_tensor("last", TensorProto.INT64, [1], [1]),
        helper.make_tensor("half", TensorProto.FLOAT, [1], [border]),
        helper.make_tensor("signs", TensorProto.FLOAT, [1, 2], [scale, -scale]),
    ]
    nodes = [
        helper.make_node("ReduceMean", [input, "axes"], ["mean"], keepdims=0),
        helper.make_node("Sub", ["mean", "half"], ["tone"]),
        helper.make_node("Unsqueeze", ["tone", "last"], ["column"]),
        helper.make_node("Mul", ["column", "signs"], [output]),
    ]
    graph = helper.make_graph(nodes, "tone", values, results, constants)
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=8), path)
    path.with_suffix(".json").write_text(json.dumps(["bright", "dark"]))
    return path
