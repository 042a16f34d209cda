// The peer for gRPC: what a good team writes today to serve a stateful model over the V2 protocol from Node without
// Headrace. One session, tensors as raw bytes, the streams' states in a Map. Kept honest on purpose: the protocol's own
// messages, nothing copied that need not be, one thread.
//
//   node server.mjs --model ../../models/gru512.onnx --port 8001

import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { loadPackageDefinition, Server, ServerCredentials, status } from "@grpc/grpc-js";
import { loadSync } from "@grpc/proto-loader";
import { InferenceSession, Tensor } from "onnxruntime-node";

const { values: options } = parseArgs({
  options: { model: { type: "string" }, port: { type: "string", default: "8001" } },
});

const PROTO = fileURLToPath(new URL("../../../proto/grpc_service.proto", import.meta.url));
const { inference } = loadPackageDefinition(loadSync(PROTO, { keepCase: true, longs: String }));

const session = await InferenceSession.create(options.model, { intraOpNumThreads: 1, interOpNumThreads: 1 });
const states = new Map();

/** The floats of a field of bytes: a view where it is aligned, else a copy. */
function floatsOf(bytes) {
  const aligned = bytes.byteOffset % 4 === 0 ? bytes : Uint8Array.from(bytes);
  return new Float32Array(aligned.buffer, aligned.byteOffset, aligned.byteLength / 4);
}

async function infer({ id, parameters, raw_input_contents: [bytes] }) {
  const sequence = parameters.sequence_id?.int64_param;
  const state = states.get(sequence) ?? new Float32Array(64);
  const { output, stateN } = await session.run({
    input: new Tensor("float32", floatsOf(bytes), [1, 512]),
    state: new Tensor("float32", state, [1, 64]),
  });
  states.set(sequence, stateN.data);
  const { buffer, byteOffset, byteLength } = output.data;
  return {
    model_name: "gru512",
    model_version: "1",
    id,
    outputs: [{ name: "output", datatype: "FP32", shape: output.dims }],
    raw_output_contents: [Buffer.from(buffer, byteOffset, byteLength)],
  };
}

const server = new Server();
server.addService(inference.GRPCInferenceService.service, {
  ModelInfer: ({ request }, callback) => {
    infer(request).then(
      (response) => callback(null, response),
      (error) => callback({ code: status.INTERNAL, details: error.message }),
    );
  },
});
server.bindAsync(`127.0.0.1:${options.port}`, ServerCredentials.createInsecure(), (error, port) => {
  if (error) throw error;
  console.log(`listening on ${port}`);
});
