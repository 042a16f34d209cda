"""Triton's clients of the shared server."""
import pytest
import tritonclient.grpc
import tritonclient.http
from transport import Transport


@pytest.fixture(scope="session")
def http(server):
    with tritonclient.http.InferenceServerClient(server.http, concurrency=4) as client:
        yield Transport("http", client)


@pytest.fixture(scope="session")
def grpc(server):
    with tritonclient.grpc.InferenceServerClient(server.grpc) as client:
        yield Transport("grpc", client)


@pytest.fixture(params=["http", "grpc"])
def transport(request):
    """Each test that takes it runs over both."""
    return request.getfixturevalue(request.param)
