"""V2 statistics: what perf_analyzer and dashboards read, over both transports."""
import json
import urllib.request

import numpy as np
import pytest
from tritonclient.utils import InferenceServerException

DURATIONS = ("success", "fail", "queue", "compute_input", "compute_infer", "compute_output", "cache_hit", "cache_miss")


def statistics(transport, model="", version=""):
    """All integers, which gRPC's JSON has as strings and where 0 is left out."""
    return transport.ask("get_inference_statistics", model, version)["model_stats"]


def of(transport, model):
    [only] = statistics(transport, model)
    return only


def number(container, key):
    return int(container.get(key, 0))


def pair(rows):
    zeros = np.zeros((rows, 3), np.int16)
    return {"INPUT0": zeros, "INPUT1": zeros}


def test_each_request_counts(transport):
    before = of(transport, "pair_int16")
    for rows in (1, 1, 3):
        transport.infer("pair_int16", pair(rows))
    after = of(transport, "pair_int16")
    assert (after["name"], after["version"]) == ("pair_int16", "1")
    # Inferences are rows; executions are runs of the model, fewer where rows share one.
    assert number(after, "inference_count") - number(before, "inference_count") == 5
    assert 1 <= number(after, "execution_count") - number(before, "execution_count") <= 5
    assert number(after, "last_inference") > 1_600_000_000_000
    success = [number(stats["inference_stats"]["success"], "count") for stats in (before, after)]
    assert success[1] - success[0] == 3


def test_phases_have_counts_and_nanoseconds(transport):
    transport.infer("pair_int16", pair(1))
    phases = of(transport, "pair_int16")["inference_stats"]
    assert set(DURATIONS) <= set(phases)
    assert number(phases["success"], "ns") > 0
    assert number(phases["compute_infer"], "ns") > 0
    for name in ("queue", "compute_input", "compute_infer", "compute_output"):
        assert number(phases[name], "count") > 0
        assert number(phases[name], "ns") <= number(phases["success"], "ns")


def test_failures_count(transport):
    def failed():
        return number(of(transport, "pair_int16")["inference_stats"]["fail"], "count")

    before = failed()
    with pytest.raises(InferenceServerException):
        transport.infer("pair_int16", {"INPUT0": np.zeros((1, 3), np.int16)})
    assert failed() == before + 1


def test_batch_sizes(transport):
    transport.infer("pair_int16", pair(4))
    stats = of(transport, "pair_int16")
    sizes = {number(batch, "batch_size"): number(batch["compute_infer"], "count") for batch in stats["batch_stats"]}
    assert all(size >= 1 for size in sizes)
    assert sum(sizes.values()) == number(stats, "execution_count")
    assert sum(size * count for size, count in sizes.items()) == number(stats, "inference_count")


def test_of_all_models(transport):
    names = {stats["name"] for stats in statistics(transport)}
    assert {"pair_int16", "accumulator", "two versions"} <= names


def test_of_one_version(transport):
    assert [stats["version"] for stats in statistics(transport, "two versions", "3")] == ["3"]
    assert sorted(stats["version"] for stats in statistics(transport, "two versions")) == ["1", "3"]


def test_of_an_unknown_model(transport):
    with pytest.raises(InferenceServerException, match="nowhere"):
        statistics(transport, "nowhere")


def test_integers_are_not_strings(server):
    """perf_analyzer reads them as unsigned integers only."""
    with urllib.request.urlopen(f"{server.url}/v2/models/pair_int16/stats") as response:
        [stats] = json.load(response)["model_stats"]
    for key in ("last_inference", "inference_count", "execution_count"):
        assert type(stats[key]) is int
    for duration in stats["inference_stats"].values():
        assert type(duration["count"]) is int
        assert type(duration["ns"]) is int
