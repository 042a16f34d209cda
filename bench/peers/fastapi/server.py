"""FastAPI, uvicorn and onnxruntime.

python server.py --model ../../models/gru512.onnx --port 8080
"""

import argparse

import uvicorn
from fastapi import FastAPI, Request, Response
from gru import Gru
from wire import read_binary, read_json, write_binary, write_json

parser = argparse.ArgumentParser()
parser.add_argument("--model", required=True)
parser.add_argument("--port", type=int, required=True)
options = parser.parse_args()

gru = Gru(options.model)
app = FastAPI(openapi_url=None)


@app.get("/ready")
async def ready():
    return {"ready": True}


# A step takes microseconds: it runs in the event loop, since handing it to a thread costs more than the step.
@app.post("/json")
async def step_json(request: Request):
    stream, row = read_json(await request.body())
    return Response(write_json(gru.step([stream], [row])[0]), media_type="application/json")


@app.post("/binary")
async def step_binary(request: Request):
    stream, row = read_binary(await request.body())
    return Response(write_binary(gru.step([stream], [row])), media_type="application/octet-stream")


uvicorn.run(app, host="127.0.0.1", port=options.port, loop="uvloop", http="httptools", log_level="warning")
