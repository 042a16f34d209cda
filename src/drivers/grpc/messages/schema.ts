/**
 * The messages of `proto/`, as the .proto files declare them: all but those of predictions are read and written through here.
 */
import { fileURLToPath } from "node:url";
import protobuf from "protobufjs";
import { bug } from "../../../errors.js";
import { malformed } from "./reader.js";

export const PROTO_FILES = [
  "grpc_service.proto",
  "model_config.proto",
  "health.proto",
  "reflection_v1.proto",
  "reflection_v1alpha.proto",
] as const;

const FOLDER = fileURLToPath(new URL("../../../../proto/", import.meta.url));

let loaded: protobuf.Root | undefined;

/** All declarations; read from the files once, when they are first needed. */
export function schema(): protobuf.Root {
  if (loaded !== undefined) return loaded;
  const root = new protobuf.Root();
  root.resolvePath = (_, target) => FOLDER + (target.split("/").at(-1) ?? target);
  root.loadSync([...PROTO_FILES], { keepCase: true });
  root.resolveAll();
  loaded = root;
  return root;
}

/** A message as an object: names as in the .proto, 64-bit integers as decimal strings, maps as objects, enums by name. */
export type MessageObject = Readonly<Record<string, unknown>>;

/** Reads and writes one type of message. */
export class MessageCodec {
  private type: protobuf.Type | undefined;

  /** @param name With its package, such as `inference.ModelConfig`. */
  constructor(private readonly name: string) {}

  /** Throws INVALID_ARGUMENT where the bytes are none. */
  decode(bytes: Uint8Array): MessageObject {
    const type = this.found();
    try {
      return type.toObject(type.decode(bytes), { longs: String, enums: String, defaults: true, oneofs: true });
    } catch (error) {
      throw malformed(error instanceof Error ? error.message : String(error));
    }
  }

  /** Fields that the message does not have are left out; 64-bit integers may be numbers, bigints or decimal strings. */
  encode(message: MessageObject): Uint8Array {
    const type = this.found();
    return type.encode(type.fromObject(withoutBigints(message) as MessageObject)).finish();
  }

  private found(): protobuf.Type {
    this.type ??= schema().lookupType(this.name);
    return this.type;
  }
}

/** protobufjs knows decimal strings, and no bigints. */
function withoutBigints(value: unknown): unknown {
  if (typeof value === "bigint") return String(value);
  if (Array.isArray(value)) return value.map(withoutBigints);
  if (typeof value !== "object" || value === null || ArrayBuffer.isView(value)) return value;
  return Object.fromEntries(Object.entries(value).map(([name, entry]) => [name, withoutBigints(entry)]));
}

/** A method as a service declares it. */
export interface DeclaredMethod {
  /** `/package.Service/Method`. */
  readonly path: string;
  readonly request: MessageCodec;
  readonly response: MessageCodec;
  readonly isStream: boolean;
}

/** The methods of a service, by their names. */
export function methodsOf(service: string): ReadonlyMap<string, DeclaredMethod> {
  const methods = schema().lookupService(service).methods;
  return new Map(
    Object.values(methods).map((method) => {
      const { resolvedRequestType: request, resolvedResponseType: response } = method;
      if (request == null || response == null) throw bug(`method ${method.fullName} has not been resolved`);
      const declared: DeclaredMethod = {
        path: `/${service}/${method.name}`,
        request: new MessageCodec(request.fullName.slice(1)),
        response: new MessageCodec(response.fullName.slice(1)),
        isStream: method.requestStream === true || method.responseStream === true,
      };
      return [method.name, declared];
    }),
  );
}
