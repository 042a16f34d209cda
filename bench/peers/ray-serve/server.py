"""Ray Serve and onnxruntime.

python server.py --model ../../models/gru512.onnx --port 8080 --proxy-port 8081

At --port the replica itself answers (Ray's direct ingress), at --proxy-port Ray's proxy in front of it.
"""

import argparse
import signal
import sys
import tempfile

import ray
from gru import Gru
from ray import serve
from starlette.requests import Request
from starlette.responses import Response
from wire import read_binary, read_json, write_binary, write_json


@serve.deployment(num_replicas=1, max_ongoing_requests=256, ray_actor_options={"num_cpus": 0})
class GruDeployment:
    def __init__(self, model: str) -> None:
        self.gru = Gru(model)

    @serve.batch(max_batch_size=64, batch_wait_timeout_s=0.002)
    async def step(self, steps: list) -> list:
        return list(self.gru.step(*zip(*steps)))

    async def __call__(self, request: Request) -> Response:
        body = await request.body()
        if request.url.path == "/json":
            return Response(write_json(await self.step(read_json(body))), media_type="application/json")
        return Response(write_binary(await self.step(read_binary(body))), media_type="application/octet-stream")


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--model", required=True)
    parser.add_argument("--port", required=True)
    parser.add_argument("--proxy-port", type=int, required=True)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="ray-", ignore_cleanup_errors=True) as folder:
        ray.init(num_cpus=1, include_dashboard=False, log_to_driver=False, _temp_dir=folder)
        serve.start(http_options={"host": "127.0.0.1", "port": options.proxy_port})
        serve.run(GruDeployment.bind(options.model))
        signal.signal(signal.SIGTERM, lambda *_: sys.exit())
        try:
            signal.pause()
        finally:
            ray.shutdown()
