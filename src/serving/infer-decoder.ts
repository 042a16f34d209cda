/**
 * V2 requests as they arrive, JSON or binary: the addon takes the elements out of the JSON, and what follows from the header
 * that is left is kept, since a steady client sends the same one with every step.
 */
import { JsonReader } from "../engine/json.js";
import { InvalidArgumentError } from "../errors.js";
import {
  type DecodedRequest,
  decodePlannedInfer,
  FRAME_LENGTH_BYTES,
  HeaderCache,
  headerBytes,
  headerLengthOf,
  joinMoved,
  planInfer,
  type RequestPlan,
  utf8Text,
} from "../protocol/index.js";

/** Plans of many clients' headers: each client's differs by its sequence id. */
const HEADER_PLANS = 4096;

/** A request whose header has been understood. Its bytes are valid until the event that brought it is over. */
export interface PlannedRequest {
  readonly plan: RequestPlan;
  /** Has the tensors from `offset` on, `length` bytes, in the plan's order. */
  readonly bytes: Uint8Array;
  readonly offset: number;
  readonly length: number;
}

/** One for each listener: it reads one request at a time. */
export class InferDecoder {
  private readonly reader = new JsonReader();
  /** Of binary requests, by their JSON header. */
  private readonly plans = new HeaderCache<RequestPlan>(HEADER_PLANS);
  /** Of requests that are all JSON, by what is left of it. */
  private readonly jsonPlans = new HeaderCache<RequestPlan>(HEADER_PLANS);

  /** A body or a text frame that is all JSON. Throws InvalidArgumentError, or UNIMPLEMENTED. */
  json(body: Uint8Array): PlannedRequest {
    const { reader } = this;
    const header = reader.read(body);
    const known = this.jsonPlans.get(header);
    const plan = known ?? planInfer(header);
    reader.checkElements();
    if (known === undefined) {
      checkAllMoved(plan);
      keep(this.jsonPlans, header, plan);
    }
    return { plan, bytes: reader.tensors, offset: 0, length: reader.byteLength };
  }

  /** `headerLength` bytes of JSON, at least 1, then the tensors that are not in it. Throws as `json`. */
  binary(body: Uint8Array, headerLength: number): PlannedRequest {
    const header = headerBytes(body, headerLength);
    const plan = this.header(header);
    if (plan !== undefined) {
      return { plan, bytes: body, offset: headerLength, length: body.byteLength - headerLength };
    }
    const { reader } = this;
    const mixed = planInfer(reader.read(header));
    reader.checkElements();
    const bytes = joinMoved(mixed.inputs, reader.tensors, body.subarray(headerLength));
    return { plan: mixed, bytes, offset: 0, length: bytes.byteLength };
  }

  /** What follows from a binary request's header; undefined where it has elements in it, so that the body has to be whole. */
  header(header: Uint8Array): RequestPlan | undefined {
    const text = utf8Text(header, "body");
    const known = this.plans.get(text);
    if (known !== undefined) return known;
    const rest = this.reader.read(header);
    if (this.reader.count > 0) return undefined;
    const plan = planInfer(rest);
    keep(this.plans, text, plan);
    return plan;
  }

  /** A binary frame of a stream. Throws as `json`. */
  frame(frame: Uint8Array): PlannedRequest {
    return this.binary(frame.subarray(FRAME_LENGTH_BYTES), headerLengthOf(frame));
  }
}

/** The request itself; its tensors are views into the planned request's bytes. */
export function decodedOf({ plan, bytes, offset, length }: PlannedRequest): DecodedRequest {
  return decodePlannedInfer(plan, bytes.subarray(0, offset + length), offset);
}

/** A trace is another one with each request, so its header never comes again. */
function keep(plans: HeaderCache<RequestPlan>, header: string, plan: RequestPlan): void {
  if (plan.trace === undefined) plans.put(header, plan);
}

function checkAllMoved(plan: RequestPlan): void {
  if (plan.inputs.tensors.every(({ isMoved }) => isMoved === true)) return;
  throw new InvalidArgumentError(
    "an input has binary_data_size, but nothing says where the JSON ends (Inference-Header-Content-Length)",
    { path: "body" },
  );
}
