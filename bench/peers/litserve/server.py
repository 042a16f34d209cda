"""LitServe and onnxruntime.

python server.py --model ../../models/gru512.onnx --port 8080
"""

import argparse
from typing import Annotated

import litserve
from fastapi import Body, Request, Response
from gru import Gru
from wire import read_binary, write_binary, write_json
import numpy as np


class GruApi(litserve.LitAPI):
    """LitServe's own batches, in a worker process of each route's."""

    def __init__(self, model: str, **options) -> None:
        super().__init__(**options)
        self.model = model

    def setup(self, device) -> None:
        self.gru = Gru(self.model)

    def batch(self, inputs: list) -> tuple:
        return tuple(zip(*inputs))

    def predict(self, batch: tuple) -> np.ndarray:
        streams, rows = batch
        return self.gru.step(streams, rows)

    def unbatch(self, outputs: np.ndarray) -> list:
        return list(outputs)


class JsonApi(GruApi):
    def decode_request(self, request: Request) -> tuple:  # LitServe has parsed the JSON by then
        return request["stateId"], np.array(request["input"], dtype=np.float32)

    def encode_response(self, output: np.ndarray) -> Response:
        return Response(write_json(output), media_type="application/json")


class BinaryApi(GruApi):
    def decode_request(self, request: Annotated[bytes, Body()]) -> tuple:
        return read_binary(request)

    def encode_response(self, output: np.ndarray) -> Response:
        return Response(write_binary(output), media_type="application/octet-stream")


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--model", required=True)
    parser.add_argument("--port", type=int, required=True)
    options = parser.parse_args()
    batching = {"max_batch_size": 64, "batch_timeout": 0.005}
    server = litserve.LitServer(
        [JsonApi(options.model, api_path="/json", **batching), BinaryApi(options.model, api_path="/binary", **batching)],
        accelerator="cpu",
        workers_per_device=1,
        fast_queue=True,
    )
    server.run(
        host="127.0.0.1",
        port=options.port,
        num_api_servers=1,
        generate_client_file=False,
        log_level="warning",
        loop="uvloop",
        http="httptools",
        access_log=False,
    )
