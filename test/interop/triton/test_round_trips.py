"""Every datatype there and back: two inputs, two outputs, binary and JSON, several rows."""
import queue

import ml_dtypes
import numpy as np
import pytest
from tritonclient.http import InferRequestedOutput

FLOATS = [[0.0, -1.5, 3.25], [65504.0, 2.0**-14, -0.0]]
SPECIAL = [[np.nan, np.inf, -np.inf]]


def limits(dtype):
    info = np.iinfo(dtype)
    return np.array([[info.min, 0, info.max], [1, 2, 3]], dtype)


VALUES = {
    "bool": np.array([[True, False, True], [False, False, True]]),
    **{np.dtype(t).name: limits(t) for t in (np.int8, np.int16, np.int32, np.int64)},
    **{np.dtype(t).name: limits(t) for t in (np.uint8, np.uint16, np.uint32, np.uint64)},
    "fp16": np.array(FLOATS, np.float16),
    "bf16": np.array(FLOATS, ml_dtypes.bfloat16),
    "fp32": np.array(FLOATS, np.float32),
    "fp64": np.array([[1e300, -1e-300, 0.1], [2.0**53, 2.0**53 + 2, -0.0]], np.float64),
    "bytes": np.array([[b"", "Straße".encode(), b"a\nb"], [b"x" * 1000, b'"quoted"', b"\\"]], np.object_),
}
FLOATING = ("fp16", "bf16", "fp32", "fp64")


def same(result, arrays):
    for i, array in enumerate(arrays):
        got = result.as_numpy(f"OUTPUT{i}")
        assert got.dtype == array.dtype
        assert got.shape == array.shape
        if array.dtype == np.object_:
            assert [as_bytes(text) for text in got.flatten()] == list(array.flatten())
        else:
            assert got.tobytes() == array.tobytes()


def as_bytes(text):
    return text.encode() if isinstance(text, str) else text


def pair(values):
    """The second input has other rows than the first, so that a mix-up shows."""
    return {"INPUT0": values, "INPUT1": np.ascontiguousarray(values[::-1])}


@pytest.mark.parametrize("kind", VALUES)
def test_binary(transport, kind):
    arrays = pair(VALUES[kind])
    same(transport.infer(f"pair_{kind}", arrays), arrays.values())


@pytest.mark.parametrize("kind", FLOATING)
def test_not_a_number_and_infinities(transport, kind):
    arrays = pair(np.array(SPECIAL, VALUES[kind].dtype))
    same(transport.infer(f"pair_{kind}", arrays), arrays.values())


@pytest.mark.parametrize("kind", [kind for kind in VALUES if kind != "bf16"])
@pytest.mark.parametrize("sent", ["json", "binary"])
@pytest.mark.parametrize("answered", ["json", "binary"])
def test_json_over_http(http, kind, sent, answered):
    """JSON and binary mixed as the client likes. Triton's client refuses to write BF16 as JSON."""
    arrays = pair(VALUES[kind])
    inputs = http.inputs(arrays, binary_data=sent == "binary")
    outputs = [InferRequestedOutput(f"OUTPUT{i}", binary_data=answered == "binary") for i in range(2)]
    same(http.client.infer(f"pair_{kind}", inputs, outputs=outputs), arrays.values())


@pytest.mark.parametrize("sent", ["json", "binary"])
def test_one_input_in_json_and_one_in_binary(http, sent):
    arrays = pair(VALUES["fp32"])
    inputs = http.inputs(arrays, binary_data=sent == "binary")
    inputs[1].set_data_from_numpy(arrays["INPUT1"], binary_data=sent != "binary")
    outputs = [InferRequestedOutput("OUTPUT0", binary_data=True), InferRequestedOutput("OUTPUT1", binary_data=False)]
    same(http.client.infer("pair_fp32", inputs, outputs=outputs), arrays.values())


@pytest.mark.parametrize("kind", ("fp32", "fp64"))
def test_not_a_number_in_json(http, kind):
    """The client writes NaN, Infinity and -Infinity, which JSON does not have and Triton reads."""
    arrays = pair(np.array(SPECIAL, VALUES[kind].dtype))
    same(http.client.infer(f"pair_{kind}", http.inputs(arrays, binary_data=False)), arrays.values())


def test_only_the_outputs_that_are_asked_for(transport):
    arrays = pair(VALUES["fp32"])
    wanted = [transport.module.InferRequestedOutput("OUTPUT1")]
    result = transport.infer("pair_fp32", arrays, outputs=wanted)
    assert result.as_numpy("OUTPUT0") is None
    assert result.as_numpy("OUTPUT1").tobytes() == arrays["INPUT1"].tobytes()


def test_the_id_of_a_request_comes_back(transport):
    result = transport.infer("pair_fp32", pair(VALUES["fp32"]), request_id="ask-17")
    response = result.get_response()
    assert (response["id"] if transport.name == "http" else response.id) == "ask-17"


def test_many_at_a_time_over_http(http):
    """Asynchronous requests of the client, answered each to its own."""
    asked = [pair(np.full((1, 3), i, np.float32)) for i in range(50)]
    pending = [http.client.async_infer("pair_fp32", http.inputs(arrays)) for arrays in asked]
    for request, arrays in zip(pending, asked, strict=True):
        same(request.get_result(), arrays.values())


def test_many_at_a_time_over_grpc(grpc):
    asked = [pair(np.full((1, 3), i, np.float32)) for i in range(50)]
    answers = queue.Queue()
    for i, arrays in enumerate(asked):
        grpc.client.async_infer(
            "pair_fp32", grpc.inputs(arrays), lambda result, error, i=i: answers.put((i, result, error))
        )
    for _ in asked:
        i, result, error = answers.get(timeout=30)
        assert error is None
        same(result, asked[i].values())
