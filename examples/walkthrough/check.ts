/** What the walk-through expects: it stops where something is otherwise. */
import assert from "node:assert/strict";

type ErrorClass = abstract new (...given: never[]) => Error;

export function same(found: unknown, expected: unknown): void {
  assert.deepEqual(found, expected);
}

export function equal(found: unknown, expected: unknown): void {
  assert.deepEqual(found, expected);
}

export function throws(action: () => unknown, type: ErrorClass, message: string): void {
  assert.throws(action, (error) => is(error, type, message));
}

export async function rejects(outcome: Promise<unknown>, type: ErrorClass, message: string): Promise<void> {
  await assert.rejects(outcome, (error) => is(error, type, message));
}

function is(error: unknown, type: ErrorClass, message: string): true {
  assert.ok(error instanceof type, `expected ${type.name}, got ${String(error)}`);
  assert.ok(error.message.startsWith(message), `expected "${message}…", got "${error.message}"`);
  return true;
}

export function say(text: string): void {
  process.stdout.write(`${text}\n`);
}
