"""Triton's core with its Python backend, through nvidia-pytriton, and onnxruntime.

python server.py --model ../../models/gru512.onnx --port 8000 --grpc-port 8001
"""

import argparse

import numpy as np
from gru import Gru
from pytriton.decorators import batch
from pytriton.model_config import DynamicBatcher, ModelConfig, Tensor
from pytriton.triton import Triton, TritonConfig

parser = argparse.ArgumentParser()
parser.add_argument("--model", required=True)
parser.add_argument("--port", type=int, required=True)
parser.add_argument("--grpc-port", type=int, required=True)
options = parser.parse_args()

gru = Gru(options.model)


# pytriton does not hand on Triton's sequence_id, so that the stream is an input like the other one.
@batch
def step(input: np.ndarray, sequence: np.ndarray) -> dict:
    return {"output": gru.step(sequence[:, 0].tolist(), list(input))}


config = TritonConfig(
    http_address="127.0.0.1",
    http_port=options.port,
    grpc_address="127.0.0.1",
    grpc_port=options.grpc_port,
    allow_metrics=False,
)
with Triton(config=config) as triton:
    triton.bind(
        model_name="gru512",
        infer_func=step,
        inputs=[Tensor(name="input", dtype=np.float32, shape=(512,)), Tensor(name="sequence", dtype=np.int64, shape=(1,))],
        outputs=[Tensor(name="output", dtype=np.float32, shape=(8,))],
        config=ModelConfig(max_batch_size=64, batcher=DynamicBatcher(max_queue_delay_microseconds=0)),
    )
    triton.serve()
