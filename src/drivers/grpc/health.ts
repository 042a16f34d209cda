/** grpc.health.v1.Health: whether the server, or a model, can be sent requests. */
import { HeadraceError, serverStopping } from "../../errors.js";
import { Bytes, type Call, type CallReceiver } from "./call.js";
import type { DeclaredMethod } from "./messages/schema.js";
import type { UnaryHandler } from "./unary.js";
import type { V2Host } from "./v2-methods.js";

type Health = "SERVING" | "NOT_SERVING" | "SERVICE_UNKNOWN";

/** How often it is looked whether models still get on, while somebody watches. */
const LOOK_MILLIS = 1000;
/** Names that mean the server as a whole. */
const SERVER_NAMES = ["", "inference.GRPCInferenceService"];

function healthOf(host: V2Host, service: string): Health {
  const { models } = host;
  if (SERVER_NAMES.includes(service)) return host.isReady ? "SERVING" : "NOT_SERVING";
  const versions = models.all().filter(({ name }) => name === service);
  if (versions.length === 0) return "SERVICE_UNKNOWN";
  return versions.some((model) => model.isReady) ? "SERVING" : "NOT_SERVING";
}

export function healthCheck(host: V2Host): UnaryHandler {
  return ({ service }) => {
    const status = healthOf(host, String(service));
    if (status !== "SERVICE_UNKNOWN") return { status };
    throw new HeadraceError("NOT_FOUND", `there is no service or model '${String(service)}'`);
  };
}

/** Calls of Watch that are open. */
export class HealthWatches {
  private readonly watches = new Set<Watch>();
  /** Models can stop getting on without anybody telling. */
  private timer: NodeJS.Timeout | undefined;

  constructor(
    private readonly host: V2Host,
    private readonly method: DeclaredMethod,
  ) {}

  open(call: Call): CallReceiver {
    this.timer ??= setInterval(() => this.look(), LOOK_MILLIS).unref();
    const watch = new Watch(call, this.method, this.watches, (service) => healthOf(this.host, service));
    // Also while it has not said what it watches: it is to end with the others.
    this.watches.add(watch);
    return watch;
  }

  /**
   * To be called when a model came, is stopping or has gone.
   * @param isLast Whether nothing will be served here any more: the watches are told so, and end.
   */
  changed(isLast: boolean): void {
    for (const watch of [...this.watches]) {
      watch.tell();
      if (isLast) watch.end();
    }
  }

  private look(): void {
    for (const watch of this.watches) watch.tell();
    if (this.watches.size > 0) return;
    clearInterval(this.timer);
    this.timer = undefined;
  }
}

class Watch implements CallReceiver {
  private service: string | undefined;
  private told: Health | undefined;

  constructor(
    private readonly call: Call,
    private readonly method: DeclaredMethod,
    private readonly all: Set<Watch>,
    private readonly healthOf: (service: string) => Health,
  ) {}

  message(bytes: Buffer): void {
    if (this.service !== undefined) throw new HeadraceError("INVALID_ARGUMENT", "Watch takes one message");
    this.service = String(this.method.request.decode(bytes).service);
    this.tell();
  }

  halfClosed(): void {
    if (this.service === undefined) throw new HeadraceError("INVALID_ARGUMENT", "Watch takes one message, got none");
  }

  cancelled(): void {
    this.all.delete(this);
  }

  end(): void {
    this.all.delete(this);
    this.call.fail(serverStopping());
  }

  tell(): void {
    if (this.service === undefined) return;
    const now = this.healthOf(this.service);
    if (now === this.told) return;
    this.told = now;
    this.call.send(new Bytes(this.method.response.encode({ status: now })));
  }
}
