/**
 * The contract of sinks (`headrace/sinks/sink`) as rules that any sink can be held to:
 *
 *     for (const { name, run } of sinkContract({ outputs, make: () => new MySink() })) test(name, run);
 */
import assert from "node:assert/strict";
import type { Sink, SinkItem } from "../../src/sinks/sink.js";
import { fakeValues, Random, type Types } from "../../src/types/index.js";
import { fulfils, leavesNothing, type Rule, rejectsWithCode, settles } from "./check.js";

export interface SinkSubject<S extends Sink = Sink> {
  /** The outputs of the pipeline that the sinks are for. */
  readonly outputs: Types;
  readonly make: () => S;
  /** The sequence numbers of what a closed sink has written, in order. Default: nobody can know. */
  readonly written?: (sink: S) => Promise<readonly number[]> | readonly number[];
  /** A new sink whose first write waits for long. Default: there is none. */
  readonly makeWaiting?: () => Sink;
  /** A new sink that cannot be opened. Default: there is none. */
  readonly makeBroken?: () => Sink;
  /** A new sink that opens, and whose writes fail. Default: there is none. */
  readonly makeFailing?: () => Sink;
}

const never = (): AbortSignal => new AbortController().signal;

export function sinkContract<S extends Sink>(subject: SinkSubject<S>): Rule[] {
  const { outputs, make, written } = subject;
  const context = { ref: "subject", outputs };
  const opened = async <T extends Sink>(sink: T): Promise<T> => {
    await fulfils("open", sink.open(context, never()));
    return sink;
  };
  const rules: Rule[] = [
    {
      name: "has written what it took when it is closed, in order, and changes nothing of it",
      run: async () => {
        const sink = await opened(make());
        for (let sequence = 0; sequence < 20; sequence++) {
          const item = fakeItem(outputs, sequence);
          await fulfils("write", sink.write(item, never()));
          assert.deepEqual(
            structuredClone(item),
            structuredClone(fakeItem(outputs, sequence)),
            "the item is as it was",
          );
        }
        await fulfils("close", sink.close());
        if (written === undefined) return;
        assert.deepEqual(
          await written(sink),
          Array.from({ length: 20 }, (_, sequence) => sequence),
        );
      },
    },
    {
      name: "settles a write that was cancelled before",
      run: async () => {
        const sink = await opened(make());
        await settles("write", sink.write(fakeItem(outputs, 0), AbortSignal.abort()));
        await fulfils("write after it", sink.write(fakeItem(outputs, 1), never()));
        await fulfils("close", sink.close());
      },
    },
    {
      name: "can be closed at any time, again and again, and leaves no handles",
      run: async () => {
        const unopened = make();
        await fulfils("close before open", unopened.close());
        await fulfils("close again", unopened.close());
        await leavesNothing(async () => {
          const unused = await opened(make());
          await fulfils("close before write", unused.close());
          const busy = await opened(make());
          const write = busy.write(fakeItem(outputs, 0), never());
          const closing = Promise.all([
            fulfils("close", busy.close()),
            fulfils("close at the same time", busy.close()),
          ]);
          await settles("the write that was under way", write);
          await closing;
          await fulfils("close again", busy.close());
          const opening = make();
          await Promise.all([
            settles("open", opening.open(context, never())),
            fulfils("close while it opens", opening.close()),
          ]);
        });
      },
    },
    {
      name: "refuses by a code what comes after close",
      run: async () => {
        const sink = await opened(make());
        await fulfils("close", sink.close());
        await rejectsWithCode("write", sink.write(fakeItem(outputs, 0), never()));
      },
    },
  ];
  return [...rules, ...troubleRules(subject, context, opened)];
}

function troubleRules<S extends Sink>(
  { outputs, makeWaiting, makeBroken, makeFailing }: SinkSubject<S>,
  context: { readonly ref: string; readonly outputs: Types },
  opened: <T extends Sink>(sink: T) => Promise<T>,
): Rule[] {
  const rules: Rule[] = [];
  if (makeWaiting !== undefined) {
    rules.push({
      name: "settles soon a write that is cancelled, or closed upon, while it waits",
      run: () =>
        leavesNothing(async () => {
          const controller = new AbortController();
          const cancelled = await opened(makeWaiting());
          const first = cancelled.write(fakeItem(outputs, 0), controller.signal);
          controller.abort();
          await settles("write", first);
          await fulfils("close", cancelled.close());
          const closed = await opened(makeWaiting());
          const second = closed.write(fakeItem(outputs, 0), never());
          const settled = settles("write", second);
          await fulfils("close", closed.close());
          await settled;
        }),
    });
  }
  if (makeBroken !== undefined) {
    rules.push({
      name: "says by a code why it cannot be opened, and leaves no handles",
      run: () =>
        leavesNothing(async () => {
          const sink = makeBroken();
          await rejectsWithCode("open", sink.open(context, never()));
          await fulfils("close", sink.close());
        }),
    });
  }
  if (makeFailing !== undefined) {
    rules.push({
      name: "says by a code why it cannot write, and can be closed",
      run: () =>
        leavesNothing(async () => {
          const sink = await opened(makeFailing());
          await rejectsWithCode("write", sink.write(fakeItem(outputs, 0), never()));
          await settles("close", sink.close());
        }),
    });
  }
  return rules;
}

/** The same item for the same sequence number. */
export function fakeItem(outputs: Types, sequence: number): SinkItem {
  return {
    outputs: fakeValues(outputs, new Random(sequence)),
    source: "source",
    stateId: "stream",
    sequence,
    capturedAt: 1_700_000_000_000 + sequence,
    predictedAt: 1_700_000_000_001 + sequence,
  };
}
