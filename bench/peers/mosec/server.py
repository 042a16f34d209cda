"""Mosec and onnxruntime.

python server.py --model ../../models/gru512.onnx --port 8080    (Mosec reads --port, --address, … itself)
"""

import argparse

from gru import Gru
from mosec import Runtime, Server, Worker
from wire import read_binary, read_json, write_binary, write_json

parser = argparse.ArgumentParser()
parser.add_argument("--model", required=True)
MODEL = parser.parse_known_args()[0].model


class JsonGru(Worker):
    def __init__(self) -> None:
        self.gru = Gru(MODEL)

    def deserialize(self, data: bytes) -> tuple:
        return read_json(data)

    def forward(self, data: list) -> list:
        return list(self.gru.step(*zip(*data)))

    def serialize(self, data) -> bytes:
        return write_json(data)


class BinaryGru(JsonGru):
    resp_mime_type = "application/octet-stream"

    def deserialize(self, data: bytes) -> tuple:
        return read_binary(data)

    def serialize(self, data) -> bytes:
        return write_binary(data)


if __name__ == "__main__":
    server = Server()
    server.register_runtime(
        {
            "/json": [Runtime(JsonGru, num=1, max_batch_size=64, max_wait_time=1)],
            "/binary": [Runtime(BinaryGru, num=1, max_batch_size=64, max_wait_time=1)],
        }
    )
    server.run()
