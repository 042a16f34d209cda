/** The routes of V2, health and statistics. Those of plain REST are in rest-routes.ts. */
import type { HttpRequest } from "uWebSockets.js";
import { HeadraceError, InvalidArgumentError, toHeadraceError } from "../../errors.js";
import {
  type DecodedRequest,
  decodeJsonInfer,
  decodePlannedInfer,
  decodeRawInfer,
  encodeInferResponse,
  encodeV2Error,
  HEADER_LENGTH_FIELD,
  HeaderCache,
  headerBytes,
  type NamedTensor,
  parseHeaderLength,
  planBinaryInfer,
  type RequestPlan,
  type ServerMetadata,
} from "../../protocol/index.js";
import type { RestrictedInferenceProcess } from "../../runtime/index.js";
import { VERSION } from "../../version.js";
import type { BodyPieces, Exchange } from "./exchange.js";
import { type InferService, isBinary, MODEL_VERSION } from "./infer-service.js";
import type { InferDone, RequestHead } from "./infer-types.js";
import type { HttpParameters } from "./parameters.js";
import type { PreparedInfer } from "./prepared-infer.js";
import type { Handler, Router } from "./router.js";
import { UploadPieces } from "./upload-pieces.js";

/** What the routes need of the driver. */
export interface RouteHost {
  readonly inference: RestrictedInferenceProcess;
  readonly service: InferService;
  readonly parameters: () => HttpParameters;
  readonly isDraining: () => boolean;
  /** What GET /stats says besides the models' counters. */
  readonly counters: () => Readonly<Record<string, Readonly<Record<string, number>>>>;
}

/** Plans of many clients' headers: each client's differs by its sequence id. */
const HEADER_PLANS = 4096;

const SERVER: ServerMetadata = {
  name: "headrace",
  version: VERSION,
  extensions: ["binary_tensor_data", "sequence", "stream"],
};

export class Routes {
  private readonly plans = new HeaderCache<RequestPlan>(HEADER_PLANS);
  private readonly prepared = new WeakMap<RequestPlan, PreparedInfer | "once" | "never">();

  /** The served model's name as it was in the last path: percent-encoding is looked at once. */
  private checkedName: string | undefined;

  constructor(private readonly host: RouteHost) {}

  register(router: Router): void {
    const get = (pattern: string, handler: Handler): void => router.route(pattern, encodeV2Error, { GET: handler });
    get("/v2", (exchange) => exchange.json(200, JSON.stringify(SERVER)));
    for (const prefix of ["/v2/health", "/health"]) {
      get(`${prefix}/live`, (exchange) => exchange.json(200, '{"live":true}'));
      get(`${prefix}/ready`, (exchange) => this.ready(exchange));
    }
    for (const [model, versioned] of [
      ["/v2/models/:model", false],
      ["/v2/models/:model/versions/:version", true],
    ] as const) {
      get(model, (exchange, request) => this.metadata(exchange, request, versioned));
      get(`${model}/ready`, (exchange, request) => this.modelReady(exchange, request, versioned));
      const infer: Handler = (exchange, request) => this.infer(exchange, request, versioned);
      router.route(`${model}/infer`, encodeV2Error, { POST: infer });
    }
    get("/stats", (exchange) => this.stats(exchange));
  }

  private ready(exchange: Exchange): void {
    const ready = !this.host.isDraining();
    exchange.json(ready ? 200 : 503, JSON.stringify({ ready }));
  }

  private stats(exchange: Exchange): void {
    const stats = { models: this.host.inference.stats(), ...this.host.counters() };
    // Counters are 64-bit; JSON integers have no limit, so none is rounded. No name of a cell begins with the marked NUL.
    const text = JSON.stringify(stats, (_, value) => (typeof value === "bigint" ? `\u0000${value}` : value));
    exchange.json(200, text.replace(/"\\u0000(\d+)"/g, "$1"));
  }

  private checkModel(request: HttpRequest, versioned: boolean): void {
    const name = request.getParameter(0);
    if (name !== this.checkedName) checkModelName(name, this.host.inference.name);
    this.checkedName = name;
    if (!versioned) return;
    const version = request.getParameter(1);
    if (version === "" || version === MODEL_VERSION) return;
    throw new HeadraceError(
      "MODEL_NOT_FOUND",
      `model '${this.host.inference.name}' has no version '${version}', only ${MODEL_VERSION}`,
    );
  }

  private metadata(exchange: Exchange, request: HttpRequest, versioned: boolean): void {
    this.checkModel(request, versioned);
    const { inference, service } = this.host;
    const platform = inference.direct === undefined ? "headrace_pipeline" : "onnxruntime_onnx";
    const { inputs, outputs } = service;
    exchange.json(200, JSON.stringify({ name: inference.name, versions: [MODEL_VERSION], platform, inputs, outputs }));
  }

  private modelReady(exchange: Exchange, request: HttpRequest, versioned: boolean): void {
    this.checkModel(request, versioned);
    const ready = !this.host.isDraining();
    exchange.json(ready ? 200 : 503, JSON.stringify({ name: this.host.inference.name, ready }));
  }

  private infer(exchange: Exchange, request: HttpRequest, versioned: boolean): void {
    this.refuseDraining();
    this.checkModel(request, versioned);
    const encoding = request.getHeader("content-encoding");
    if (encoding !== "" && encoding !== "identity") {
      throw new HeadraceError(
        "UNIMPLEMENTED",
        `Content-Encoding '${encoding}' is not supported; send the body as it is`,
      );
    }
    const headerLength = parseHeaderLength(request.getHeader(HEADER_LENGTH_FIELD.toLowerCase()));
    const failed = (error: HeadraceError): void => exchange.error(error, encodeV2Error);
    const { maxBodyBytes } = this.host.parameters();
    exchange.readBody(
      request,
      maxBodyBytes,
      (body) => {
        try {
          if (headerLength) this.inferBinary(exchange, body, headerLength);
          else this.inferBody(exchange, this.decode(body, headerLength));
        } catch (error) {
          failed(toHeadraceError(error));
        }
      },
      failed,
      (first, most) => this.inferPieces(exchange, first, most, headerLength),
    );
  }

  /** Where a binary body comes in pieces and its first one has all of the JSON: the rest goes straight into the engine. */
  private inferPieces(
    exchange: Exchange,
    first: Uint8Array,
    most: number,
    headerLength: number | undefined,
  ): BodyPieces | undefined {
    if (headerLength === undefined || headerLength === 0 || first.byteLength < headerLength) return undefined;
    const failed = (error: unknown): void => exchange.error(toHeadraceError(error), encodeV2Error);
    try {
      const plan = planBinaryInfer(first.subarray(0, headerLength), this.plans);
      // A header that promises more than can come must not take memory for it; the whole body will tell.
      if (headerLength + plan.inputs.binaryBytes > most) return undefined;
      const upload = this.host.service.upload(plan, (error, outputs) => this.answer(exchange, plan, error, outputs));
      if (upload === undefined) return undefined;
      exchange.whenGone({ cancel: () => upload.abandon() });
      return new UploadPieces(exchange, upload, headerLength, failed);
    } catch (error) {
      failed(error);
      return undefined;
    }
  }

  private inferBinary(exchange: Exchange, body: Uint8Array, headerLength: number): void {
    const plan = planBinaryInfer(headerBytes(body, headerLength), this.plans);
    if (this.preparedFor(plan)?.run(exchange, body, headerLength)) return;
    this.inferBody(exchange, decodePlannedInfer(plan, body, headerLength));
  }

  /** Made when a header comes for the second time: headers that never come again are not worth it. */
  private preparedFor(plan: RequestPlan): PreparedInfer | undefined {
    const known = this.prepared.get(plan);
    if (known !== undefined && known !== "once") return known === "never" ? undefined : known;
    this.prepared.set(plan, known === undefined ? "once" : (this.host.service.prepare(plan) ?? "never"));
    return undefined;
  }

  /** A body that is all JSON, or, with a header of 0 bytes, all tensor. */
  private decode(body: Uint8Array, headerLength: number | undefined): DecodedRequest {
    if (headerLength === undefined) return decodeJsonInfer(body);
    const [input, ...others] = this.host.service.inputs;
    if (input !== undefined && others.length === 0) return decodeRawInfer(body, input);
    throw new InvalidArgumentError("is 0, a raw body, which needs a model with a single input", {
      path: HEADER_LENGTH_FIELD,
    });
  }

  private inferBody(exchange: Exchange, request: DecodedRequest): void {
    const { service } = this.host;
    const answer: InferDone = (error, outputs) => this.answer(exchange, request, error, outputs);
    exchange.whenGone(service.infer(request, undefined, answer));
  }

  private answer(
    exchange: Exchange,
    request: RequestHead,
    error: HeadraceError | undefined,
    outputs: readonly NamedTensor[],
  ): void {
    if (exchange.isOver) return;
    const response = { modelName: this.host.inference.name, modelVersion: MODEL_VERSION, id: request.id, outputs };
    try {
      if (error !== undefined) throw error;
      exchange.message(encodeInferResponse(response, (name) => isBinary(request, name)));
    } catch (failure) {
      exchange.error(toHeadraceError(failure), encodeV2Error);
    }
  }

  private refuseDraining(): void {
    if (this.host.isDraining()) throw new HeadraceError("UNAVAILABLE", "the server is stopping");
  }
}

/** Throws MODEL_NOT_FOUND unless the name in a path is the served model's. */
export function checkModelName(encoded: string | undefined, served: string): void {
  let name = encoded ?? "";
  try {
    name = decodeURIComponent(name);
  } catch {
    // Not percent-encoding: then it is nobody's name as it stands.
  }
  if (name !== served) throw new HeadraceError("MODEL_NOT_FOUND", `there is no model '${name}'; served: ${served}`);
}
