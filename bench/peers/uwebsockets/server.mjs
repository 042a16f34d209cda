// uWebSockets.js and onnxruntime-node: the fastest HTTP and WebSocket there is for Node, and tensors as bytes.
//
//   node server.mjs --model ../../models/gru512.onnx --port 8080

import uWS from "uWebSockets.js";
import { parseArgs } from "node:util";
import { InferenceSession, Tensor } from "onnxruntime-node";

const { values: options } = parseArgs({
  options: { model: { type: "string" }, port: { type: "string", default: "8080" } },
});

const INPUT_BYTES = 4 * 512;
const session = await InferenceSession.create(options.model, { intraOpNumThreads: 1, interOpNumThreads: 1 });
const httpStates = new Map();

/** One step of a stream. `bytes` is an ArrayBuffer with the stream's number, as u32, and the input behind it. */
async function step(states, bytes) {
  const stream = new Uint32Array(bytes, 0, 1)[0];
  const { output, stateN } = await session.run({
    input: new Tensor("float32", new Float32Array(bytes, 4), [1, 512]),
    state: new Tensor("float32", states.get(stream) ?? new Float32Array(64), [1, 64]),
  });
  states.set(stream, stateN.data);
  return output.data;
}

uWS
  .App()
  .get("/ready", (response) => {
    response.end("ready");
  })
  .post("/binary", (response) => {
    const body = new Uint8Array(4 + INPUT_BYTES);
    let length = 0;
    let isAborted = false;
    response.onAborted(() => {
      isAborted = true;
    });
    response.onData(async (chunk, isLast) => {
      if (length + chunk.byteLength > body.length) return response.close();
      body.set(new Uint8Array(chunk), length); // the chunk is gone after this callback
      length += chunk.byteLength;
      if (!isLast) return;
      const output = await step(httpStates, body.buffer);
      if (!isAborted) response.cork(() => response.end(output));
    });
  })
  // A frame is a request's body; its answer begins with the stream's number too, since streams share a connection.
  .ws("/stream", {
    maxPayloadLength: 1 << 16,
    upgrade: (response, request, context) => {
      response.upgrade(
        { states: new Map(), isOpen: true },
        request.getHeader("sec-websocket-key"),
        request.getHeader("sec-websocket-protocol"),
        request.getHeader("sec-websocket-extensions"),
        context,
      );
    },
    message: async (socket, message) => {
      const frame = message.slice(); // the message is gone after this callback
      const data = socket.getUserData();
      const output = await step(data.states, frame);
      const answer = new Uint8Array(4 + output.byteLength);
      answer.set(new Uint8Array(frame, 0, 4));
      answer.set(new Uint8Array(output.buffer, output.byteOffset, output.byteLength), 4);
      if (data.isOpen) socket.send(answer, true);
    },
    close: (socket) => {
      socket.getUserData().isOpen = false;
    },
  })
  .listen("127.0.0.1", Number(options.port), (token) => {
    if (!token) {
      console.error(`cannot listen on port ${options.port}`);
      process.exit(1);
    }
    console.log(`listening on ${options.port}`);
  });
