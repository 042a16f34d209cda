/** `headrace/sources/dummy`: made-up inputs, for trying out and for tests. */
import { InvalidArgumentError } from "../errors.js";
import { shown } from "../shown.js";
import { fakeValues, Random, type Types } from "../types/index.js";
import { Pace, Source, type SourceContext, type SourceItem } from "./source.js";

/** What a `DummySource` makes, and how fast. */
export interface DummySourceOptions {
  /** What to make, by the names of the pipeline's inputs. Default: what the pipeline takes. */
  readonly format?: Types;
  /** Items per second; 0 or Infinity: as fast as they are taken. Default: 0. */
  readonly rate?: number;
  /** Items until the end; Infinity: endless. Default: Infinity. */
  readonly count?: number;
  /** The same items for the same seed; an integer. Default: different ones each time. */
  readonly seed?: number;
}

/**
 * Makes fake inputs of the right types.
 *
 * ```ts
 * new DummySource({ rate: 25, count: 100, seed: 7 });
 * ```
 */
export class DummySource extends Source {
  private readonly closed = new AbortController();
  private types: Types | undefined;

  /** @throws InvalidArgumentError when an option is out of range. */
  constructor(private readonly options: DummySourceOptions = {}) {
    super();
    const { rate = 0, count = 0, seed = 0 } = options;
    if (!(rate >= 0)) throw refused("expected items per second, 0 or more", rate, "rate");
    if (!(count >= 0)) throw refused("expected a number of items, 0 or more", count, "count");
    if (!Number.isSafeInteger(seed)) throw refused("expected an integer", seed, "seed");
    const { format = {} } = options;
    const isTypes = typeof format === "object" && format !== null;
    if (!isTypes) throw refused("expected types by name, such as { n: Integer() }", format, "format");
    for (const [name, type] of Object.entries(format)) {
      if (typeof type?.fake !== "function") throw refused("expected a type, such as Integer()", type, `format.${name}`);
    }
  }

  override async open(context: SourceContext): Promise<void> {
    this.types = this.options.format ?? context.inputs;
  }

  override async *read(signal: AbortSignal): AsyncGenerator<SourceItem> {
    const { count = Number.POSITIVE_INFINITY, rate = 0, seed } = this.options;
    const types = this.types ?? this.options.format ?? {};
    const random = new Random(seed);
    const pace = new Pace(rate);
    const until = AbortSignal.any([signal, this.closed.signal]);
    for (let made = 0; made < count && (await pace.due(until)); made++) {
      yield { inputs: fakeValues(types, random), capturedAt: Date.now() };
    }
  }

  override async close(): Promise<void> {
    this.closed.abort();
  }
}

function refused(expectation: string, value: unknown, option: string): InvalidArgumentError {
  return new InvalidArgumentError(`${expectation}; got ${shown(value)}`, { path: `DummySource.${option}` });
}
