"""What a client asks before it sends anything: health, metadata, configuration, versions."""
import pytest
from tritonclient.utils import InferenceServerException

EXTENSIONS = {"binary_tensor_data", "model_configuration", "model_repository", "sequence", "statistics"}


def integers(values):
    return [int(value) for value in values]


def test_health(transport):
    assert transport.client.is_server_live()
    assert transport.client.is_server_ready()
    assert transport.client.is_model_ready("pair_fp32")
    assert transport.client.is_model_ready("pair_fp32", "1")


def test_what_is_not_there_is_not_ready(transport):
    assert not transport.client.is_model_ready("nowhere")
    assert not transport.client.is_model_ready("pair_fp32", "7")


def test_server_metadata(transport):
    metadata = transport.ask("get_server_metadata")
    assert metadata["name"] == "headrace"
    assert metadata["version"]
    assert EXTENSIONS <= set(metadata["extensions"])


def test_model_metadata(transport):
    metadata = transport.ask("get_model_metadata", "pair_fp32")
    assert metadata["name"] == "pair_fp32"
    assert metadata["versions"] == ["1"]
    assert metadata["platform"] == "onnxruntime_onnx"
    for side, name in (("inputs", "INPUT"), ("outputs", "OUTPUT")):
        tensors = [(t["name"], t["datatype"], integers(t["shape"])) for t in metadata[side]]
        assert tensors == [(f"{name}{i}", "FP32", [-1, 3]) for i in range(2)]


def test_the_tensors_of_a_state_are_nobodys_business(transport):
    metadata = transport.ask("get_model_metadata", "accumulator")
    assert [tensor["name"] for tensor in metadata["inputs"]] == ["x"]
    assert [tensor["name"] for tensor in metadata["outputs"]] == ["y"]


def config_of(transport, model):
    config = transport.ask("get_model_config", model)
    return config if transport.name == "http" else config["config"]


def test_configuration(transport):
    config = config_of(transport, "pair_fp32")
    assert config["name"] == "pair_fp32"
    assert (config["platform"], config["backend"]) == ("onnxruntime_onnx", "onnxruntime")
    assert config["max_batch_size"] > 1
    # Without the batch.
    tensors = [(t["name"], t["data_type"], integers(t["dims"])) for t in config["input"]]
    assert tensors == [("INPUT0", "TYPE_FP32", [3]), ("INPUT1", "TYPE_FP32", [3])]
    assert "dynamic_batching" in config
    assert "sequence_batching" not in config


def test_configuration_of_a_stateful_model(transport):
    config = config_of(transport, "accumulator")
    assert config["max_batch_size"] == 8
    assert "dynamic_batching" not in config
    [state] = config["sequence_batching"]["state"]
    assert (state["input_name"], state["output_name"]) == ("state", "stateN")


def test_a_name_with_a_space_and_two_versions(transport):
    metadata = transport.ask("get_model_metadata", "two versions")
    assert sorted(metadata["versions"]) == ["1", "3"]
    for version in metadata["versions"]:
        assert transport.client.is_model_ready("two versions", version)
    assert not transport.client.is_model_ready("two versions", "2")


@pytest.mark.parametrize("method", ["get_model_metadata", "get_model_config"])
def test_an_unknown_model(transport, method):
    with pytest.raises(InferenceServerException) as raised:
        getattr(transport.client, method)("nowhere")
    assert "nowhere" in raised.value.message()
    assert raised.value.status() == ("404" if transport.name == "http" else "StatusCode.NOT_FOUND")
