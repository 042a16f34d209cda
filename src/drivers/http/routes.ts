/** The routes of V2 and health. Those of plain REST are in rest-routes.ts, those of numbers in metrics-routes.ts. */

import { jsonText } from "../../engine/json.js";
import { type HeadraceError, InvalidArgumentError, serverStopping, toHeadraceError } from "../../errors.js";
import {
  type DecodedRequest,
  decodeRawInfer,
  encodeInferResponse,
  encodeV2Error,
  HEADER_LENGTH_FIELD,
  type NamedTensor,
  parseHeaderLength,
  type RequestPlan,
} from "../../protocol/index.js";
import { decodedOf, type PlannedRequest } from "../../serving/infer-decoder.js";
import { isBinary } from "../../serving/infer-service.js";
import type { InferDone, RequestHead, TimedStep } from "../../serving/infer-types.js";
import { platformOf } from "../../serving/model-config.js";
import type { PreparedInfer } from "../../serving/prepared-infer.js";
import { SERVER } from "../../serving/server-metadata.js";
import type { HttpRequest } from "../../transport/index.js";
import type { BodyPieces, Exchange } from "./exchange.js";
import type { HttpListener } from "./listener.js";
import type { ModelEndpoint } from "./model-endpoint.js";
import { beginSpan } from "./request-spans.js";
import type { Handler, Router } from "./router.js";
import { UploadPieces } from "./upload-pieces.js";

export class Routes {
  constructor(private readonly listener: HttpListener) {}

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
      get(model, (exchange, request) => this.metadata(exchange, this.endpoint(request, versioned)));
      get(`${model}/ready`, (exchange, request) => this.modelReady(exchange, this.endpoint(request, versioned)));
      const infer: Handler = (exchange, request) => this.infer(exchange, request, this.endpoint(request, versioned));
      router.route(`${model}/infer`, encodeV2Error, { POST: infer });
    }
  }

  private ready(exchange: Exchange): void {
    const ready = this.listener.isReady;
    exchange.json(ready ? 200 : 503, JSON.stringify({ ready }));
  }

  private endpoint(request: HttpRequest, versioned: boolean): ModelEndpoint {
    return this.listener.models.find(request.parameter(0), versioned ? request.parameter(1) : undefined);
  }

  private metadata(exchange: Exchange, endpoint: ModelEndpoint): void {
    const { inference, service, name } = endpoint;
    const platform = platformOf(inference);
    const { inputs, outputs } = service;
    const versions = this.listener.models.versionsOf(name);
    exchange.json(200, JSON.stringify({ name, versions, platform, inputs, outputs }));
  }

  private modelReady(exchange: Exchange, { name, isReady }: ModelEndpoint): void {
    exchange.json(isReady ? 200 : 503, JSON.stringify({ name, ready: isReady }));
  }

  private infer(exchange: Exchange, request: HttpRequest, endpoint: ModelEndpoint): void {
    exchange.isFor(endpoint);
    if (this.listener.isTracing) beginSpan(exchange, request, endpoint);
    try {
      this.readInfer(exchange, request, endpoint);
    } catch (error) {
      exchange.error(endpoint.service.refused(error));
    }
  }

  private readInfer(exchange: Exchange, request: HttpRequest, endpoint: ModelEndpoint): void {
    if (endpoint.isDraining) throw serverStopping();
    const headerLength = parseHeaderLength(request.header(HEADER_LENGTH_FIELD.toLowerCase()));
    const failed = (error: unknown): void => exchange.error(endpoint.service.refused(error));
    const { decoder } = this.listener;
    const { maxBodyBytes } = this.listener.parameters;
    exchange.readBody(
      request,
      maxBodyBytes,
      (body) => {
        try {
          if (headerLength === undefined) this.inferPlanned(exchange, endpoint, decoder.json(body));
          else if (headerLength > 0) this.inferPlanned(exchange, endpoint, decoder.binary(body, headerLength));
          else this.inferBody(exchange, endpoint, decodeRaw(endpoint, body));
        } catch (error) {
          failed(error);
        }
      },
      failed,
      (first, most) => this.inferPieces(exchange, endpoint, first, most, headerLength),
    );
  }

  /** Where a binary body comes in pieces and its first one has all of the JSON: the rest goes straight into the engine. */
  private inferPieces(
    exchange: Exchange,
    endpoint: ModelEndpoint,
    first: Uint8Array,
    most: number,
    headerLength: number | undefined,
  ): BodyPieces | undefined {
    if (headerLength === undefined || headerLength === 0 || first.byteLength < headerLength) return undefined;
    const failed = (error: unknown): void => exchange.error(endpoint.service.refused(error));
    try {
      const plan = this.listener.decoder.header(first.subarray(0, headerLength));
      if (plan === undefined) return undefined;
      // A header that promises more than can come must not take memory for it; the whole body will tell.
      if (headerLength + plan.inputs.binaryBytes > most) return undefined;
      const upload = endpoint.service.upload(plan, (error, outputs, step) =>
        answer(exchange, endpoint, plan, error, outputs, step),
      );
      if (upload === undefined) return undefined;
      exchange.whenGone({ cancel: () => upload.abandon() });
      return new UploadPieces(exchange, upload, headerLength, failed);
    } catch (error) {
      failed(error);
      return undefined;
    }
  }

  private inferPlanned(exchange: Exchange, endpoint: ModelEndpoint, request: PlannedRequest): void {
    const { plan, bytes, offset, length } = request;
    if (this.preparedFor(endpoint, plan)?.run(exchange, bytes, offset, length)) return;
    this.inferBody(exchange, endpoint, decodedOf(request));
  }

  /** Made when a header comes for the second time: headers that never come again are not worth it. */
  private preparedFor(endpoint: ModelEndpoint, plan: RequestPlan): PreparedInfer | undefined {
    const { prepared } = endpoint;
    const known = prepared.get(plan);
    if (known !== undefined && known !== "once") return known === "never" ? undefined : known;
    prepared.set(plan, known === undefined ? "once" : (endpoint.service.prepare(plan) ?? "never"));
    return undefined;
  }

  private inferBody(exchange: Exchange, endpoint: ModelEndpoint, request: DecodedRequest): void {
    const done: InferDone = (error, outputs, step) => answer(exchange, endpoint, request, error, outputs, step);
    const infer = () => endpoint.service.infer(request, undefined, done);
    exchange.whenGone(exchange.span === undefined ? infer() : exchange.span.run(infer));
  }
}

/** A body that is all tensor. */
function decodeRaw({ service }: ModelEndpoint, body: Uint8Array): DecodedRequest {
  const [input, ...others] = service.inputs;
  if (input !== undefined && others.length === 0) return decodeRawInfer(body, input);
  throw new InvalidArgumentError("is 0, a raw body, which needs a model with a single input", {
    path: HEADER_LENGTH_FIELD,
  });
}

function answer(
  exchange: Exchange,
  { name, version }: ModelEndpoint,
  request: RequestHead,
  error: HeadraceError | undefined,
  outputs: readonly NamedTensor[],
  step: TimedStep | undefined,
): void {
  if (exchange.isOver) return;
  if (step !== undefined && exchange.span !== undefined) exchange.span.phases(step.times);
  const response = { modelName: name, modelVersion: version, id: request.id, outputs };
  try {
    if (error !== undefined) throw error;
    exchange.message(encodeInferResponse(response, (output) => isBinary(request, output), jsonText));
  } catch (failure) {
    exchange.error(toHeadraceError(failure));
  }
}
