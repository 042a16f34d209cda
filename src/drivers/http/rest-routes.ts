/** The plain REST routes, for people and for clients that know JSON only: predictions, waited for or as tasks. */
import type { HttpRequest } from "uWebSockets.js";
import { HeadraceError, InvalidArgumentError, toHeadraceError } from "../../errors.js";
import { encodeRestError, parseJson, utf8Text } from "../../protocol/index.js";
import type { RestrictedInferenceProcess } from "../../runtime/index.js";
import { valuesToJson } from "../../types/index.js";
import type { Exchange } from "./exchange.js";
import type { HttpParameters } from "./parameters.js";
import { predictRequest } from "./predict-request.js";
import type { Router } from "./router.js";
import type { Tasks } from "./tasks.js";

/** How long one request may wait for a task: less than what proxies allow. */
export const MAX_WAIT_MS = 60_000;

/** What the routes need of the driver. */
export interface RestHost {
  readonly inference: RestrictedInferenceProcess;
  readonly tasks: Tasks;
  readonly parameters: () => HttpParameters;
  readonly isDraining: () => boolean;
}

type PredictRequest = ReturnType<typeof predictRequest>;

export class RestRoutes {
  constructor(private readonly host: RestHost) {}

  register(router: Router): void {
    router.route("/predict", encodeRestError, {
      POST: (exchange, request) => this.body(exchange, request, (parsed) => this.predict(exchange, parsed)),
    });
    router.route("/tasks", encodeRestError, {
      POST: (exchange, request) => this.body(exchange, request, (parsed) => this.submit(exchange, parsed)),
    });
    router.route("/tasks/:id", encodeRestError, {
      GET: (exchange, request) => this.task(exchange, request),
      DELETE: (exchange, request) => this.deleteTask(exchange, request),
    });
  }

  /** Reads the body of a prediction and hands it on; whatever goes wrong becomes the answer. */
  private body(exchange: Exchange, request: HttpRequest, use: (parsed: PredictRequest) => Promise<void>): void {
    if (this.host.isDraining()) throw new HeadraceError("UNAVAILABLE", "the server is stopping");
    const { maxBodyBytes } = this.host.parameters();
    const done = (body: Uint8Array): void => {
      try {
        answered(exchange, use(predictRequest(parseJson(utf8Text(body, "body"), "body"))));
      } catch (error) {
        failed(exchange, error);
      }
    };
    exchange.readBody(request, maxBodyBytes, done, (error) => failed(exchange, error));
  }

  private async predict(exchange: Exchange, { inputs, options }: PredictRequest): Promise<void> {
    const { inference } = this.host;
    const prediction = inference.begin(inputs, options);
    exchange.whenGone(prediction);
    const outputs = valuesToJson(inference.outputs, await prediction.outputs);
    exchange.json(200, JSON.stringify({ outputs }));
  }

  private async submit(exchange: Exchange, { inputs, options }: PredictRequest): Promise<void> {
    const taskId = await this.host.tasks.submit(inputs, options);
    exchange.json(202, JSON.stringify({ taskId }), [["Location", `/tasks/${taskId}`]]);
  }

  private task(exchange: Exchange, request: HttpRequest): void {
    const taskId = request.getParameter(0) ?? "";
    const waitMs = waitOf(request.getQuery("waitMs"));
    const answer = async (): Promise<void> => {
      const body = await this.host.tasks.find(taskId, waitMs, goneSignal(exchange));
      if (body === undefined) throw unknownTask(taskId);
      exchange.json(200, body, [["Cache-Control", "no-store"]]);
    };
    answered(exchange, answer());
  }

  private deleteTask(exchange: Exchange, request: HttpRequest): void {
    const taskId = request.getParameter(0) ?? "";
    const answer = async (): Promise<void> => {
      if (!(await this.host.tasks.delete(taskId))) throw unknownTask(taskId);
      exchange.empty(204);
    };
    answered(exchange, answer());
  }
}

function answered(exchange: Exchange, work: Promise<void>): void {
  work.catch((error: unknown) => failed(exchange, error));
}

function failed(exchange: Exchange, error: unknown): void {
  exchange.error(toHeadraceError(error), encodeRestError);
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
