"""State between requests: numeric and string ids, start and end, streams that do not mix."""
import itertools
import uuid

import numpy as np
import pytest

# No test meets the sequences of another. gRPC's parameter is an int64, HTTP takes all of uint64.
NUMBERS = itertools.count(2**62)


def step(transport, value, **options):
    """One step of the accumulator: the sum so far."""
    result = transport.infer("accumulator", {"x": np.full((1, 4), value, np.float32)}, **options)
    [row] = result.as_numpy("y")
    assert len(set(row)) == 1
    return row[0]


def new_id(kind):
    return next(NUMBERS) if kind == "number" else f"stream-{uuid.uuid4()}"


@pytest.fixture(params=["number", "string"])
def sequence_id(request):
    return new_id(request.param)


def test_a_sequence_keeps_its_sum(transport, sequence_id):
    assert step(transport, 1, sequence_id=sequence_id, sequence_start=True) == 1
    assert step(transport, 2, sequence_id=sequence_id) == 3
    assert step(transport, 4, sequence_id=sequence_id, sequence_end=True) == 7


def test_start_begins_anew(transport, sequence_id):
    assert step(transport, 5, sequence_id=sequence_id, sequence_start=True) == 5
    assert step(transport, 5, sequence_id=sequence_id, sequence_start=True) == 5
    assert step(transport, 1, sequence_id=sequence_id, sequence_end=True) == 6


def test_start_and_end_in_one_request(transport, sequence_id):
    assert step(transport, 9, sequence_id=sequence_id, sequence_start=True, sequence_end=True) == 9
    assert step(transport, 1, sequence_id=sequence_id, sequence_start=True, sequence_end=True) == 1


def test_interleaved_sequences_do_not_mix(transport):
    ids = [new_id(kind) for kind in ("number", "string") * 4]
    for at in range(3):
        for i, sequence_id in enumerate(ids):
            total = step(
                transport, i + 1, sequence_id=sequence_id, sequence_start=at == 0, sequence_end=at == 2
            )
            assert total == (i + 1) * (at + 1)


@pytest.mark.parametrize(("beyond", "over"), [(2**53, "http"), (2**53, "grpc"), (2**64 - 8, "http")])
def test_ids_beyond_two_to_the_53_are_different(request, beyond, over):
    transport = request.getfixturevalue(over)
    first, second = beyond + 3, beyond + 4
    assert step(transport, 1, sequence_id=first, sequence_start=True) == 1
    assert step(transport, 10, sequence_id=second, sequence_start=True) == 10
    assert step(transport, 1, sequence_id=first, sequence_end=True) == 2
    assert step(transport, 10, sequence_id=second, sequence_end=True) == 20


def test_a_sequence_is_the_same_over_both_transports(http, grpc, sequence_id):
    assert step(http, 1, sequence_id=sequence_id, sequence_start=True) == 1
    assert step(grpc, 2, sequence_id=sequence_id) == 3
    assert step(http, 3, sequence_id=sequence_id, sequence_end=True) == 6


def test_priority_and_timeout_are_taken(transport):
    assert step(transport, 2, sequence_id=new_id("string"), sequence_start=True, priority=1, timeout=30_000_000) == 2
