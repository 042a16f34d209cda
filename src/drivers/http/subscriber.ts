/**
 * A WebSocket that watches state ids. It is sent results and sends nothing. One that does not read as fast as they come is
 * left out until it has caught up: results are dropped, counted, and it is told how many.
 */
import type { WebSocket } from "uWebSockets.js";
import { HeadraceError } from "../../errors.js";
import { closeFrameOf } from "../../protocol/index.js";
import type { Access } from "../../serving/access.js";
import type { AdmittedClient } from "../../serving/client-gate.js";
import type { EndpointSocket, ModelEndpoint } from "./model-endpoint.js";
import type { ResultForm, Topic, Watcher } from "./subscriptions.js";

export class Subscriber implements EndpointSocket, Watcher {
  private socket: WebSocket<unknown> | undefined;
  private readonly topics: Topic[] = [];
  private isBehind = false;
  /** Results that were dropped and not told yet. */
  private readonly dropped = new Map<Topic, number>();

  /** @param client  who opened it; undefined: anybody may */
  constructor(
    private readonly endpoint: ModelEndpoint,
    private readonly client: AdmittedClient | undefined,
    private readonly stateIds: readonly string[],
    readonly form: ResultForm,
  ) {}

  opened(socket: WebSocket<unknown>): void {
    this.socket = socket;
    this.endpoint.counters.subscriptionsOpened += 1;
    this.endpoint.streams.add(this);
    for (const stateId of this.stateIds) {
      const topic = this.endpoint.subscriptions.join(stateId, this);
      this.topics.push(topic);
      socket.subscribe(topic.nameOf(this.form));
    }
  }

  get isIdle(): boolean {
    return !this.socket?.getBufferedAmount();
  }

  takes(topic: Topic): boolean {
    const { socket } = this;
    if (socket === undefined) return false;
    const unread = socket.getBufferedAmount();
    const limit = this.endpoint.parameters.maxBackpressureBytes;
    if (this.isBehind && unread <= limit / 2) this.catchUp(socket);
    else if (!this.isBehind && unread > limit) this.fallBehind(socket);
    if (!this.isBehind) return true;
    this.dropped.set(topic, (this.dropped.get(topic) ?? 0) + 1);
    this.endpoint.counters.resultsDropped += 1;
    return false;
  }

  /** Some of what was written has been read. */
  drained(): void {
    const { socket } = this;
    if (socket === undefined || !this.isBehind) return;
    if (socket.getBufferedAmount() <= this.endpoint.parameters.maxBackpressureBytes / 2) this.catchUp(socket);
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
    this.socket = undefined;
    this.endpoint.streams.delete(this);
    for (const topic of this.topics) this.endpoint.subscriptions.leave(topic, this);
  }

  private end(error: HeadraceError): void {
    const { code, reason } = closeFrameOf(error);
    this.endpoint.streamRefused(error.code, error.message);
    this.socket?.end(code, reason);
  }

  private fallBehind(socket: WebSocket<unknown>): void {
    this.isBehind = true;
    for (const topic of this.topics) socket.unsubscribe(topic.nameOf(this.form));
  }

  private catchUp(socket: WebSocket<unknown>): void {
    this.isBehind = false;
    socket.cork(() => {
      for (const [topic, dropped] of this.dropped) {
        socket.send(JSON.stringify({ sequence_id: topic.stateId, dropped }), false);
      }
    });
    this.dropped.clear();
    for (const topic of this.topics) socket.subscribe(topic.nameOf(this.form));
  }
}
