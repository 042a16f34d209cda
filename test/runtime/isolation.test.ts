/**
 * Streams never mix: whatever the interleaving, each state id gives what it would have given alone. Random programs of
 * steps are run against the engine all at once, and then one by one against onnxruntime-node.
 */
import fc from "fast-check";
import t from "tap";
import { HeadraceError } from "../../src/errors.js";
import type { Pipeline } from "../../src/pipeline/index.js";
import type { InferenceProcess, PredictOptions } from "../../src/runtime/index.js";
import { distance, GruReference, type ReferenceStream, TOLERANCE } from "../support/reference.js";
import { gruPipeline, start } from "../support/serve.js";
import { gruInput } from "../support/steps.js";

const STREAMS = 6;
const MAX_STEPS = 40;

interface Step {
  /** Of the stream; undefined is a prediction on a fresh state. */
  readonly stream: number | undefined;
  readonly start: boolean;
  readonly end: boolean;
  /** When it is aborted: at once, so surely, or a turn of the event loop later, perhaps too late. */
  readonly abort: "never" | "at once" | "later";
  /** Whether the program waits for everything so far before its next step. */
  readonly settle: boolean;
  readonly seed: number;
}

const step: fc.Arbitrary<Step> = fc.record({
  stream: fc.option(fc.nat(STREAMS - 1), { nil: undefined, freq: 8 }),
  start: fc.oneof({ weight: 9, arbitrary: fc.constant(false) }, { weight: 1, arbitrary: fc.constant(true) }),
  end: fc.oneof({ weight: 9, arbitrary: fc.constant(false) }, { weight: 1, arbitrary: fc.constant(true) }),
  abort: fc.constantFrom("never", "never", "never", "at once", "later"),
  settle: fc.oneof({ weight: 9, arbitrary: fc.constant(false) }, { weight: 1, arbitrary: fc.constant(true) }),
  seed: fc.nat(1000),
});

type Outcome = { readonly output: ArrayLike<number> } | { readonly error: unknown };

let runs = 0;

/** Runs the program, as concurrently as it allows. */
async function run(process: InferenceProcess, program: readonly Step[]): Promise<Outcome[]> {
  const prefix = `run-${++runs}`;
  const outcomes: Promise<Outcome>[] = [];
  for (const { stream, start, end, abort, settle, seed } of program) {
    const controller = new AbortController();
    const options: PredictOptions = { signal: controller.signal };
    if (stream !== undefined) Object.assign(options, { stateId: `${prefix}-${stream}`, start, end });
    outcomes.push(
      process.predict({ input: gruInput(seed) }, options).then(
        (outputs) => ({ output: outputs.output as ArrayLike<number> }),
        (error: unknown) => ({ error }),
      ),
    );
    if (abort === "at once") controller.abort();
    if (abort === "later") setImmediate(() => controller.abort());
    if (settle) await Promise.all(outcomes);
  }
  return Promise.all(outcomes);
}

/** What the program must have given, knowing which of its steps were cancelled: those never were. */
async function check(
  reference: GruReference,
  program: readonly Step[],
  outcomes: readonly Outcome[],
  isInline: boolean,
): Promise<void> {
  const streams = new Map<number, ReferenceStream>();
  for (const [index, { stream, start, end, abort, seed }] of program.entries()) {
    const outcome = outcomes[index];
    if (outcome === undefined) throw new Error(`step ${index} has no outcome`);
    if ("error" in outcome) {
      const cancelled = outcome.error instanceof HeadraceError && outcome.error.code === "CANCELLED";
      if (abort === "never" || !cancelled) throw outcome.error;
      continue;
    }
    // A lane may have run it before this thread came to abort it; inline nothing runs before the turn is over.
    if (abort === "at once" && isInline) throw new Error(`step ${index} was aborted at once and answered nevertheless`);
    const alone = (stream === undefined ? undefined : streams.get(stream)) ?? reference.stream();
    if (stream !== undefined) streams.set(stream, alone);
    if (start) alone.reset();
    const apart = distance(outcome.output, await alone.step(gruInput(seed)));
    if (end) alone.reset();
    if (!(apart <= TOLERANCE)) throw new Error(`step ${index} of stream ${stream} is ${apart} from the reference`);
  }
}

const reference = await GruReference.load();
const ways: Readonly<Record<string, Promise<Pipeline>>> = {
  inline: gruPipeline({ execution: "inline" }),
  "two lanes": gruPipeline({ execution: "lanes", lanes: 2 }),
  "two lanes, batches of two": gruPipeline({ execution: "lanes", lanes: 2, batching: { maxSize: 2 } }),
};

for (const [name, pipeline] of Object.entries(ways)) {
  t.test(`random interleavings equal separate runs: ${name}`, async (t) => {
    const process = await start(t, await pipeline);
    const program = fc.array(step, { minLength: 1, maxLength: MAX_STEPS, size: "max" });
    await fc.assert(
      fc.asyncProperty(program, async (steps) => {
        await check(reference, steps, await run(process, steps), name === "inline");
      }),
      { numRuns: 150, seed: 20_260_401 },
    );
    const { succeeded = 0n, cancelled = 0n, batches = 0n } = process.stats().model ?? {};
    t.ok(cancelled > 100n, "cancellations were among them");
    t.ok(succeeded > batches, "batches were shared");
  });
}
