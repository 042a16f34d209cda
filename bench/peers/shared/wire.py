"""What the servers with a protocol of their own choice speak: JSON, and the shortest binary form there is.

JSON: {"stateId": "stream-7", "input": [512 numbers]} -> {"output": [8 numbers]}
Binary: the stream's number as u32 and 512 floats, little-endian -> 8 floats
"""

import numpy as np
import orjson


def read_json(body: bytes) -> tuple:
    """The stream and its input."""
    request = orjson.loads(body)
    return request["stateId"], np.array(request["input"], dtype=np.float32)


def write_json(output: np.ndarray) -> bytes:
    return orjson.dumps({"output": output}, option=orjson.OPT_SERIALIZE_NUMPY)


def read_binary(body: bytes) -> tuple:
    """The stream and its input, a view of the body."""
    return int.from_bytes(body[:4], "little"), np.frombuffer(body, dtype=np.float32, offset=4)


def write_binary(output: np.ndarray) -> bytes:
    return output.tobytes()
