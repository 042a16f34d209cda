/** A pipeline's graph as the executor walks it: each cell with what runs it and where its inputs come from. */
import { bug } from "../errors.js";
import type { Pipeline } from "../pipeline/index.js";
import { type AnyValueType, parseValues, type Types } from "../types/index.js";
import type { FunctionStep } from "./function-step.js";
import type { ModelCell } from "./model-cell.js";

type Values = Readonly<Record<string, unknown>>;

export interface WiredCell {
  readonly ref: string;
  readonly run: ModelCell | FunctionStep;
  /** The cells that feed it. */
  readonly predecessors: readonly string[];
  /** Its inputs, once all that feed them are there. Throws INVALID_ARGUMENT where a value does not fit. */
  readonly inputsFrom: (values: Values, results: ReadonlyMap<string, Values>) => Values;
}

/** Where an input comes from; `cell` undefined: from the pipeline's input `name`. */
interface Feed {
  readonly port: string;
  readonly cell: string | undefined;
  readonly name: string;
}

export interface WiringOptions {
  readonly pipeline: Pipeline;
  /** The resolved types of the pipeline's inputs. */
  readonly inputs: Types;
  readonly models: ReadonlyMap<string, ModelCell>;
  readonly functions: ReadonlyMap<string, FunctionStep>;
}

/** The cells, each after those that feed it. */
export function wire({ pipeline, inputs, models, functions }: WiringOptions): WiredCell[] {
  const feeds = new Map<string, Feed[]>(pipeline.order.map((ref) => [ref, []]));
  for (const [name, { targets }] of Object.entries(pipeline.inputs)) {
    for (const { cell, port } of targets) feeds.get(cell)?.push({ port, cell: undefined, name });
  }
  for (const { from, to } of pipeline.edges) {
    feeds.get(to.cell)?.push({ port: to.port, cell: from.cell, name: from.port });
  }
  return pipeline.order.map((ref) => {
    const run = models.get(ref) ?? functions.get(ref);
    if (run === undefined) throw bug(`There is no cell '${ref}'`);
    const own = feeds.get(ref) ?? [];
    const types = functions.get(ref)?.cell.inputs;
    const typeOf = ({ cell, name }: Feed): AnyValueType | undefined =>
      cell === undefined ? inputs[name] : functions.get(cell)?.cell.outputs[name];
    // A value that was parsed as this very type need not be parsed again. A model checks its tensors by itself.
    const isParsed =
      types === undefined ||
      (own.length === Object.keys(types).length && own.every((feed) => typeOf(feed) === types[feed.port]));
    const predecessors = [...new Set(own.flatMap(({ cell }) => cell ?? []))];
    const read = (values: Values, results: ReadonlyMap<string, Values>) => gather(own, values, results);
    const inputsFrom = isParsed
      ? read
      : (values: Values, results: ReadonlyMap<string, Values>) =>
          parseValues(types, read(values, results), `${ref}.inputs`);
    return { ref, run, predecessors, inputsFrom };
  });
}

function gather(feeds: readonly Feed[], values: Values, results: ReadonlyMap<string, Values>): Values {
  const inputs: Record<string, unknown> = {};
  for (const { port, cell, name } of feeds) {
    inputs[port] = cell === undefined ? values[name] : results.get(cell)?.[name];
  }
  return inputs;
}
