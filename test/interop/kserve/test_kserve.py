"""KServe's clients over both transports."""
import asyncio

import grpc
import httpx
import numpy as np
import pytest
from kserve import InferenceGRPCClient, InferenceRESTClient, InferInput, InferRequest, RESTConfig

VALUES = {
    "bool": ("BOOL", np.array([[True, False, True]])),
    "int8": ("INT8", np.array([[-128, 0, 127]], np.int8)),
    "int64": ("INT64", np.array([[-(2**63), 0, 2**63 - 1]], np.int64)),
    "uint64": ("UINT64", np.array([[0, 1, 2**64 - 1]], np.uint64)),
    "fp16": ("FP16", np.array([[0.5, -2, 65504]], np.float16)),
    "fp32": ("FP32", np.array([[0.1, -2, 3e38]], np.float32)),
    "fp64": ("FP64", np.array([[0.1, -2, 1e300]], np.float64)),
    "bytes": ("BYTES", np.array([[b"", b"two", b"drei"]], np.object_)),
}


def request(kind, binary, model=None):
    datatype, array = VALUES[kind]
    inputs = []
    for i in range(2):
        inputs.append(InferInput(f"INPUT{i}", list(array.shape), datatype))
        inputs[-1].set_data_from_numpy(array, binary_data=binary)
    return InferRequest(model_name=model or f"pair_{kind}", infer_inputs=inputs, request_id="kserve-1")


def check(response, kind):
    _, array = VALUES[kind]
    assert response.id == "kserve-1"
    assert response.model_name == f"pair_{kind}"
    for output in response.outputs:
        values = output.as_numpy()
        assert list(values.shape) == [1, 3]
        got = [v.encode() if isinstance(v, str) else v for v in values.flatten()]
        assert got == list(array.flatten())


async def over_http(server, work):
    async with InferenceRESTClient(RESTConfig(protocol="v2")) as client:
        return await work(client, server.url)


async def over_grpc(server, work):
    async with InferenceGRPCClient(server.grpc) as client:
        return await work(client)


# As JSON, and in the typed contents of gRPC, FP16 is what KServe's client refuses to send.
WAYS = [(kind, binary) for kind in VALUES for binary in (True, False) if binary or kind != "fp16"]


@pytest.mark.parametrize(("kind", "binary"), WAYS)
def test_http(server, kind, binary):
    async def infer(client, url):
        return await client.infer(url, request(kind, binary), model_name=f"pair_{kind}")

    check(asyncio.run(over_http(server, infer)), kind)


@pytest.mark.parametrize(("kind", "binary"), WAYS)
def test_grpc(server, kind, binary):
    """Binary: in raw_input_contents; else in the typed contents of each tensor."""

    async def infer(client):
        return await client.infer(request(kind, binary))

    check(asyncio.run(over_grpc(server, infer)), kind)


def test_health_over_http(server):
    async def health(client, url):
        assert await client.is_server_live(url) is True
        assert await client.is_server_ready(url) is True
        assert await client.is_model_ready(url, "pair_fp32") is True
        assert await client.is_model_ready(url, "nowhere") is False

    asyncio.run(over_http(server, health))


def test_health_over_grpc(server):
    async def health(client):
        assert await client.is_server_live() is True
        assert await client.is_server_ready() is True
        assert await client.is_model_ready("pair_fp32") is True
        assert await client.is_model_ready("nowhere") is False

    asyncio.run(over_grpc(server, health))


def test_errors(server):
    async def http(client, url):
        await client.infer(url, request("fp32", True, "nowhere"), model_name="nowhere")

    async def rpc(client):
        await client.infer(request("fp32", True, "nowhere"))

    with pytest.raises(httpx.HTTPStatusError) as refused:
        asyncio.run(over_http(server, http))
    assert refused.value.response.status_code == 404
    assert "nowhere" in refused.value.response.json()["error"]
    with pytest.raises(grpc.aio.AioRpcError) as failed:
        asyncio.run(over_grpc(server, rpc))
    assert failed.value.code() == grpc.StatusCode.NOT_FOUND
