/** The server's own description: it is valid, its examples are what the server takes, and its routes are there. */
import { Ajv2020 } from "ajv/dist/2020.js";
import t, { type Test } from "tap";
import { ERROR_CODES } from "../../../src/errors.js";
import { defineCell, onnxCell, type Pipeline, PipelineFactory } from "../../../src/pipeline/index.js";
import * as types from "../../../src/types/index.js";
import { VERSION } from "../../../src/version.js";
import { myPipeline } from "../../support/cells.js";
import { fixture } from "../../support/paths.js";
import { gruPipeline, modelPipeline, serve } from "../../support/serve.js";

type Json = Record<string, unknown>;

interface Operation {
  readonly operationId: string;
  readonly parameters?: readonly { readonly name: string; readonly in: string; readonly required?: boolean }[];
  readonly requestBody?: { readonly content: Json };
  readonly responses: Readonly<Record<string, { readonly description: string; readonly content?: Json }>>;
}

interface Description {
  readonly openapi: string;
  readonly info: Json;
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>;
  readonly components: { readonly schemas: Readonly<Record<string, Json>> };
}

/** A pipeline whose outputs are its inputs. */
function echo(ports: types.Types): Pipeline {
  const cell = defineCell({ name: "Echo", inputs: ports, outputs: ports, call: ({ inputs }) => inputs });
  const factory = new PipelineFactory({ name: "echo" });
  const handle = factory.addCell("echo", cell);
  for (const name of Object.keys(ports)) {
    factory.declareInput(name, handle.input(name)).declareOutput(name, handle.output(name));
  }
  return factory.build() as unknown as Pipeline;
}

const ALL_TYPES = {
  boolean: types.Boolean({ title: "Really?", description: "Whether it is so." }),
  integer: types.Integer({ default: 7 }),
  float: types.Float(),
  string: types.String({ default: "text" }),
  audio: types.Audio({ sampleRate: 16_000, samples: 4 }),
  bytes: types.Tensor("BYTES", [2]),
  half: types.Tensor("FP16", [-1, 2]),
  wide: types.Tensor("INT64", [-1, 3], { description: "Beyond 2^53." }),
  matrix: types.Tensor("FP32", [2, 2], {
    default: [
      [1, 2],
      [3, 4],
    ],
  }),
};

async function describe(t: Test, pipeline: Pipeline) {
  const served = await serve(t, pipeline);
  const text = await (await fetch(`${served.url}/openapi.json`)).text();
  return { ...served, text, document: JSON.parse(text) as Description };
}

function operations(document: Description): { path: string; method: string; operation: Operation }[] {
  return Object.entries(document.paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => ({ path, method, operation })),
  );
}

/** Every object in a JSON value. */
function* objectsIn(value: unknown): Generator<Json> {
  if (typeof value !== "object" || value === null) return;
  if (!Array.isArray(value)) yield value as Json;
  for (const inner of Object.values(value)) yield* objectsIn(inner);
}

/** What `pointer` of the document says; throws where there is nothing. */
function resolve(document: unknown, pointer: string): unknown {
  let found = document;
  for (const key of pointer.replace(/^#\//, "").split("/")) found = (found as Json | undefined)?.[key];
  if (found === undefined) throw new Error(`nothing at ${pointer}`);
  return found;
}

/** Compiles every schema of the document and checks each example against its own. */
function checkDocument(t: Test, document: Description): void {
  const ajv = new Ajv2020({ strict: false, allErrors: true, validateFormats: false });
  ajv.addSchema(document, "doc");
  const absolute = (schema: unknown) =>
    JSON.parse(JSON.stringify(schema).replaceAll('"#/components', '"doc#/components')) as Json;
  for (const name of Object.keys(document.components.schemas)) {
    t.doesNotThrow(() => ajv.compile({ $ref: `doc#/components/schemas/${name}` }), name);
  }
  let examples = 0;
  for (const object of objectsIn(document.paths)) {
    if ("schema" in object) t.ok(ajv.validateSchema(object.schema as Json), "a schema");
    if (!("example" in object)) continue;
    examples += 1;
    const validate = ajv.compile(absolute(object.schema));
    t.ok(validate(object.example), JSON.stringify(validate.errors));
  }
  t.ok(examples >= 7, `${examples} examples`);
}

for (const [name, pipeline] of [
  ["a pipeline of a cell", async () => myPipeline()],
  ["a pipeline with every type", async () => echo(ALL_TYPES)],
  ["a model", () => gruPipeline()],
] as const) {
  t.test(`${name}: references resolve, schemas and examples are valid`, async (t) => {
    const { document } = await describe(t, (await pipeline()) as Pipeline);
    t.equal(document.openapi, "3.1.0");
    t.type(document.info.title, "string");
    t.equal(document.info.version, VERSION);
    for (const object of objectsIn(document)) {
      if (typeof object.$ref === "string") t.doesNotThrow(() => resolve(document, object.$ref as string));
    }
    checkDocument(t, document);
    for (const { path, operation } of operations(document)) {
      const named = [...path.matchAll(/\{(\w+)\}/g)].map(([, parameter]) => parameter);
      const declared = (operation.parameters ?? []).filter((parameter) => parameter.in === "path");
      t.same(
        declared.map((parameter) => parameter.name),
        named,
        `${path}: every parameter of the path is declared`,
      );
      t.ok(declared.every(({ required }) => required === true));
      for (const { description } of Object.values(operation.responses)) t.type(description, "string");
    }
  });
}

t.test("operation ids are stable and unique", async (t) => {
  const { document } = await describe(t, myPipeline());
  t.same(
    operations(document).map(({ method, path, operation }) => `${method} ${path} ${operation.operationId}`),
    [
      "post /predict predict",
      "post /tasks submitTask",
      "get /tasks/{taskId} getTask",
      "delete /tasks/{taskId} deleteTask",
      "get /health/live live",
      "get /health/ready ready",
      "get /v2/health/live v2Live",
      "get /v2/health/ready v2Ready",
      "get /metrics metrics",
      "get /v2 v2ServerMetadata",
      "get /v2/models/stats v2Statistics",
      "get /v2/models/{model} v2ModelMetadata",
      "get /v2/models/{model}/ready v2ModelReady",
      "get /v2/models/{model}/stats v2ModelStatistics",
      "post /v2/models/{model}/infer v2ModelInfer",
      "get /v2/models/{model}/config v2ModelConfig",
      "post /v2/models/{model}/generate v2ModelGenerate",
      "post /v2/models/{model}/generate_stream v2ModelGenerateStream",
      "get /v2/models/{model}/versions/{version} v2ModelVersionMetadata",
      "get /v2/models/{model}/versions/{version}/ready v2ModelVersionReady",
      "get /v2/models/{model}/versions/{version}/stats v2ModelVersionStatistics",
      "post /v2/models/{model}/versions/{version}/infer v2ModelVersionInfer",
      "get /v2/models/{model}/versions/{version}/config v2ModelVersionConfig",
      "post /v2/models/{model}/versions/{version}/generate v2ModelVersionGenerate",
      "post /v2/models/{model}/versions/{version}/generate_stream v2ModelVersionGenerateStream",
      "post /v2/repository/index v2RepositoryIndex",
    ],
  );
});

t.test("the types' titles, descriptions and defaults are in it, and what may be left out", async (t) => {
  const { document } = await describe(t, echo(ALL_TYPES));
  const inputs = document.components.schemas.Inputs as { properties: Json; required: string[] };
  t.match(inputs.properties, {
    boolean: { type: "boolean", title: "Really?", description: "Whether it is so." },
    integer: { type: "integer", default: 7 },
    string: { type: "string", default: "text" },
    wide: { description: "Beyond 2^53." },
    matrix: {
      default: [
        [1, 2],
        [3, 4],
      ],
    },
  });
  t.same(inputs.required, ["boolean", "float", "audio", "bytes", "half", "wide"]);
});

t.test("the table of errors is in it", async (t) => {
  const { document } = await describe(t, myPipeline());
  const details = document.components.schemas.ErrorDetails as { properties: { code: { enum: string[] } } };
  t.same(details.properties.code.enum, Object.keys(ERROR_CODES));
  const predict = operations(document).find(({ operation }) => operation.operationId === "predict");
  t.same(Object.keys(predict?.operation.responses ?? {}).sort(), ["200", "400", "413", "429", "500", "503", "504"]);
});

t.test("the same pipeline has the same description", async (t) => {
  const [one, other] = [await describe(t, echo(ALL_TYPES)), await describe(t, echo(ALL_TYPES))];
  t.equal(one.text, other.text);
});

t.test("each operation is there, takes its example, and answers by its schema", async (t) => {
  const { url, document } = await describe(t, echo(ALL_TYPES));
  const ajv = new Ajv2020({ strict: false, validateFormats: false });
  ajv.addSchema(document, "doc");
  const json = "application/json";
  let taskId = "";
  for (const { path, method, operation } of operations(document)) {
    const target = path.replace("{model}", "echo").replace("{version}", "1").replace("{taskId}", taskId);
    const query = operation.operationId === "getTask" ? "?waitMs=60000" : "";
    const content = operation.requestBody?.content[json] as Json | undefined;
    const body = content === undefined ? {} : { body: JSON.stringify(content.example) };
    const response = await fetch(url + target + query, { method: method.toUpperCase(), ...body });
    const text = await response.text();
    const declared = operation.responses[String(response.status)];
    t.ok(response.ok && declared !== undefined, `${method} ${path}: ${response.status} ${text.slice(0, 200)}`);
    const schema = (declared?.content?.[json] as { schema: { $ref: string } } | undefined)?.schema;
    if (schema === undefined) continue;
    const answer = JSON.parse(text) as Json;
    // The operations on a task come after the one that makes it.
    if (operation.operationId === "submitTask") taskId = `${answer.taskId}`;
    const validate = ajv.compile({ $ref: `doc${schema.$ref}` });
    t.ok(validate(answer), `${method} ${path}: ${JSON.stringify(validate.errors)}`);
  }
  const failed = await fetch(`${url}/predict`, { method: "POST", body: "{}", headers: { "x-request-id": "me" } });
  const validate = ajv.compile({ $ref: "doc#/components/schemas/Error" });
  t.ok(validate(await failed.json()), JSON.stringify(validate.errors));
});

t.test("an example that nobody could read is left out", async (t) => {
  const { document, text } = await describe(t, echo({ image: types.Tensor("FP32", [-1, 3, 224, 224]) }));
  t.notMatch(text, /"example":/);
  t.ok(text.length < 100_000);
  t.ok(document.paths["/predict"]?.post);
});

t.test("a model with open dimensions and strings has one too", async (t) => {
  const { document } = await describe(t, await modelPipeline(onnxCell({ name: "strings", model: fixture("strings") })));
  checkDocument(t, document);
});

t.test("it is revalidated by its ETag", async (t) => {
  const { url } = await serve(t, myPipeline());
  const plain = { "accept-encoding": "identity" };
  const first = await fetch(`${url}/openapi.json`, { headers: plain });
  t.equal(first.headers.get("content-type"), "application/json");
  const etag = first.headers.get("etag") ?? "";
  t.match(etag, /^"[\w-]{22}"$/);
  for (const known of [etag, `W/${etag}`, `"other", ${etag}`, "*"]) {
    const again = await fetch(`${url}/openapi.json`, { headers: { ...plain, "if-none-match": known } });
    t.equal(again.status, 304, known);
    t.equal(await again.text(), "");
    t.equal(again.headers.get("etag"), etag);
  }
  t.equal((await fetch(`${url}/openapi.json`, { headers: { "if-none-match": '"other"' } })).status, 200);
});
