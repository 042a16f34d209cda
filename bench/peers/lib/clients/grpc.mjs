// Single steps over gRPC: V2's ModelInfer with raw tensors.

import { fileURLToPath } from "node:url";
import { credentials, loadPackageDefinition } from "@grpc/grpc-js";
import { loadSync } from "@grpc/proto-loader";

const PROTO = fileURLToPath(new URL("../../../../proto/grpc_service.proto", import.meta.url));

/**
 * @param {{ model: string, sequenceInput?: string }} form  without a sequenceInput the parameter sequence_id is sent
 * @returns {(port: number) => Promise<import("../forms.mjs").Client>}
 */
export function openGrpc({ model, sequenceInput }) {
  return async (port) => {
    const { inference } = loadPackageDefinition(loadSync(PROTO, { keepCase: true, longs: String }));
    const client = new inference.GRPCInferenceService(`127.0.0.1:${port}`, credentials.createInsecure());
    return {
      step: (stream, input) =>
        new Promise((resolve, reject) => {
          client.ModelInfer(requestOf({ model, sequenceInput }, stream, input), (error, answer) => {
            if (error) reject(error);
            else resolve(new Float32Array(Uint8Array.from(answer.raw_output_contents[0]).buffer));
          });
        }),
      close: () => client.close(),
    };
  };
}

function requestOf({ model, sequenceInput }, stream, input) {
  const request = {
    model_name: model,
    parameters: {},
    inputs: [{ name: "input", datatype: "FP32", shape: [1, input.length] }],
    raw_input_contents: [Buffer.from(input.buffer, input.byteOffset, input.byteLength)],
  };
  if (sequenceInput === undefined) return { ...request, parameters: { sequence_id: { int64_param: stream } } };
  const sequence = Buffer.alloc(8);
  sequence.writeBigInt64LE(BigInt(stream));
  request.inputs.push({ name: sequenceInput, datatype: "INT64", shape: [1, 1] });
  request.raw_input_contents.push(sequence);
  return request;
}
