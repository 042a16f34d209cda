"""Compressed requests and responses, over both transports."""
import gzip
import json
import urllib.error
import urllib.request
import zlib

import numpy as np
import pytest

# Compresses well, and is long enough that nobody finds it not worth the while.
ROWS = np.zeros((2_000, 3), np.float32)
ARRAYS = {"INPUT0": ROWS, "INPUT1": ROWS + 1}


def check(result):
    for i in range(2):
        assert result.as_numpy(f"OUTPUT{i}").tobytes() == ARRAYS[f"INPUT{i}"].tobytes()


@pytest.mark.parametrize("asked", [None, "gzip", "deflate"])
@pytest.mark.parametrize("sent", [None, "gzip", "deflate"])
def test_http(http, sent, asked):
    algorithms = {"request_compression_algorithm": sent, "response_compression_algorithm": asked}
    check(http.infer("pair_fp32", ARRAYS, **algorithms))


@pytest.mark.parametrize("algorithm", [None, "gzip", "deflate"])
def test_grpc(grpc, algorithm):
    check(grpc.infer("pair_fp32", ARRAYS, compression_algorithm=algorithm))


def post(server, body, **headers):
    request = urllib.request.Request(
        f"{server.url}/v2/models/pair_fp32/infer",
        data=body,
        headers={name.replace("_", "-"): value for name, value in headers.items()},
    )
    with urllib.request.urlopen(request) as response:
        return response.headers, response.read()


def body():
    data = ROWS.flatten().tolist()
    return json.dumps(
        {"inputs": [{"name": f"INPUT{i}", "shape": [2_000, 3], "datatype": "FP32", "data": data} for i in range(2)]}
    ).encode()


def test_the_answer_is_compressed(server):
    headers, answer = post(server, body(), Accept_Encoding="gzip")
    assert headers["Content-Encoding"] == "gzip"
    plain = gzip.decompress(answer)
    assert len(answer) < len(plain) / 10
    assert json.loads(plain)["outputs"][0]["shape"] == [2_000, 3]


def test_deflate_is_zlib(server):
    headers, answer = post(server, zlib.compress(body()), Content_Encoding="deflate", Accept_Encoding="deflate")
    assert headers["Content-Encoding"] == "deflate"
    assert json.loads(zlib.decompress(answer))["model_name"] == "pair_fp32"


def test_the_length_of_the_header_is_that_of_the_plain_json(server):
    head = json.dumps(
        {
            "inputs": [
                {"name": f"INPUT{i}", "shape": [1, 3], "datatype": "FP32", "parameters": {"binary_data_size": 12}}
                for i in range(2)
            ]
        }
    ).encode()
    values = np.arange(6, dtype=np.float32)
    _, answer = post(
        server,
        gzip.compress(head + values.tobytes()),
        Content_Encoding="gzip",
        Inference_Header_Content_Length=str(len(head)),
    )
    assert [output["data"] for output in json.loads(answer)["outputs"]] == [[0, 1, 2], [3, 4, 5]]


def refused(server, data, **headers):
    with pytest.raises(urllib.error.HTTPError) as raised:
        post(server, data, **headers)
    assert set(json.load(raised.value)) == {"error"}
    return raised.value


def test_an_unknown_encoding_is_not_implemented(server):
    error = refused(server, body(), Content_Encoding="br")
    assert error.code == 501
    assert {"gzip", "deflate"} <= {word.strip() for word in error.headers["Accept-Encoding"].split(",")}


def test_what_is_not_gzip_is_a_bad_request(server):
    assert refused(server, body(), Content_Encoding="gzip").code == 400
    assert refused(server, gzip.compress(body())[:-20], Content_Encoding="gzip").code == 400
