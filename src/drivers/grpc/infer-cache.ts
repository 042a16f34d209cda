/**
 * What was worked out for requests that came before. All of a ModelInferRequest but its single raw tensor and its id is the
 * same with every step of a steady client, so it is looked up by its bytes: the model, the engine's input, and what the answer
 * begins with.
 */
import { elementCount } from "../../datatype.js";
import { HeaderCache, type RequestPlan } from "../../protocol/index.js";
import type { PreparedInfer } from "../../serving/prepared-infer.js";
import type { ServedModels } from "../../serving/served-models.js";
import type { GrpcModel } from "./grpc-model.js";
import type { InferMessage } from "./messages/infer-request.js";
import { responseHead } from "./messages/infer-response.js";

/** A request that can take the short way. */
export interface KnownRequest {
  readonly model: GrpcModel;
  readonly prepared: PreparedInfer;
  readonly head: Buffer;
}

/** Those of many clients: each client's differs by its sequence id. */
const CAPACITY = 4096;
/** Tags of the fields of ModelInferRequest, all of which have a length. */
const ID_TAG = 0x1a;
const RAW_TAG = 0x3a;
const BYTES_WIRE = 2;

/** Where the parts of a message are; `raw` is all of its rest. */
export interface Outline {
  /** Everything in front of the raw tensor, without the id. */
  readonly key: string;
  readonly id: string;
  readonly rawAt: number;
}

export class InferCache {
  private entries = new HeaderCache<KnownRequest | "once" | "never">(CAPACITY);
  private revision = -1;

  constructor(private readonly models: ServedModels<GrpcModel>) {}

  get(key: string): KnownRequest | undefined {
    if (this.revision !== this.models.revision) this.forget();
    const known = this.entries.get(key);
    return typeof known === "object" ? known : undefined;
  }

  /** Remembers a request when it comes for the second time: those that never come again are not worth it. */
  put(key: string, model: GrpcModel, message: InferMessage): void {
    const known = this.entries.get(key);
    if (known === undefined) this.entries.put(key, "once");
    if (known !== "once") return;
    const prepared = model.service.prepare(planOf(message));
    if (prepared === undefined) {
      this.entries.put(key, "never");
      return;
    }
    const wanted = message.request.outputs?.map(({ name }) => name);
    const outputs = (model.inference.direct?.outputs ?? [])
      .filter(({ name }) => wanted === undefined || wanted.includes(name))
      .map(({ name, datatype, oneRow }) => ({ name, datatype, shape: oneRow }));
    this.entries.put(key, { model, prepared, head: responseHead(model.name, model.version, outputs) });
  }

  private forget(): void {
    this.entries = new HeaderCache(CAPACITY);
    this.revision = this.models.revision;
  }
}

/** Looks where things are in a message without reading them; undefined where it is not one of a single raw tensor at its end. */
export function outlineOf(message: Buffer): Outline | undefined {
  let at = 0;
  let key = "";
  let keptFrom = 0;
  let id = "";
  while (at < message.length) {
    const field = at;
    const tag = message[at++] ?? 0;
    if ((tag & 7) !== BYTES_WIRE || tag >= 0x80) return undefined;
    let length = 0;
    for (let scale = 1; ; scale *= 0x80) {
      const byte = message[at++];
      if (byte === undefined || scale > 2 ** 28) return undefined;
      length += (byte & 0x7f) * scale;
      if (byte < 0x80) break;
    }
    if (tag === RAW_TAG) {
      if (at + length !== message.length) return undefined;
      return { key: key + message.toString("latin1", keptFrom, field), id, rawAt: at };
    }
    if (tag === ID_TAG) {
      if (id !== "") return undefined;
      key += message.toString("latin1", keptFrom, field);
      id = message.toString("utf8", at, at + length);
      keptFrom = at + length;
    }
    at += length;
  }
  return undefined;
}

function planOf({ request }: InferMessage): RequestPlan {
  const { inputs, ...head } = request;
  const tensors = inputs.map((input) => {
    const { name, datatype, shape } = input;
    const byteLength = input.datatype === "BYTES" ? 0 : input.bytes.byteLength;
    return { name, datatype, shape, count: elementCount(shape), byteLength, decoded: undefined };
  });
  const isShareable = tensors.every(({ datatype }) => datatype !== "BYTES");
  const binaryBytes = tensors.reduce((sum, { byteLength }) => sum + byteLength, 0);
  return { ...head, id: undefined, inputs: { tensors, binaryBytes, isShareable } };
}
