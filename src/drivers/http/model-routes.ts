/** Routes of one model beyond inferring: its configuration, and Triton's generate extension. */

import { serverStopping, toHeadraceError } from "../../errors.js";
import { encodeV2Error } from "../../protocol/index.js";
import { generateAnswer, generateRequest } from "../../serving/generate.js";
import type { InferDone } from "../../serving/infer-types.js";
import { modelConfig } from "../../serving/model-config.js";
import type { HttpRequest } from "../../transport/index.js";
import type { Exchange } from "./exchange.js";
import type { HttpListener } from "./listener.js";
import type { ModelEndpoint } from "./model-endpoint.js";
import { beginSpan } from "./request-spans.js";
import type { Router } from "./router.js";

const EVENTS_TYPE = "text/event-stream; charset=utf-8";

export class ModelRoutes {
  constructor(private readonly listener: HttpListener) {}

  register(router: Router): void {
    const { models } = this.listener;
    for (const [model, find] of [
      ["/v2/models/:model", (request: HttpRequest) => models.find(request.parameter(0))],
      [
        "/v2/models/:model/versions/:version",
        (request: HttpRequest) => models.find(request.parameter(0), request.parameter(1)),
      ],
    ] as const) {
      router.route(`${model}/config`, encodeV2Error, {
        GET: (exchange, request) => exchange.json(200, JSON.stringify(modelConfig(find(request).inference))),
      });
      router.route(`${model}/generate`, encodeV2Error, {
        POST: (exchange, request) => this.generate(exchange, request, find(request), false),
      });
      router.route(`${model}/generate_stream`, encodeV2Error, {
        POST: (exchange, request) => this.generate(exchange, request, find(request), true),
      });
    }
  }

  private generate(exchange: Exchange, request: HttpRequest, endpoint: ModelEndpoint, isStream: boolean): void {
    exchange.isFor(endpoint);
    if (this.listener.isTracing) beginSpan(exchange, request, endpoint);
    const failed = (error: unknown): void => exchange.error(endpoint.service.refused(error));
    if (endpoint.isDraining) {
      failed(serverStopping());
      return;
    }
    exchange.readBody(
      request,
      this.listener.parameters.maxBodyBytes,
      (body) => {
        try {
          generate(exchange, endpoint, body, isStream);
        } catch (error) {
          failed(error);
        }
      },
      failed,
    );
  }
}

/** A model here gives one response to a request, so a stream has one event. */
function generate(exchange: Exchange, endpoint: ModelEndpoint, body: Uint8Array, isStream: boolean): void {
  const request = generateRequest(body, endpoint.service.inputs);
  const done: InferDone = (error, outputs, step) => {
    try {
      if (error !== undefined) throw error;
      if (step !== undefined) exchange.span?.phases(step.times);
      const json = generateAnswer(endpoint, request.id, outputs);
      if (isStream) event(exchange, 200, json);
      else exchange.json(200, json);
    } catch (failure) {
      const problem = toHeadraceError(failure);
      // A request that is wrong never became a stream.
      if (!isStream || problem.code === "INVALID_ARGUMENT") exchange.error(problem);
      else event(exchange, problem.httpStatus, encodeV2Error(problem));
    }
  };
  const infer = () => endpoint.service.infer(request, undefined, done);
  exchange.whenGone(exchange.span === undefined ? infer() : exchange.span.run(infer));
}

function event(exchange: Exchange, status: number, json: string): void {
  exchange.answer(status, EVENTS_TYPE, `data: ${json}\n\n`, [["Cache-Control", "no-cache"]]);
}
