#!/usr/bin/env python3
"""Writes plodder.onnx next to this file: `python3 make_plodder.py` (needs the package `onnx`).

output = state + input, which is the next state too, exact in its bits however many rows share a run. A run takes tens of
milliseconds, so that a test can meet it while it is under way: a unit matrix is multiplied by itself on the way.
"""
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto as T
from onnx import helper, numpy_helper

SIDE, TRIPS = 128, 600


def tensor(name, dims, kind=T.FLOAT):
    return helper.make_tensor_value_info(name, kind, dims)


def constant(name, values, dtype):
    return numpy_helper.from_array(np.array(values, dtype=dtype), name)


def node(op, inputs, outputs, **attributes):
    return helper.make_node(op, inputs.split(), outputs.split(), **attributes)


body = helper.make_graph(
    [node("Identity", "going_in", "going"), node("MatMul", "matrix_in unit", "matrix")],
    "body",
    [tensor("i", [], T.INT64), tensor("going_in", [], T.BOOL), tensor("matrix_in", [SIDE, SIDE])],
    [tensor("going", [], T.BOOL), tensor("matrix", [SIDE, SIDE])],
)
graph = helper.make_graph(
    [
        node("ConstantOfShape", "side", "zeros"),
        node("EyeLike", "zeros", "unit"),
        # Depends on the input, or it would all be done when the model is loaded.
        node("ReduceSum", "input", "sum", keepdims=0),
        node("Mul", "sum nothing", "zero"),
        node("Add", "unit zero", "start"),
        helper.make_node("Loop", ["trips", "", "start"], ["product"], body=body),
        node("ReduceMax", "product", "one", keepdims=0),
        node("Add", "state input", "total"),
        node("Mul", "total one", "output"),
        node("Identity", "output", "stateN"),
    ],
    "plodder",
    [tensor("input", ["N", 4]), tensor("state", ["N", 4])],
    [tensor("output", ["N", 4]), tensor("stateN", ["N", 4])],
    [
        constant("nothing", 0, np.float32),
        constant("side", [SIDE, SIDE], np.int64),
        constant("trips", TRIPS, np.int64),
    ],
)
model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
onnx.checker.check_model(model, full_check=True)
onnx.save(model, Path(__file__).parent / "plodder.onnx")
