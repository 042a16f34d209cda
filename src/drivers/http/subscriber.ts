/**
 * A WebSocket that watches state ids. It is sent results and sends nothing. One that does not read as fast as they come is
 * left out until it has caught up: results are dropped, counted, and it is told how many.
 */
import { HeadraceError } from "../../errors.js";
import { closeFrameOf } from "../../protocol/index.js";
import type { Access } from "../../serving/access.js";
import type { AdmittedClient } from "../../serving/client-gate.js";
import type { Topics, WebSocket } from "../../transport/index.js";
import type { EndpointSocket, ModelEndpoint } from "./model-endpoint.js";
import type { ResultForm, Topic, Watcher } from "./subscriptions.js";

export class Subscriber implements EndpointSocket, Watcher {
  private socket: WebSocket | undefined;
  private readonly topics: Topic[] = [];
  private isBehind = false;
  /** Results that were dropped and not told yet. */
  private readonly dropped = new Map<Topic, number>();

  /** @param client  who opened it; undefined: anybody may */
  constructor(
    private readonly endpoint: ModelEndpoint,
    private readonly client: AdmittedClient | undefined,
    private readonly all: Topics,
    private readonly stateIds: readonly string[],
    readonly form: ResultForm,
  ) {}

  opened(socket: WebSocket): void {
    this.socket = socket;
    this.endpoint.counters.subscriptionsOpened += 1;
    this.endpoint.streams.add(this);
    for (const stateId of this.stateIds) {
      const topic = this.endpoint.subscriptions.join(stateId, this);
      this.topics.push(topic);
      this.all.subscribe(topic.nameOf(this.form), socket);
    }
  }

  get isIdle(): boolean {
    return !this.socket?.hasUnread(0);
  }

  takes(topic: Topic): boolean {
    const { socket } = this;
    if (socket === undefined) return false;
    const limit = this.endpoint.parameters.maxBackpressureBytes;
    if (this.isBehind) this.mayCatchUp(socket, limit);
    else if (socket.hasUnread(limit)) this.fallBehind(socket);
    if (!this.isBehind) return true;
    this.dropped.set(topic, (this.dropped.get(topic) ?? 0) + 1);
    this.endpoint.counters.resultsDropped += 1;
    return false;
  }

  /** Some of what was written has been read. */
  drained(): void {
    const { socket } = this;
    if (socket !== undefined && this.isBehind) this.mayCatchUp(socket, this.endpoint.parameters.maxBackpressureBytes);
  }

  /** The client sent something. */
  message(): void {
    this.end(new HeadraceError("UNIMPLEMENTED", "a subscription takes no frames; open another one for other streams"));
  }

  recheck(access: Access): void {
    if (this.client === undefined || access.knows(this.client.principal)) return;
    this.end(new HeadraceError("UNAUTHENTICATED", "what this subscription was opened with is no longer good"));
  }

  evicted(): void {
    // Its topics are told of it.
  }

  goAway(): void {
    this.socket?.end(1001, "UNAVAILABLE: the server is stopping");
  }

  closed(): void {
    const { socket } = this;
    this.socket = undefined;
    this.endpoint.streams.delete(this);
    for (const topic of this.topics) {
      if (socket !== undefined) this.all.unsubscribe(topic.nameOf(this.form), socket);
      this.endpoint.subscriptions.leave(topic, this);
    }
  }

  private end(error: HeadraceError): void {
    const { code, reason } = closeFrameOf(error);
    this.endpoint.streamRefused(error.code, error.message);
    this.socket?.end(code, reason);
  }

  private fallBehind(socket: WebSocket): void {
    this.isBehind = true;
    for (const topic of this.topics) this.all.unsubscribe(topic.nameOf(this.form), socket);
  }

  private mayCatchUp(socket: WebSocket, limit: number): void {
    if (socket.hasUnread(limit / 2)) return;
    this.isBehind = false;
    for (const [topic, dropped] of this.dropped) {
      socket.send(JSON.stringify({ sequence_id: topic.stateId, dropped }), false);
    }
    this.dropped.clear();
    for (const topic of this.topics) this.all.subscribe(topic.nameOf(this.form), socket);
  }
}
