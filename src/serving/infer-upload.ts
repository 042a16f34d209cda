import { OK } from "../engine/engine.js";
import { InvalidArgumentError } from "../errors.js";
import { checkBooleans, type TensorHeader } from "../protocol/index.js";
import type { EngineStepOptions } from "../runtime/engine-step.js";
import type { DirectModel } from "../runtime/index.js";
import { withoutAxis } from "../runtime/rows.js";
import type { InferHandle } from "./infer-types.js";

/**
 * The tensors of one binary request on their way into the engine while the body still arrives: each piece is copied once,
 * to its place in the request's memory there. `finish` or `abandon` ends it.
 */
export class InferUpload {
  private readonly request: number;
  private tensor = 0;
  /** Bytes of the current tensor that have come. */
  private written = 0;
  private ended = false;

  /** @param order The engine's input of each tensor. Throws what the engine refuses, such as RESOURCE_EXHAUSTED. */
  constructor(
    private readonly direct: DirectModel,
    private readonly tensors: readonly (TensorHeader & { readonly byteLength: number })[],
    private readonly order: readonly number[],
    options: EngineStepOptions,
    private readonly run: (request: number) => InferHandle,
  ) {
    const { engine } = direct;
    const shapes = engine.hasFixedInputs ? undefined : this.rowShapes();
    this.request = engine.begin(options.key, options.flags, options.timeoutMicros, shapes);
    if (this.request < 0) throw engine.errorFor(this.request);
  }

  /** The next bytes after the JSON header. Throws INVALID_ARGUMENT for more than the header announced. */
  append(bytes: Uint8Array): void {
    let rest = bytes;
    while (rest.byteLength > 0) {
      const tensor = this.tensors[this.tensor];
      if (tensor === undefined)
        throw new InvalidArgumentError(`has ${rest.byteLength} left-over bytes or more`, { path: "body" });
      const part = rest.subarray(0, tensor.byteLength - this.written);
      if (tensor.datatype === "BOOL") checkBooleans(part, `inputs[${this.tensor}]`, this.written);
      const code = this.direct.engine.append(this.request, this.order[this.tensor] ?? -1, part);
      if (code !== OK) throw this.direct.engine.errorFor(code);
      this.written += part.byteLength;
      rest = rest.subarray(part.byteLength);
      if (this.written < tensor.byteLength) continue;
      this.tensor += 1;
      this.written = 0;
    }
  }

  /** The body is complete: runs the step. Throws INVALID_ARGUMENT where bytes are missing. */
  finish(): InferHandle {
    const missing = this.tensors.slice(this.tensor).reduce((sum, { byteLength }) => sum + byteLength, -this.written);
    if (missing > 0) throw new InvalidArgumentError(`is truncated: ${missing} bytes are missing`, { path: "body" });
    this.ended = true;
    return this.run(this.request);
  }

  /** Gives the engine its memory back; nothing where the step has been run. */
  abandon(): void {
    if (this.ended) return;
    this.ended = true;
    this.direct.engine.abandon(this.request);
  }

  /** The row's dimensions of each of the engine's inputs. */
  private rowShapes(): number[][] {
    const shapes: number[][] = [];
    for (const [index, { shape }] of this.tensors.entries()) {
      const input = this.order[index] ?? -1;
      shapes[input] = withoutAxis(shape, this.direct.inputs[input]?.batchAxis ?? -1);
    }
    return shapes;
  }
}
