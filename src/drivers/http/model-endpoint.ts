/** A model at a listener: what one HttpDriver serves, and what is under way there. */
import type { Logger } from "../../log.js";
import type { RequestPlan } from "../../protocol/index.js";
import type { RestrictedInferenceProcess } from "../../runtime/index.js";
import type { Access } from "../../serving/access.js";
import { InferService } from "../../serving/infer-service.js";
import type { PreparedInfer } from "../../serving/prepared-infer.js";
import type { ServedModel } from "../../serving/served-models.js";
import type { NativeModel } from "../../transport/index.js";
import { StatusCounter } from "./endpoint-metrics.js";
import type { HttpParameters } from "./parameters.js";
import { type Publish, Subscriptions } from "./subscriptions.js";
import type { TaskStore } from "./task-store.js";
import { Tasks } from "./tasks.js";

/** A WebSocket of a model. */
export interface EndpointSocket {
  /** Whether it has been sent everything that it is to have, and has read it. */
  readonly isIdle: boolean;
  /** A state has been evicted. */
  evicted(stateId: string): void;
  /** Closes it where its client is not known any more. */
  recheck(access: Access): void;
  /** The server stops. */
  goAway(): void;
}

/** What threads of the listener do for a model by themselves. */
export interface NativeEndpoint {
  readonly model: NativeModel;
  /** Whether they serve raw streams. */
  readonly takesRaw: boolean;
  /** Whether they can answer infer requests. */
  readonly takesInfer: boolean;
}

export interface ModelEndpointInit {
  readonly inference: RestrictedInferenceProcess;
  readonly store: TaskStore;
  /** As they are now. */
  readonly parameters: () => HttpParameters;
  readonly log: Logger | undefined;
  readonly publish: Publish;
}

export class ModelEndpoint implements ServedModel {
  readonly name: string;
  readonly version: string;
  readonly inference: RestrictedInferenceProcess;
  readonly service: InferService;
  readonly tasks: Tasks;
  /** What follows for this model from headers of binary requests that have come before. */
  readonly prepared = new WeakMap<RequestPlan, PreparedInfer | "once" | "never">();
  readonly streams = new Set<EndpointSocket>();
  readonly subscriptions: Subscriptions;
  readonly counters = {
    requests: 0,
    streamsOpened: 0,
    streamsRefused: 0,
    subscriptionsOpened: 0,
    resultsDropped: 0,
  };
  /** Where its requests are logged; undefined: they are not. May change at any time. */
  accessLog: Logger | undefined;
  /** Where threads of the listener step it by themselves. */
  native: NativeEndpoint | undefined;
  private draining = false;
  private readonly stopWatching: () => void;
  readonly statuses = new StatusCounter();
  private requestsUnderWay = 0;

  constructor(private readonly init: ModelEndpointInit) {
    const { inference, store, parameters, log } = init;
    this.inference = inference;
    this.name = inference.name;
    this.version = inference.version;
    this.service = new InferService(inference);
    this.tasks = new Tasks({ inference, store, parameters, log });
    this.subscriptions = new Subscriptions(inference, init.publish);
    this.stopWatching = inference.onEvict((stateId) => {
      for (const stream of this.streams) stream.evicted(stateId);
    });
  }

  /** Requests that came and have not been answered. */
  get underWay(): number {
    return this.requestsUnderWay;
  }

  /** Whether it takes requests and gets on with them. */
  get isReady(): boolean {
    return !this.isDraining && this.inference.isProgressing();
  }

  get parameters(): HttpParameters {
    return this.init.parameters();
  }

  /** Whether the driver stops: what is new is refused. */
  get isDraining(): boolean {
    return this.draining;
  }

  /** The driver stops. */
  drain(): void {
    this.draining = true;
    // They are refused here, in their place among the answers.
    this.native?.model.divert();
  }

  /** Whether answers are still to come, or to be read. */
  get isBusy(): boolean {
    if ((this.native?.model.stepsUnderWay ?? 0) > 0) return true;
    if (this.requestsUnderWay > 0 || this.tasks.pendingCount > 0) return true;
    for (const stream of this.streams) if (!stream.isIdle) return true;
    return false;
  }

  begun(): void {
    this.counters.requests += 1;
    this.requestsUnderWay += 1;
  }

  answered(status: number): void {
    this.statuses.add(status);
  }

  ended(): void {
    this.requestsUnderWay -= 1;
  }

  streamRefused(code: string, message: string): void {
    this.counters.streamsRefused += 1;
    this.init.log?.warn({ code }, `stream closed: ${message}`);
  }

  /** Ends what has had its answers, and cancels what has not. */
  close(): void {
    this.tasks.close();
    this.stopWatching();
    for (const stream of [...this.streams]) stream.goAway();
  }
}
