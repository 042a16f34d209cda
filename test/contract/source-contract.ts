/**
 * The contract of sources (`headrace/sources/source`) as rules that any source can be held to:
 *
 *     for (const { name, run } of sourceContract({ inputs, make: () => new MySource() })) test(name, run);
 */
import assert from "node:assert/strict";
import type { Source, SourceItem } from "../../src/sources/source.js";
import { parseValues, type Types } from "../../src/types/index.js";
import { fulfils, leavesNothing, type Rule, rejectsWithCode, settles } from "./check.js";

export interface SourceSubject {
  /** The inputs of the pipeline that the sources are for. */
  readonly inputs: Types;
  /** A new source that gives at least three items without being waited for, and ends. */
  readonly make: () => Source;
  /** A new source that gives one item and then waits for long. Default: there is none. */
  readonly makeWaiting?: () => Source;
  /** A new source that cannot be opened. Default: there is none. */
  readonly makeBroken?: () => Source;
}

const never = (): AbortSignal => new AbortController().signal;

export function sourceContract({ inputs, make, makeWaiting, makeBroken }: SourceSubject): Rule[] {
  const context = { ref: "subject", inputs };
  const opened = async (source: Source): Promise<Source> => {
    await fulfils("open", source.open(context, never()));
    return source;
  };
  const rules: Rule[] = [
    {
      name: "gives items that fit the pipeline, and ends",
      run: async () => {
        const source = await opened(make());
        const items: SourceItem[] = [];
        await fulfils("read", collect(source, never(), items));
        await fulfils("close", source.close());
        assert.ok(items.length >= 3, `${items.length} items`);
        for (const item of items) {
          parseValues(inputs, item.inputs, "inputs");
          assert.ok(item.capturedAt === undefined || Number.isFinite(item.capturedAt), "capturedAt is a number");
        }
      },
    },
    {
      name: "does not change an item that it has given",
      run: async () => {
        const source = await opened(make());
        const iterator = source.read(never())[Symbol.asyncIterator]();
        const { value: first } = await fulfils("next", iterator.next());
        const before = structuredClone((first as SourceItem).inputs);
        while (!(await fulfils("next", iterator.next())).done);
        assert.deepEqual(structuredClone((first as SourceItem).inputs), before);
        await fulfils("close", source.close());
      },
    },
    {
      name: "gives nothing when it was cancelled before",
      run: async () => {
        const source = await opened(make());
        const items: SourceItem[] = [];
        await settles("read", collect(source, AbortSignal.abort(), items));
        assert.equal(items.length, 0);
        await fulfils("close", source.close());
      },
    },
    {
      name: "ends soon when it is cancelled between two items",
      run: async () => {
        const source = await opened(make());
        const controller = new AbortController();
        const iterator = source.read(controller.signal)[Symbol.asyncIterator]();
        await fulfils("next", iterator.next());
        controller.abort();
        const outcome = await settles("next", iterator.next());
        assert.ok(outcome.status === "rejected" || outcome.value.done === true, "no item after the signal");
        await fulfils("close", source.close());
      },
    },
    {
      name: "can be closed at any time, again and again, and leaves no handles",
      run: async () => {
        const never = make();
        await fulfils("close before open", never.close());
        await fulfils("close again", never.close());
        await leavesNothing(async () => {
          const unread = await opened(make());
          await fulfils("close before read", unread.close());
          await fulfils("close again", unread.close());
          const left = await opened(make());
          for await (const _item of left.read(new AbortController().signal)) break;
          await Promise.all([fulfils("close", left.close()), fulfils("close at the same time", left.close())]);
          const abandoned = await opened(make());
          await abandoned.read(new AbortController().signal)[Symbol.asyncIterator]().next();
          await fulfils("close of one that is not read on", abandoned.close());
          const opening = make();
          await Promise.all([
            settles("open", opening.open(context, new AbortController().signal)),
            fulfils("close while it opens", opening.close()),
          ]);
        });
      },
    },
  ];
  if (makeWaiting !== undefined) rules.push(...waitingRules(makeWaiting, opened));
  if (makeBroken !== undefined) {
    rules.push({
      name: "says by a code why it cannot be opened, and leaves no handles",
      run: () =>
        leavesNothing(async () => {
          const source = makeBroken();
          await rejectsWithCode("open", source.open(context, never()));
          await fulfils("close", source.close());
        }),
    });
  }
  return rules;
}

function waitingRules(makeWaiting: () => Source, opened: (source: Source) => Promise<Source>): Rule[] {
  const untilItWaits = async (signal: AbortSignal) => {
    const source = await opened(makeWaiting());
    const iterator = source.read(signal)[Symbol.asyncIterator]();
    await fulfils("next", iterator.next());
    return { source, next: iterator.next() };
  };
  const ended = (outcome: PromiseSettledResult<IteratorResult<SourceItem>>): void =>
    assert.ok(outcome.status === "rejected" || outcome.value.done === true, "no item comes any more");
  return [
    {
      name: "ends soon when it is cancelled while it waits",
      run: () =>
        leavesNothing(async () => {
          const controller = new AbortController();
          const { source, next } = await untilItWaits(controller.signal);
          controller.abort();
          ended(await settles("next", next));
          await fulfils("close", source.close());
        }),
    },
    {
      name: "ends soon when it is closed while it waits",
      run: () =>
        leavesNothing(async () => {
          const { source, next } = await untilItWaits(never());
          await fulfils("close", source.close());
          ended(await settles("next", next));
          await fulfils("close again", source.close());
        }),
    },
  ];
}

async function collect(source: Source, signal: AbortSignal, items: SourceItem[]): Promise<void> {
  for await (const item of source.read(signal)) items.push(item);
}
