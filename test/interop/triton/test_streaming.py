"""ModelStreamInfer: many requests and their answers on one gRPC stream, in order."""
import queue

import numpy as np
import pytest
import tritonclient.grpc
from tritonclient.grpc import InferInput
from tritonclient.utils import InferenceServerException

PATIENCE_SECONDS = 30


@pytest.fixture
def client(server):
    """A client has one stream at a time: each test has its own."""
    with tritonclient.grpc.InferenceServerClient(server.grpc) as own:
        yield own


@pytest.fixture
def answers(client):
    """What comes back on the stream: pairs of result and error."""
    received = queue.Queue()
    client.start_stream(lambda result, error: received.put((result, error)))
    yield received
    client.stop_stream()


def floats(name, row):
    made = InferInput(name, [1, len(row)], "FP32")
    made.set_data_from_numpy(np.array([row], np.float32))
    return made


def answer(received):
    result, error = received.get(timeout=PATIENCE_SECONDS)
    if error is not None:
        raise error
    return result


def test_answers_come_in_the_order_of_their_requests(client, answers):
    for i in range(200):
        client.async_stream_infer(
            "pair_fp32", [floats("INPUT0", [i, 0, 0]), floats("INPUT1", [0, 0, -i])], request_id=str(i)
        )
    for i in range(200):
        result = answer(answers)
        assert result.get_response().id == str(i)
        assert result.as_numpy("OUTPUT0")[0, 0] == i
        assert result.as_numpy("OUTPUT1")[0, 2] == -i


@pytest.mark.parametrize("sequence_id", [77_001, "streamed"])
def test_a_sequence_on_a_stream(client, answers, sequence_id):
    for i in range(1, 6):
        client.async_stream_infer(
            "accumulator",
            [floats("x", [i] * 4)],
            sequence_id=sequence_id,
            sequence_start=i == 1,
            sequence_end=i == 5,
        )
    assert [answer(answers).as_numpy("y")[0, 0] for _ in range(5)] == [1, 3, 6, 10, 15]


def test_two_sequences_and_another_model_share_a_stream(client, answers):
    for i in range(1, 4):
        for sequence_id in ("left", 77_002):
            value = i if sequence_id == "left" else 10 * i
            client.async_stream_infer(
                "accumulator",
                [floats("x", [value] * 4)],
                request_id=f"{sequence_id}-{i}",
                sequence_id=sequence_id,
                sequence_start=i == 1,
                sequence_end=i == 3,
            )
        client.async_stream_infer("pair_fp32", [floats("INPUT0", [i] * 3), floats("INPUT1", [i] * 3)], request_id=f"p-{i}")
    got = {}
    for _ in range(9):
        result = answer(answers)
        values = result.as_numpy("y")
        got[result.get_response().id] = (result.as_numpy("OUTPUT0") if values is None else values)[0, 0]
    assert [got[f"left-{i}"] for i in (1, 2, 3)] == [1, 3, 6]
    assert [got[f"77002-{i}"] for i in (1, 2, 3)] == [10, 30, 60]
    assert [got[f"p-{i}"] for i in (1, 2, 3)] == [1, 2, 3]


def test_an_error_does_not_end_the_stream(client, answers):
    client.async_stream_infer("pair_fp32", [floats("INPUT0", [1, 2, 3])], request_id="bad")
    client.async_stream_infer("nowhere", [floats("INPUT0", [1, 2, 3])], request_id="worse")
    client.async_stream_infer("pair_fp32", [floats("INPUT0", [1, 2, 3]), floats("INPUT1", [4, 5, 6])], request_id="good")
    for word in ("INPUT1", "nowhere"):
        with pytest.raises(InferenceServerException, match=word):
            answer(answers)
    assert answer(answers).get_response().id == "good"


def test_a_stream_that_asks_nothing_ends(client):
    client.start_stream(lambda result, error: None)
    client.stop_stream()
