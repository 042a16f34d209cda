/** The services of a listener: which path is which method, and who answers a call of it. */
import { bug, HeadraceError } from "../../errors.js";
import type { NeededRole } from "../../serving/client-gate.js";
import type { Call, CallReceiver } from "./call.js";
import { HealthWatches, healthCheck } from "./health.js";
import { type Inferences, UnaryInfer } from "./infer.js";
import { type DeclaredMethod, methodsOf } from "./messages/schema.js";
import { roleOfMethod } from "./method-roles.js";
import { Reflections, SERVICES } from "./reflection.js";
import { UnaryCall, type UnaryHandler } from "./unary.js";
import { type V2Host, v2Methods } from "./v2-methods.js";

/** Who answers a call that has begun. */
export type OpenCall = (call: Call) => CallReceiver;

/** A method that is served. */
export interface ServedMethod {
  readonly role: NeededRole;
  /** Whether a call goes on for as long as its client wants. */
  readonly isStream: boolean;
  readonly open: OpenCall;
}

export class Services {
  private readonly watches: HealthWatches;
  private readonly reflections = new Reflections();
  private readonly byPath = new Map<string, ServedMethod>();

  /** @param openStream Answers a call of ModelStreamInfer. */
  constructor(host: V2Host, inferences: Inferences, openStream: OpenCall) {
    this.watches = new HealthWatches(host, declared("grpc.health.v1.Health", "Watch"));
    const handlers = v2Methods(host);
    const put = (method: DeclaredMethod, open: OpenCall): void => {
      this.byPath.set(method.path, { role: roleOfMethod(method.path), isStream: method.isStream, open });
    };
    for (const [name, method] of methodsOf("inference.GRPCInferenceService")) {
      put(method, (call) => new UnaryCall(call, method, handlers[name] ?? unimplemented(name)));
    }
    put(declared("inference.GRPCInferenceService", "ModelInfer"), (call) => new UnaryInfer(call, inferences));
    put(declared("inference.GRPCInferenceService", "ModelStreamInfer"), openStream);
    const check = declared("grpc.health.v1.Health", "Check");
    put(check, (call) => new UnaryCall(call, check, healthCheck(host)));
    put(declared("grpc.health.v1.Health", "Watch"), (call) => this.watches.open(call));
    for (const service of SERVICES.filter((name) => name.endsWith("ServerReflection"))) {
      const method = declared(service, "ServerReflectionInfo");
      put(method, (call) => this.reflections.open(call, method));
    }
  }

  /**
   * To be called when a model came, is stopping or has gone.
   * @param isLast Whether nothing will be served here any more: calls that would never end by themselves end.
   */
  changed(isLast: boolean): void {
    this.watches.changed(isLast);
    if (isLast) this.reflections.end();
  }

  /** Throws UNIMPLEMENTED for a path that is none. */
  find(path: string): ServedMethod {
    const found = this.byPath.get(path);
    if (found !== undefined) return found;
    throw new HeadraceError("UNIMPLEMENTED", `there is no method ${path}`);
  }
}

function declared(service: string, method: string): DeclaredMethod {
  const found = methodsOf(service).get(method);
  if (found === undefined) throw bug(`${service} declares no ${method}`);
  return found;
}

function unimplemented(name: string): UnaryHandler {
  return () => {
    throw new HeadraceError("UNIMPLEMENTED", `this server does not have ${name}`);
  };
}
