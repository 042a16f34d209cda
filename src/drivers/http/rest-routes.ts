/** The plain REST routes, for people and for clients that know JSON only: predictions, waited for or as tasks. */

import { HeadraceError, InvalidArgumentError, serverStopping, toHeadraceError } from "../../errors.js";
import { encodeRestError, parseJson, utf8Text } from "../../protocol/index.js";
import type { HttpRequest } from "../../transport/index.js";
import { valuesToJson } from "../../types/index.js";
import type { Exchange } from "./exchange.js";
import type { HttpListener } from "./listener.js";
import type { ModelEndpoint } from "./model-endpoint.js";
import { predictRequest } from "./predict-request.js";
import { beginSpan } from "./request-spans.js";
import type { Router } from "./router.js";

/** How long one request may wait for a task: less than what proxies allow. */
export const MAX_WAIT_MS = 60_000;

type PredictRequest = ReturnType<typeof predictRequest>;
/** The model that a request is for. */
type Finder = (request: HttpRequest) => ModelEndpoint;
type Use = (exchange: Exchange, endpoint: ModelEndpoint, request: PredictRequest) => Promise<void>;

export class RestRoutes {
  constructor(private readonly listener: HttpListener) {}

  register(router: Router): void {
    const { models } = this.listener;
    const only: Finder = () => models.only();
    const named: Finder = (request) => models.find(request.parameter(0));
    const versioned: Finder = (request) => models.find(request.parameter(0), request.parameter(1));
    for (const [prefix, find] of [
      ["", only],
      ["/models/:model", named],
      ["/models/:model/versions/:version", versioned],
    ] as const) {
      router.route(`${prefix}/predict`, encodeRestError, {
        POST: (exchange, request) => this.body(exchange, request, find(request), predict),
      });
      router.route(`${prefix}/tasks`, encodeRestError, {
        POST: (exchange, request) => this.body(exchange, request, find(request), submit),
      });
    }
    router.route("/tasks/:id", encodeRestError, {
      GET: (exchange, request) => this.task(exchange, request),
      DELETE: (exchange, request) => this.deleteTask(exchange, request),
    });
  }

  /** Reads the body of a prediction and hands it on; whatever goes wrong becomes the answer. */
  private body(exchange: Exchange, request: HttpRequest, endpoint: ModelEndpoint, use: Use): void {
    exchange.isFor(endpoint);
    if (this.listener.isTracing) beginSpan(exchange, request, endpoint);
    const refused = (error: unknown): void => exchange.error(endpoint.service.refused(error));
    if (endpoint.isDraining) {
      refused(serverStopping());
      return;
    }
    const { maxBodyBytes } = this.listener.parameters;
    const done = (body: Uint8Array): void => {
      try {
        const parsed = predictRequest(parseJson(utf8Text(body, "body"), "body"));
        const { span } = exchange;
        const work = () => use(exchange, endpoint, parsed);
        answered(exchange, span === undefined ? work() : span.run(work));
      } catch (error) {
        refused(error);
      }
    };
    exchange.readBody(request, maxBodyBytes, done, refused);
  }

  private task(exchange: Exchange, request: HttpRequest): void {
    const taskId = request.parameter(0);
    const waitMs = waitOf(request.query("waitMs"));
    const answer = async (): Promise<void> => {
      const signal = goneSignal(exchange);
      for (const endpoint of this.listener.models.all()) {
        const isPending = endpoint.tasks.isPending(taskId);
        if (isPending) exchange.isFor(endpoint);
        const body = await endpoint.tasks.find(taskId, waitMs, signal);
        if (body === undefined) continue;
        if (!isPending) exchange.isFor(endpoint);
        return exchange.json(200, body, [["Cache-Control", "no-store"]]);
      }
      throw unknownTask(taskId);
    };
    answered(exchange, answer());
  }

  private deleteTask(exchange: Exchange, request: HttpRequest): void {
    const taskId = request.parameter(0);
    const answer = async (): Promise<void> => {
      for (const endpoint of this.listener.models.all()) {
        if (!(await endpoint.tasks.delete(taskId))) continue;
        exchange.isFor(endpoint);
        return exchange.empty(204);
      }
      throw unknownTask(taskId);
    };
    answered(exchange, answer());
  }
}

async function predict(exchange: Exchange, { inference }: ModelEndpoint, request: PredictRequest): Promise<void> {
  const prediction = inference.begin(request.inputs, request.options);
  exchange.whenGone(prediction);
  const outputs = valuesToJson(inference.outputs, await prediction.outputs);
  exchange.json(200, JSON.stringify({ outputs }));
}

async function submit(exchange: Exchange, endpoint: ModelEndpoint, request: PredictRequest): Promise<void> {
  let taskId: string;
  try {
    taskId = await endpoint.tasks.submit(request.inputs, request.options);
  } catch (error) {
    // The prediction was not begun.
    throw endpoint.service.refused(error);
  }
  exchange.json(202, JSON.stringify({ taskId }), [["Location", `/tasks/${taskId}`]]);
}

function answered(exchange: Exchange, work: Promise<void>): void {
  work.catch((error: unknown) => failed(exchange, error));
}

function failed(exchange: Exchange, error: unknown): void {
  exchange.error(toHeadraceError(error));
}

/** Aborted when the client goes before its answer. */
function goneSignal(exchange: Exchange): AbortSignal {
  const abort = new AbortController();
  exchange.whenGone({ cancel: () => abort.abort() });
  return abort.signal;
}

function waitOf(text: string | undefined): number {
  if (text === undefined) return 0;
  const waitMs = /^\d{1,6}$/.test(text) ? Number(text) : Number.NaN;
  if (waitMs <= MAX_WAIT_MS) return waitMs;
  throw new InvalidArgumentError(`expected milliseconds from 0 to ${MAX_WAIT_MS}, got '${text}'`, { path: "waitMs" });
}

function unknownTask(taskId: string): HeadraceError {
  return new HeadraceError(
    "NOT_FOUND",
    `there is no task '${taskId}'; it was deleted, its time after finishing is over (taskTtlSeconds), or it never was`,
  );
}
