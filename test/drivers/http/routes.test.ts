/** What is where, and what is not: metadata, health, versions, and the errors of everything else. */
import t from "tap";
import { VERSION } from "../../../src/version.js";
import { myPipeline } from "../../support/cells.js";
import { gruPipeline, serve } from "../../support/serve.js";

interface Answer {
  readonly status: number;
  readonly headers: Headers;
  readonly json: Record<string, unknown>;
}

async function ask(url: string, method = "GET", body?: string): Promise<Answer> {
  const response = await fetch(url, { method, ...(body === undefined ? {} : { body }) });
  const text = await response.text();
  return { status: response.status, headers: response.headers, json: text === "" ? {} : JSON.parse(text) };
}

t.test("metadata and health", async (t) => {
  const { url } = await serve(t, await gruPipeline());
  const server = await ask(`${url}/v2`);
  t.equal(server.status, 200);
  t.equal(server.headers.get("content-type"), "application/json");
  t.match(server.json, {
    name: "headrace",
    version: VERSION,
    extensions: [
      "binary_tensor_data",
      "generate",
      "model_configuration",
      "model_repository",
      "model_repository(unload_dependents)",
      "schedule_policy",
      "sequence",
      "statistics",
      "stream",
    ],
  });

  const metadata = {
    name: "gru",
    versions: ["1"],
    platform: "onnxruntime_onnx",
    inputs: [{ name: "input", datatype: "FP32", shape: [-1, 512] }],
    outputs: [{ name: "output", datatype: "FP32", shape: [-1, 8] }],
  };
  for (const path of ["/v2/models/gru", "/v2/models/gru/versions/1", "/v2/models/%67ru"]) {
    t.same((await ask(url + path)).json, metadata, path);
  }
  for (const path of ["/v2/health/live", "/health/live"]) t.same((await ask(url + path)).json, { live: true });
  for (const path of ["/v2/health/ready", "/health/ready"]) t.same((await ask(url + path)).json, { ready: true });
  for (const path of ["/v2/models/gru/ready", "/v2/models/gru/versions/1/ready"]) {
    t.same((await ask(url + path)).json, { name: "gru", ready: true });
  }
});

t.test("a pipeline of cells has their types, a scalar the shape [1]", async (t) => {
  const { url } = await serve(t, myPipeline());
  t.same((await ask(`${url}/v2/models/MyPipeline`)).json, {
    name: "MyPipeline",
    versions: ["1"],
    platform: "headrace_pipeline",
    inputs: [{ name: "input", datatype: "INT64", shape: [1] }],
    outputs: [
      { name: "output", datatype: "INT64", shape: [1] },
      { name: "counter", datatype: "INT64", shape: [1] },
    ],
  });
});

t.test("what is not there is 404, in V2's error body and nothing else", async (t) => {
  const { url } = await serve(t, await gruPipeline());
  const missing = [
    "/",
    "/v3",
    "/v2/models",
    "/v2/models/",
    "/v2/models/other",
    "/v2/models/gru/versions/2",
    "/v2/models/gru/versions/2/ready",
    "/v2/models/gru/unload",
    "/v2/models/%FF",
  ];
  for (const path of missing) {
    const { status, json } = await ask(url + path);
    t.equal(status, 404, path);
    t.same(Object.keys(json), ["error"], path);
    t.type(json.error, "string");
  }
  t.same((await ask(`${url}/v2/models/other`)).json, { error: "there is no model 'other'; served: gru" });
  for (const model of ["other", "gru/versions/2"]) {
    t.equal((await ask(`${url}/v2/models/${model}/infer`, "POST", "{}")).status, 404);
  }
});

t.test("where WebSockets are opened, a plain request is told so", async (t) => {
  const { url } = await serve(t, await gruPipeline());
  for (const path of ["/v2/models/gru/stream", "/v2/models/gru/versions/1/stream", "/v2/models/gru/subscribe"]) {
    const { status, headers, json } = await ask(url + path);
    t.equal(status, 426, path);
    t.equal(headers.get("upgrade"), "websocket");
    t.same(json, { error: `${path} is for WebSockets: ask with Upgrade: websocket` });
    t.equal((await ask(url + path, "HEAD")).status, 426);
    const posted = await ask(url + path, "POST");
    t.equal(posted.status, 405);
    t.equal(posted.headers.get("allow"), "GET");
  }
});

t.test("a method that a route does not have is 405, with those it has", async (t) => {
  const { url } = await serve(t, await gruPipeline());
  const wrong = [
    ["POST", "/v2", "GET"],
    ["DELETE", "/v2/health/live", "GET"],
    ["PUT", "/v2/models/gru", "GET"],
    ["POST", "/v2/models/gru/ready", "GET"],
    ["GET", "/v2/models/gru/infer", "POST"],
    ["GET", "/v2/models/gru/versions/1/infer", "POST"],
  ] as const;
  for (const [method, path, allowed] of wrong) {
    const { status, headers, json } = await ask(url + path, method);
    t.equal(status, 405, `${method} ${path}`);
    t.equal(headers.get("allow"), allowed);
    t.same(json, { error: `${path} takes ${allowed}, not ${method}` });
  }
  const plain = [
    ["PATCH", "/predict", "POST"],
    ["GET", "/tasks", "POST"],
    ["PUT", "/tasks/1", "GET, DELETE"],
    ["POST", "/openapi.json", "GET"],
  ] as const;
  for (const [method, path, allowed] of plain) {
    const { status, headers, json } = await ask(url + path, method);
    t.equal(status, 405, `${method} ${path}`);
    t.equal(headers.get("allow"), allowed);
    const message = `${path} takes ${allowed.replace(", ", " or ")}, not ${method}`;
    t.same(json, { error: { code: "METHOD_NOT_ALLOWED", message } });
  }
});
