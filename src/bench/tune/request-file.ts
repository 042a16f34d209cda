/** Made-up requests for the load generator, in its file format (native/loadgen/request_file.h). */
import { DATATYPES } from "../../datatype.js";
import { InvalidArgumentError, type ModelDescription, type TensorDescription } from "../../index.js";
import { seededRandom } from "../bootstrap.js";
import { FIRST_SEQUENCE, type Gap, requestFile as packedRequests, type RequestBody } from "../request-file.js";

/** What the generator is told besides the file. */
export interface RequestFile {
  readonly mode: "ws" | "http";
  readonly path: string;
  readonly bytes: Buffer;
}

/** Shapes of inputs whose own have free dimensions, by tensor; of one step, without the batch axis. */
export type Shapes = Readonly<Record<string, readonly number[]>>;

/** So many different steps, over and over. */
const STEPS = 16;

/**
 * A raw WebSocket where the model has one input, which is the cheapest protocol there is; else V2's binary data over HTTP.
 * @throws INVALID_ARGUMENT for an input that nothing can be made up for.
 */
export function requestFile(model: string, { inputs, stateful }: ModelDescription, shapes: Shapes): RequestFile {
  for (const name of Object.keys(shapes)) {
    if (inputs.some((input) => input.name === name)) continue;
    const names = inputs.map((input) => input.name).join(", ");
    throw new InvalidArgumentError(`the model has no input '${name}'; its inputs are ${names}`, { path: "--shape" });
  }
  const random = seededRandom(1);
  const steps = Array.from({ length: STEPS }, () => inputs.map((input) => inputOf(input, shapes, random)));
  const [first, ...others] = inputs;
  if (first !== undefined && others.length === 0) {
    const path = `/v2/models/${encodeURIComponent(model)}/stream?raw=${encodeURIComponent(first.name)}`;
    const bodies = steps.map(([input]) => ({ bytes: input?.data ?? Buffer.alloc(0), gap: 0 }));
    return { mode: "ws", path, bytes: packed("none", bodies) };
  }
  const path = `/v2/models/${encodeURIComponent(model)}/infer`;
  const bodies = steps.map((step) => httpRequest(path, step, stateful));
  return { mode: "http", path, bytes: packed(stateful ? "digits" : "none", bodies) };
}

/** Each step has one form: its sequences do not end. */
function packed(gap: Gap, bodies: readonly RequestBody[]): Buffer {
  return packedRequests(
    gap,
    bodies.map((body) => [body]),
  );
}

interface Input {
  readonly name: string;
  readonly datatype: string;
  readonly shape: readonly number[];
  readonly data: Buffer;
}

function inputOf(tensor: TensorDescription, shapes: Shapes, random: () => number): Input {
  const { name, datatype, batchAxis } = tensor;
  const row = shapes[name] ?? tensor.rowShape;
  if (row.some((size) => size < 0)) {
    const message = `input '${name}' has a free dimension, [${tensor.rowShape.join(", ")}]; say which, e.g. --shape ${name}=512`;
    throw new InvalidArgumentError(message, { path: "--shape" });
  }
  if (datatype === "BYTES") throw new InvalidArgumentError("tune cannot make up strings", { path: `input '${name}'` });
  const { bytes } = DATATYPES[datatype];
  const count = row.reduce((product, size) => product * size, 1);
  const data = Buffer.alloc(count * bytes);
  for (let i = 0; i < count; i += 1) write(data, i * bytes, datatype, random());
  return { name, datatype, shape: batchAxis < 0 ? row : row.toSpliced(batchAxis, 0, 1), data };
}

/** Numbers between -1 and 1; of whole ones 0 or 1, since they may be indices. */
function write(data: Buffer, at: number, datatype: keyof typeof DATATYPES, share: number): void {
  if (datatype === "FP32") data.writeFloatLE(share * 2 - 1, at);
  else if (datatype === "FP64") data.writeDoubleLE(share * 2 - 1, at);
  // The bits of numbers from 0 to 1.
  else if (datatype === "FP16") data.writeUInt16LE(Math.floor(share * 0x3c00), at);
  else if (datatype === "BF16") data.writeUInt16LE(Math.floor(share * 0x3f80), at);
  else data.writeUInt8(share < 0.5 ? 0 : 1, at);
}

function httpRequest(path: string, inputs: readonly Input[], stateful: boolean): RequestBody {
  const described = inputs.map(({ name, datatype, shape, data }) => ({
    name,
    datatype,
    shape,
    parameters: { binary_data_size: data.length },
  }));
  const parameters = { binary_data_output: true, ...(stateful ? { sequence_id: 0 } : {}) };
  const json = JSON.stringify({ parameters, inputs: described }).replace(
    '"sequence_id":0',
    `"sequence_id":${FIRST_SEQUENCE}`,
  );
  const size = Buffer.byteLength(json) + inputs.reduce((sum, { data }) => sum + data.length, 0);
  const head = [
    `POST ${path} HTTP/1.1`,
    "Host: localhost",
    "Content-Type: application/octet-stream",
    `Inference-Header-Content-Length: ${Buffer.byteLength(json)}`,
    `Content-Length: ${size}`,
    "\r\n",
  ].join("\r\n");
  const bytes = Buffer.concat([Buffer.from(head + json), ...inputs.map(({ data }) => data)]);
  const at = json.indexOf('"sequence_id":');
  return { bytes, gap: at < 0 ? 0 : Buffer.byteLength(head) + at + '"sequence_id":'.length };
}
