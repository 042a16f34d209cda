/** The rows of the outputs that batches are made of, each as one view that is made once. */
import { HeadraceError } from "../errors.js";
import type { ModelDescription, NativeEngine } from "./surface.js";

export class OutputViews {
  /** By batch, output and row. */
  private readonly views: Uint8Array[][][] = [];

  constructor(
    private readonly native: NativeEngine,
    private readonly description: ModelDescription,
  ) {}

  of(batch: number, row: number, output: number): Uint8Array {
    let ofBatch = this.views[batch];
    if (ofBatch === undefined) {
      ofBatch = [];
      this.views[batch] = ofBatch;
    }
    const view = ofBatch[output]?.[row];
    return view ?? this.make(ofBatch, batch, row, output);
  }

  private make(ofBatch: Uint8Array[][], batch: number, row: number, output: number): Uint8Array {
    const { rowBytes } = this.description.outputs[output] ?? { rowBytes: 0 };
    const memory = this.native.outputBuffer(batch, output);
    const rows = Array.from(
      { length: this.description.maxBatch },
      (_, index) => new Uint8Array(memory, index * rowBytes, rowBytes),
    );
    ofBatch[output] = rows;
    const view = rows[row];
    if (view === undefined) throw new HeadraceError("INTERNAL", `a batch has no row ${row}`);
    return view;
  }
}
