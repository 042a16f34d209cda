/**
 * What others packed with gzip, or with deflate in the zlib format, unpacked by the addon: small ones at once, since handing them to
 * another thread costs more than the work, large ones on libuv's workers and a few at a time.
 */

import { addon } from "../engine/load.js";
import { fromNative } from "../engine/native-errors.js";
import { InflateOutcome, type NativeInflated } from "../engine/surface.js";
import type { HeadraceError } from "../errors.js";
import { Semaphore } from "./semaphore.js";
import { TurnBudget } from "./turn-budget.js";

/** What can be taken apart, and put together. */
export const ENCODINGS = ["gzip", "deflate"] as const;
export type Encoding = (typeof ENCODINGS)[number];

/** What is all there. */
export interface Packed {
  readonly bytes: Uint8Array;
  /** Whether it stays as it is; otherwise only until the call returns. */
  readonly isOurs: boolean;
}

/** What is not whole. */
export type NotInflated = Exclude<NativeInflated, { readonly outcome: typeof InflateOutcome.whole }>;

/** Where it goes; one of the last three is called, at once or later. */
export interface InflateDone {
  /** Whether anybody still waits for it, when its turn comes; nothing more is called where nobody does. */
  isWanted(): boolean;
  inflated(bytes: Uint8Array): void;
  /** It is too large, broken, or has something behind its end. */
  refused(result: NotInflated): void;
  /** RESOURCE_EXHAUSTED: there is no memory for it. */
  failed(error: HeadraceError): void;
}

/** What is packed in more, or becomes more, is for another thread. What turns out to become more is begun again there. */
const AT_ONCE_PACKED_BYTES = 16 << 10;
const AT_ONCE_BYTES = 64 << 10;
/** Small ones may be many, and what is packed to be slow takes a hundred times as long as what is not. */
const atOnce = new TurnBudget(2);

/** One fewer than the threads that libuv has by default: large ones take long, and others need threads too. */
const inflating = new Semaphore(3);

/** A member of gzip that is empty has as many bytes; the last four of each are how many it becomes. */
const LEAST_GZIP_BYTES = 20;

/**
 * Inflates it. Several members of gzip in a row are one.
 * @param limit Most bytes that may come out; no more memory than about this is taken.
 */
export function inflateAll(packed: Packed, encoding: Encoding, limit: number, done: InflateDone): void {
  if (isForThisThread(packed.bytes, encoding) && inflatedAtOnce(packed.bytes, encoding, limit, done)) return;
  const bytes = packed.isOurs ? packed.bytes : new Uint8Array(packed.bytes);
  inflating.acquire(() => done.isWanted() && inflateElsewhere(bytes, encoding, limit, done));
}

function isForThisThread(packed: Uint8Array, encoding: Encoding): boolean {
  const { buffer, byteOffset, byteLength } = packed;
  if (byteLength > AT_ONCE_PACKED_BYTES || atOnce.isSpent) return false;
  if (encoding !== "gzip" || byteLength < LEAST_GZIP_BYTES) return true;
  // Whoever lies here only has it done elsewhere.
  return new DataView(buffer, byteOffset, byteLength).getUint32(byteLength - 4, true) <= AT_ONCE_BYTES;
}

/** False: it is larger than what should be done on this thread. */
function inflatedAtOnce(packed: Uint8Array, encoding: Encoding, limit: number, done: InflateDone): boolean {
  const { buffer, byteOffset, byteLength } = packed;
  const most = Math.min(limit, AT_ONCE_BYTES);
  let result: NativeInflated;
  try {
    result = atOnce.spend(() =>
      addon().inflateNow(buffer as ArrayBuffer, byteOffset, byteLength, encoding === "gzip", most),
    );
  } catch (error) {
    done.failed(fromNative(error));
    return true;
  }
  if (result.outcome === InflateOutcome.tooLarge && most < limit) return false;
  hand(result, done);
  return true;
}

/**
 * Whether it has begun.
 * @param packed Must not change until it is done.
 */
function inflateElsewhere(packed: Uint8Array, encoding: Encoding, limit: number, done: InflateDone): boolean {
  const { buffer, byteOffset, byteLength } = packed;
  try {
    addon().inflate(buffer as ArrayBuffer, byteOffset, byteLength, encoding === "gzip", limit, (error, result) => {
      inflating.release();
      if (error === undefined) hand(result, done);
      else done.failed(fromNative(error));
    });
    return true;
  } catch (error) {
    done.failed(fromNative(error));
    return false;
  }
}

function hand(result: NativeInflated, done: InflateDone): void {
  if (result.outcome === InflateOutcome.whole) done.inflated(new Uint8Array(result.bytes));
  else done.refused(result);
}
