"""Models that come, go and are replaced while the server runs: a repository of its own."""
import models
import numpy as np
import pytest
import tritonclient.grpc
import tritonclient.http
from server import Server
from transport import Transport
from tritonclient.utils import InferenceServerException

ROW = np.array([[1, 2, 3]], np.float32)
PAIR = {"INPUT0": ROW, "INPUT1": ROW}


@pytest.fixture(scope="module")
def directory(tmp_path_factory):
    directory = tmp_path_factory.mktemp("changing")
    models.add(directory, "one", models.FIXTURES / "pair_fp32.onnx")
    models.add(directory, "other", models.FIXTURES / "pair_fp32.onnx")
    return directory


@pytest.fixture(scope="module")
def changing(directory):
    with Server("--models", directory) as running:
        yield running


@pytest.fixture(params=["http", "grpc"])
def client(request, changing):
    module = getattr(tritonclient, request.param)
    with module.InferenceServerClient(getattr(changing, request.param)) as made:
        yield Transport(request.param, made)


def index(client):
    """Name to state, of the versions that are there."""
    entries = client.ask("get_model_repository_index")
    return {entry["name"]: entry.get("state") for entry in (entries if client.name == "http" else entries["models"])}


def test_the_index(client):
    assert index(client) == {"one": "READY", "other": "READY"}


def test_unload_and_load(client):
    client.client.unload_model("one")
    assert index(client)["one"] == "UNAVAILABLE"
    assert not client.client.is_model_ready("one")
    with pytest.raises(InferenceServerException):
        client.infer("one", PAIR)
    assert client.client.is_model_ready("other")
    client.client.load_model("one")
    assert index(client)["one"] == "READY"
    assert client.infer("one", PAIR).as_numpy("OUTPUT0").tolist() == [[1, 2, 3]]


def test_a_model_that_was_put_there_later(client, directory):
    name = f"late_{client.name}"
    with pytest.raises(InferenceServerException):
        client.client.load_model(name)
    models.add(directory, name, models.FIXTURES / "pair_fp32.onnx")
    client.client.load_model(name)
    assert client.infer(name, PAIR).as_numpy("OUTPUT1").tolist() == [[1, 2, 3]]
    client.client.unload_model(name)
    (directory / name / "1" / "model.onnx").unlink()
    (directory / name / "1").rmdir()
    (directory / name).rmdir()


def test_loading_again_swaps(client):
    """The new one answers as the old one did, and nothing fails meanwhile."""
    for _ in range(3):
        client.client.load_model("other")
        assert client.infer("other", PAIR).as_numpy("OUTPUT0").tolist() == [[1, 2, 3]]


def test_loading_with_a_configuration(client):
    client.client.load_model("other", config='{"max_batch_size": 2}')
    config = client.ask("get_model_config", "other")
    assert (config if client.name == "http" else config["config"])["max_batch_size"] == 2
    client.client.load_model("other")


@pytest.mark.parametrize("name", ["nowhere", "../one", "one/../other", ".."])
def test_what_is_not_in_the_directory(client, name):
    with pytest.raises(InferenceServerException):
        client.client.load_model(name)
    assert {"one", "other"} <= set(index(client)) and name not in index(client)
