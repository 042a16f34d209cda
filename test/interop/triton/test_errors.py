"""What a client is told when it is wrong: the status, and a body that is {"error": "text"}."""
import json
import urllib.error
import urllib.request

import numpy as np
import pytest
from tritonclient.utils import InferenceServerException

ROW = np.zeros((1, 3), np.float32)
GOOD = {"INPUT0": ROW, "INPUT1": ROW}
STATUS = {"http": {"invalid": "400", "unknown": "404"}, "grpc": {"invalid": "INVALID_ARGUMENT", "unknown": "NOT_FOUND"}}


def refused(transport, kind, model, arrays, **options):
    """The message; the status is the one of that kind."""
    with pytest.raises(InferenceServerException) as raised:
        transport.infer(model, arrays, **options)
    assert raised.value.status().removeprefix("StatusCode.") == STATUS[transport.name][kind]
    return raised.value.message()


def test_an_unknown_model(transport):
    assert "nowhere" in refused(transport, "unknown", "nowhere", GOOD)


def test_an_unknown_version(transport):
    assert "7" in refused(transport, "unknown", "pair_fp32", GOOD, model_version="7")


def test_an_input_is_missing(transport):
    assert "INPUT1" in refused(transport, "invalid", "pair_fp32", {"INPUT0": ROW})


def test_an_input_is_unknown(transport):
    assert "INPUT9" in refused(transport, "invalid", "pair_fp32", {**GOOD, "INPUT9": ROW})


def test_another_datatype(transport):
    message = refused(transport, "invalid", "pair_fp32", {**GOOD, "INPUT1": ROW.astype(np.int32)})
    assert "INT32" in message and "FP32" in message


def test_another_shape(transport):
    assert "4" in refused(transport, "invalid", "pair_fp32", {**GOOD, "INPUT1": np.zeros((1, 4), np.float32)})
    refused(transport, "invalid", "pair_fp32", {**GOOD, "INPUT1": np.zeros(3, np.float32)})


def test_inputs_of_different_numbers_of_rows(transport):
    refused(transport, "invalid", "pair_fp32", {**GOOD, "INPUT1": np.zeros((2, 3), np.float32)})


def test_an_unknown_output(transport):
    outputs = [transport.module.InferRequestedOutput("OUTPUT9")]
    assert "OUTPUT9" in refused(transport, "invalid", "pair_fp32", GOOD, outputs=outputs)


def test_several_rows_of_one_sequence(transport):
    rows = {"x": np.zeros((2, 4), np.float32)}
    refused(transport, "invalid", "accumulator", rows, sequence_id="too-many", sequence_start=True)


def test_a_deadline_that_has_passed(transport):
    """The model would be at work for seconds."""
    deadline = {"timeout": 50_000} if transport.name == "http" else {"client_timeout": 0.05}
    with pytest.raises(InferenceServerException) as raised:
        transport.infer("busy", {"trips": np.array([500_000], np.int64)}, **deadline)
    assert raised.value.status().removeprefix("StatusCode.") in ("504", "DEADLINE_EXCEEDED")


def answer(server, method, path, body=None, **headers):
    """Status, content type and decoded body of a response that is an error."""
    request = urllib.request.Request(f"{server.url}{path}", data=body, method=method, headers=headers)
    with pytest.raises(urllib.error.HTTPError) as raised:
        urllib.request.urlopen(request)
    content = json.load(raised.value)
    assert list(content) == ["error"]
    assert isinstance(content["error"], str) and content["error"]
    assert raised.value.headers["Content-Type"].startswith("application/json")
    return raised.value.code


INFER = "/v2/models/pair_fp32/infer"


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        b'"inputs"',
        b'{"inputs": 1}',
        b'{"inputs": [{}]}',
        b'{"inputs": [{"name": "INPUT0", "shape": [-1, 3], "datatype": "FP32", "data": []}]}',
        b'{"inputs": [{"name": "INPUT0", "shape": [1, 3], "datatype": "FP99", "data": [1, 2, 3]}]}',
        b'{"inputs": [{"name": "INPUT0", "shape": [1, 3], "datatype": "FP32", "data": [1, 2]}]}',
        b'{"inputs": [{"name": "INPUT0", "shape": [1, 3], "datatype": "FP32", "data": ["a", 1, 2]}]}',
        b'{"inputs": [{"name": "INPUT0", "shape": [4294967296, 4294967296], "datatype": "FP32", "data": [1]}]}',
    ],
)
def test_bodies_that_are_no_requests(server, body):
    assert answer(server, "POST", INFER, body) == 400


def test_unknown_paths_and_wrong_methods(server):
    assert answer(server, "GET", "/v2/nothing") == 404
    assert answer(server, "GET", "/v2/models/pair_fp32/nothing") == 404
    assert answer(server, "GET", INFER) == 405
    assert answer(server, "DELETE", "/v2") == 405


def test_binary_data_of_the_wrong_size(server):
    head = b'{"inputs": [{"name": "INPUT0", "shape": [1, 3], "datatype": "FP32", "parameters": {"binary_data_size": 12}}]}'
    for rest in (b"", b"\0" * 11, b"\0" * 13):
        headers = {"Inference-Header-Content-Length": str(len(head))}
        assert answer(server, "POST", INFER, head + rest, **headers) == 400


@pytest.mark.parametrize("length", ["-1", "x", "999999", "1e2"])
def test_a_header_length_that_is_none(server, length):
    assert answer(server, "POST", INFER, b"{}", **{"Inference-Header-Content-Length": length}) == 400
