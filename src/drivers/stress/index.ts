/** `headrace/drivers/stress`: puts load on a pipeline, and is the example of a driver of one's own. */
import { randomUUID } from "node:crypto";
import { once, setMaxListeners } from "node:events";
import { createServer, type Server } from "node:http";
import { type ErrorCode, HeadraceError, InvalidArgumentError, toHeadraceError } from "../../errors.js";
import {
  type DriverMetric,
  type DriverResources,
  PipelineDriver,
  type ResourcesRequest,
  type RestrictedInferenceProcess,
  type ServiceOffer,
} from "../../runtime/index.js";
import { shown } from "../../shown.js";
import { fakeValues, Random } from "../../types/index.js";
import { LatencyHistogram } from "./histogram.js";

/** The parameters of a StressDriver. None can change while it runs. */
export interface StressParameters {
  /** Predictions under way at the same time. Default: 8. */
  concurrency: number;
  /** Predictions until it ends by itself; Infinity: none. Default: Infinity. */
  count: number;
  /** Seconds until it ends by itself; Infinity: none. Default: Infinity. */
  seconds: number;
  /** The same inputs for the same seed; an integer. Default: 0. */
  seed: number;
  /** Prediction i is of stream i modulo this number; 0: all without a state id. Default: 0. */
  stateIds: number;
}

/** What a StressDriver has measured; latencies in milliseconds, of predictions that went well. */
export type StressStatistics = {
  readonly predictions: number;
  readonly failed: number;
  readonly inFlight: number;
  /** Since it began, until it ended. */
  readonly seconds: number;
  readonly perSecond: number;
  /** Percentiles as `LatencyHistogram` defines them: up to 9.1 % high. `max` is exact. */
  readonly latencyMillis: { readonly p50: number; readonly p90: number; readonly p99: number; readonly max: number };
  /** Failed predictions by the code of their error. */
  readonly errors: Readonly<Partial<Record<ErrorCode, number>>>;
};

/**
 * What a StressDriver does with parameters that are left out.
 *
 * ```ts
 * STRESS_DEFAULTS.concurrency; // 8
 * STRESS_DEFAULTS.seconds; // Number.POSITIVE_INFINITY
 * ```
 */
export const STRESS_DEFAULTS: StressParameters = {
  concurrency: 8,
  count: Number.POSITIVE_INFINITY,
  seconds: Number.POSITIVE_INFINITY,
  seed: 0,
  stateIds: 0,
};

const HOST = "127.0.0.1";
const PORT = "dummy-port";
/** The longest that predictions may follow each other in promises alone, without a turn of the event loop. */
const TURN_MILLIS = 5;

/**
 * Makes fake predictions as fast as the pipeline takes them, until it is stopped, or `count` or `seconds` is reached. Offers
 * the service `statistics`: any GET on its port is answered with them as JSON.
 *
 * ```ts
 * const stress = await proc.addDriver("stress", StressDriver, { concurrency: 64, seconds: 10, stateIds: 64 });
 * await stress.ended();
 * stress.statistics(); // { predictions: 181204, latencyMillis: { p50: 0.42, … }, … }
 * ```
 */
export class StressDriver extends PipelineDriver<StressParameters> {
  private readonly parameters: StressParameters;
  /** Of its state ids, so that two of its kind do not share states. */
  private readonly prefix = `stress-${randomUUID().slice(0, 8)}`;
  private server: Server | undefined;
  private begun = 0;
  private ended: number | undefined;
  private submitted = 0;
  private inFlight = 0;
  private predictions = 0;
  private readonly latencies = new LatencyHistogram();
  private readonly errors: Partial<Record<ErrorCode, number>> = {};
  /** Aborted when no prediction more is to be made. */
  private readonly ending = new AbortController();
  /** Aborted when those under way are to be cancelled. */
  private readonly working = new AbortController();

  constructor(options: Partial<StressParameters> = {}) {
    super(options);
    this.parameters = checked({ ...STRESS_DEFAULTS, ...options });
    // Each prediction under way listens to it.
    setMaxListeners(0, this.working.signal);
  }

  override resourcesRequest(): ResourcesRequest {
    return { ports: [PORT] };
  }

  override async start(_inference: RestrictedInferenceProcess, resources: DriverResources): Promise<ServiceOffer[]> {
    const port = resources.port(PORT);
    this.server = createServer((_request, response) => {
      response.setHeader("content-type", "application/json");
      response.end(JSON.stringify(this.statistics()));
    });
    try {
      this.server.listen({ port, host: HOST, exclusive: true });
      await once(this.server, "listening");
    } catch (error) {
      throw new HeadraceError("PORT_IN_USE", `cannot listen on ${HOST}:${port}: ${(error as Error).message}`);
    }
    return [{ name: "statistics", address: HOST, port, meta: { protocol: "http" } }];
  }

  override async run(inference: RestrictedInferenceProcess): Promise<void> {
    const { concurrency, seconds, seed, stateIds } = this.parameters;
    const random = new Random(seed);
    this.begun = performance.now();
    const timer = Number.isFinite(seconds) ? setTimeout(() => this.ending.abort(), seconds * 1000) : undefined;
    // Predictions that wait do not keep the process alive, and the port is closed before they have ended.
    const alive = setInterval(() => {}, 2 ** 31 - 1);
    await Promise.all(Array.from({ length: concurrency }, () => this.work(inference, random)));
    clearInterval(alive);
    clearTimeout(timer);
    for (let stream = 0; stream < stateIds; stream++) inference.dropState(this.stateId(stream));
    this.ended = performance.now();
  }

  /** Makes no more predictions and awaits those under way; cancels them once the signal is aborted. */
  override async stop(signal: AbortSignal): Promise<void> {
    this.ending.abort();
    if (signal.aborted) this.working.abort();
    else signal.addEventListener("abort", () => this.working.abort(), { once: true });
    const { server } = this;
    if (server === undefined || !server.listening) return;
    const closed = once(server, "close");
    server.close();
    server.closeAllConnections();
    await closed;
  }

  override getParameters(): StressParameters {
    return { ...this.parameters };
  }

  override metrics(): readonly DriverMetric[] {
    const { predictions, errors, inFlight } = this;
    const failures = Object.entries(errors).map(([code, value]): DriverMetric => {
      const help = "Predictions that failed, by the code of their error.";
      return { name: "stress_failures", type: "counter", help, value, labels: { code } };
    });
    return [
      { name: "stress_predictions", type: "counter", help: "Predictions that succeeded.", value: predictions },
      { name: "stress_in_flight", type: "gauge", help: "Predictions under way.", value: inFlight },
      ...failures,
    ];
  }

  override statistics(): StressStatistics {
    const failed = Object.values(this.errors).reduce((sum, count) => sum + count, 0);
    const seconds = this.begun === 0 ? 0 : ((this.ended ?? performance.now()) - this.begun) / 1000;
    const millis = (fraction: number): number => this.latencies.percentile(fraction) / 1000;
    return {
      predictions: this.predictions,
      failed,
      inFlight: this.inFlight,
      seconds,
      perSecond: seconds === 0 ? 0 : this.predictions / seconds,
      latencyMillis: { p50: millis(0.5), p90: millis(0.9), p99: millis(0.99), max: this.latencies.max / 1000 },
      errors: { ...this.errors },
    };
  }

  /** One of `concurrency` that predict, one prediction after the other. */
  private async work(inference: RestrictedInferenceProcess, random: Random): Promise<void> {
    const { count, stateIds } = this.parameters;
    let turn = performance.now();
    while (this.submitted < count && !this.ending.signal.aborted) {
      const index = this.submitted++;
      const inputs = fakeValues(inference.inputs, random);
      await this.predict(inference, inputs, stateIds === 0 ? {} : { stateId: this.stateId(index % stateIds) });
      if (performance.now() - turn < TURN_MILLIS) continue;
      await new Promise((resolve) => setImmediate(resolve));
      turn = performance.now();
    }
  }

  private async predict(
    inference: RestrictedInferenceProcess,
    inputs: Readonly<Record<string, unknown>>,
    stream: { readonly stateId?: string },
  ): Promise<void> {
    const begin = performance.now();
    this.inFlight += 1;
    try {
      await inference.predict(inputs, { ...stream, signal: this.working.signal });
      this.latencies.record((performance.now() - begin) * 1000);
      this.predictions += 1;
    } catch (error) {
      const { code } = toHeadraceError(error);
      this.errors[code] = (this.errors[code] ?? 0) + 1;
    } finally {
      this.inFlight -= 1;
    }
  }

  private stateId(stream: number): string {
    return `${this.prefix}/${stream}`;
  }
}

function checked(parameters: StressParameters): StressParameters {
  for (const name of Object.keys(parameters)) {
    if (Object.hasOwn(STRESS_DEFAULTS, name)) continue;
    const known = Object.keys(STRESS_DEFAULTS).join(", ");
    throw new InvalidArgumentError(`there is no such parameter; there are ${known}`, { path: name });
  }
  const { concurrency, count, seconds, seed, stateIds } = parameters;
  const isCount = (value: number): boolean => Number.isSafeInteger(value) && value >= 0;
  const wrong: readonly (readonly [boolean, string, unknown, string])[] = [
    [isCount(concurrency) && concurrency >= 1, "concurrency", concurrency, "an integer of at least 1"],
    [isCount(count) || count === Number.POSITIVE_INFINITY, "count", count, "an integer of at least 0, or Infinity"],
    [
      (seconds > 0 && seconds * 1000 < 2 ** 31) || seconds === Number.POSITIVE_INFINITY,
      "seconds",
      seconds,
      "seconds above 0 and up to 24 days, or Infinity",
    ],
    [Number.isSafeInteger(seed), "seed", seed, "an integer"],
    [isCount(stateIds), "stateIds", stateIds, "an integer of at least 0"],
  ];
  for (const [fits, path, value, expectation] of wrong) {
    if (!fits) throw new InvalidArgumentError(`expected ${expectation}; got ${shown(value)}`, { path });
  }
  return parameters;
}
