/**
 * Results of streams for WebSockets that only watch: each is encoded once for each form that somebody wants, and handed to the
 * publish and subscribe of the transport, which writes it to all of them.
 */
import { jsonText } from "../../engine/json.js";
import { toHeadraceError } from "../../errors.js";
import {
  encodeInferResponse,
  encodeStreamError,
  encodeStreamFrame,
  type ParameterValue,
  traceParameters,
  utf8Text,
} from "../../protocol/index.js";
import type { RestrictedInferenceProcess, StepListener, StepResult, StreamEnd } from "../../runtime/index.js";

/** How results are written: as text frames with JSON, or as binary frames with V2's binary form. */
export type ResultForm = "json" | "binary";

/** Writes a message to all sockets that are subscribed to a topic. */
export type Publish = (topic: string, message: string | Uint8Array, isBinary: boolean) => void;

/** Somebody who watches. */
export interface Watcher {
  readonly form: ResultForm;
  /** Whether the next message of a topic may be written to it; if not, it has counted it as dropped. */
  takes(topic: Topic): boolean;
}

/** All that is watched of one model. */
export class Subscriptions {
  private readonly topics = new Map<string, Topic>();

  constructor(
    private readonly inference: RestrictedInferenceProcess,
    private readonly publish: Publish,
  ) {}

  /** Someone watches a state id from now on. */
  join(stateId: string, watcher: Watcher): Topic {
    const topic = this.topics.get(stateId) ?? new Topic(stateId, this.inference, this.publish);
    this.topics.set(stateId, topic);
    topic.add(watcher);
    return topic;
  }

  leave(topic: Topic, watcher: Watcher): void {
    if (topic.remove(watcher)) this.topics.delete(topic.stateId);
  }
}

let lastTopic = 0;

/** The results of one state id, for as long as anybody watches. */
export class Topic implements StepListener {
  private readonly serial = ++lastTopic;
  private readonly watchers: Readonly<Record<ResultForm, Set<Watcher>>> = { json: new Set(), binary: new Set() };
  private readonly stop: () => void;
  private steps = 0;

  constructor(
    readonly stateId: string,
    private readonly inference: RestrictedInferenceProcess,
    private readonly publish: Publish,
  ) {
    this.stop = inference.subscribe(stateId, this);
  }

  /** The topic of those who want this form. */
  nameOf(form: ResultForm): string {
    return `${form}-${this.serial}`;
  }

  add(watcher: Watcher): void {
    this.watchers[watcher.form].add(watcher);
  }

  /** True when that was the last one. */
  remove(watcher: Watcher): boolean {
    this.watchers[watcher.form].delete(watcher);
    const isOver = this.watchers.json.size + this.watchers.binary.size === 0;
    if (isOver) this.stop();
    return isOver;
  }

  stepped(result: StepResult): void {
    this.steps += 1;
    if (this.isWanted("json")) this.publish(this.nameOf("json"), this.textOf(result), false);
    if (this.isWanted("binary")) this.publish(this.nameOf("binary"), this.frameOf(result), true);
  }

  ended(reason: StreamEnd): void {
    const notice = JSON.stringify({ sequence_id: this.stateId, end: reason });
    for (const form of ["json", "binary"] as const) {
      if (this.isWanted(form)) this.publish(this.nameOf(form), notice, false);
    }
  }

  /** Asks all of them: those who cannot take it count it. */
  private isWanted(form: ResultForm): boolean {
    let isWanted = false;
    for (const watcher of this.watchers[form]) if (watcher.takes(this)) isWanted = true;
    return isWanted;
  }

  private textOf(result: StepResult): string {
    try {
      return utf8Text(encodeInferResponse(this.responseOf(result), () => false, jsonText).header, "result");
    } catch (error) {
      // Bytes that are not UTF-8, which JSON cannot have.
      return encodeStreamError(toHeadraceError(error), { id: result.info.id, sequenceId: this.stateId });
    }
  }

  private frameOf(result: StepResult): Uint8Array {
    return encodeStreamFrame(encodeInferResponse(this.responseOf(result), () => true));
  }

  private responseOf({ info, start, end, outputs }: StepResult) {
    const parameters: Record<string, ParameterValue> = { sequence_id: this.stateId, step: this.steps };
    if (start) parameters.sequence_start = true;
    if (end) parameters.sequence_end = true;
    Object.assign(parameters, traceParameters(info.trace));
    const { name, version } = this.inference;
    return { modelName: name, modelVersion: version, id: info.id, parameters, outputs };
  }
}
