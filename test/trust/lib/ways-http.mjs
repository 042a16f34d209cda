// The ways to step a served model with HTTP requests.

import { CODES, floats, oneByOne, options, parameters, refused, v2Json, v2Outputs } from "./burst.mjs";
import { post, postBinary } from "./http-wire.mjs";

const INFER = "/v2/models/gru/infer";

async function ask(wire, request) {
  wire.write(request);
  const answer = await wire.answer();
  if (answer.status >= 300) throw refused(CODES[answer.status] ?? `HTTP ${answer.status}`, answer.body);
  return answer;
}

/**
 * The ways of one HTTP connection, which has one request at a time.
 * @param {import("./http-wire.mjs").HttpWire} wire
 * @returns {Record<string, import("./burst.mjs").Way>}
 */
export function httpWays(wire) {
  const predictBody = (burst, row, i) => JSON.stringify({ inputs: { input: [[...row]] }, ...options(burst, i) });
  return {
    json: (burst) =>
      oneByOne(burst, async (row, i) => {
        const { body } = await ask(wire, post("/predict", predictBody(burst, row, i)));
        return Float32Array.from(JSON.parse(body).outputs.output[0]);
      }),
    task: (burst) =>
      oneByOne(burst, async (row, i) => {
        const { taskId } = JSON.parse((await ask(wire, post("/tasks", predictBody(burst, row, i)))).body);
        const path = `/tasks/${taskId}?waitMs=20000`;
        const { outputs, error } = JSON.parse((await ask(wire, `GET ${path} HTTP/1.1\r\nHost: trust\r\n\r\n`)).body);
        if (error !== undefined) throw refused(error.code, error.message);
        await ask(wire, `DELETE /tasks/${taskId} HTTP/1.1\r\nHost: trust\r\n\r\n`);
        return Float32Array.from(outputs.output[0]);
      }),
    v2Json: (burst) =>
      oneByOne(burst, async (row, i) =>
        v2Outputs((await ask(wire, post(INFER, v2Json(row, parameters(burst, i))))).body),
      ),
    v2Binary: (burst) =>
      oneByOne(burst, async (row, i) => {
        const request = postBinary({ path: INFER, input: "input", values: row, parameters: parameters(burst, i) });
        const { headers, body } = await ask(wire, request);
        return floats(body.subarray(Number(headers.get("inference-header-content-length"))));
      }),
  };
}
