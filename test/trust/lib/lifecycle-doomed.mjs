// A server with requests under way in everything that has any, for ever: whoever ends it ends it in the middle. A thread tells
// its parent when it is busy; a process ends itself then, with the status that `argv[2]` says.

import { writeSync } from "node:fs";
import { isMainThread, parentPort, workerData } from "node:worker_threads";
import { GrpcDriver } from "../../../dist/drivers/grpc/index.js";
import { HttpDriver } from "../../../dist/drivers/http/index.js";
import { init } from "../../../dist/index.js";
import { gruInference, WIDTH } from "./gru.mjs";
import { HttpWire, post } from "./http-wire.mjs";

const STREAMS = 32;
const BUSY_STEPS = 200;

const [, , status, executionArgument] = process.argv;
const execution = isMainThread ? executionArgument : workerData.execution;
const runtime = await init("local");
const proc = await runtime.startInference(gruInference({ execution }));
const http = await proc.addDriver("http", HttpDriver, { port: 0, threads: 2 });
await proc.addDriver("grpc", GrpcDriver, { port: 0 });
const { port } = http.getService("http").taggedAddresses.lan;

let steps = 0;
let tell = () => {};
const busy = new Promise((resolve) => {
  tell = resolve;
});

function stepped() {
  steps += 1;
  if (steps === BUSY_STEPS) tell();
}

async function predictForEver(stateId) {
  for (;;) {
    await proc.predict({ input: [new Float32Array(WIDTH)] }, { stateId });
    stepped();
  }
}

async function requestForEver(stateId) {
  const wire = await HttpWire.open(port);
  const request = post("/predict", JSON.stringify({ inputs: { input: [Array(WIDTH).fill(0)] }, stateId }));
  for (;;) {
    wire.write(request);
    await wire.answer();
    stepped();
  }
}

for (let i = 0; i < STREAMS; i++) {
  // They end only where something is wrong, which is then an uncaught error.
  void predictForEver(`predicted ${i}`);
  if (i % 4 === 0) void requestForEver(`requested ${i}`);
}
await busy;
if (isMainThread) {
  // When it was asked to end, for whoever waits for that.
  writeSync(1, String(Date.now()));
  process.exit(Number(status));
}
parentPort.postMessage("busy");
