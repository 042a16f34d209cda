/**
 * What others packed with gzip, or with deflate in the zlib format, unpacked by the addon: small ones at once, since handing them to
 * another thread costs more than the work, large ones on libuv's workers and a few at a time.
 */

import { addon } from "../engine/load.js";
import { fromNative } from "../engine/native-errors.js";
import { InflateOutcome, type NativeInflated } from "../engine/surface.js";
import type { HeadraceError } from "../errors.js";
import { Semaphore } from "./semaphore.js";

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

/** As many threads as libuv has for it: more at a time would not be faster, and who has gone meanwhile costs nothing. */
const inflating = new Semaphore(4);

/**
 * Inflates it. Several members of gzip in a row are one.
 * @param limit Most bytes that may come out; no more memory than about this is taken.
 */
export function inflateAll({ bytes, isOurs }: Packed, encoding: Encoding, limit: number, done: InflateDone): void {
  if (bytes.byteLength > AT_ONCE_PACKED_BYTES || !inflatedAtOnce(bytes, encoding, limit, done)) {
    inflateInTurn(isOurs ? bytes : new Uint8Array(bytes), encoding, limit, done);
  }
}

/** False: it is larger than what should be done on this thread. */
function inflatedAtOnce(packed: Uint8Array, encoding: Encoding, limit: number, done: InflateDone): boolean {
  const { buffer, byteOffset, byteLength } = packed;
  const most = Math.min(limit, AT_ONCE_BYTES);
  let result: NativeInflated;
  try {
    result = addon().inflateNow(buffer as ArrayBuffer, byteOffset, byteLength, encoding === "gzip", most);
  } catch (error) {
    done.failed(fromNative(error));
    return true;
  }
  if (result.outcome === InflateOutcome.tooLarge && most < limit) return false;
  hand(result, done);
  return true;
}

/** @param packed Must not change until it is done. */
function inflateInTurn(packed: Uint8Array, encoding: Encoding, limit: number, done: InflateDone): void {
  const { buffer, byteOffset, byteLength } = packed;
  inflating.acquire(() => {
    if (!done.isWanted()) return false;
    addon()
      .inflate(buffer as ArrayBuffer, byteOffset, byteLength, encoding === "gzip", limit)
      .then(
        (result) => hand(result, done),
        (error: unknown) => done.failed(fromNative(error)),
      )
      .finally(() => inflating.release());
    return true;
  });
}

function hand(result: NativeInflated, done: InflateDone): void {
  if (result.outcome === InflateOutcome.whole) done.inflated(new Uint8Array(result.bytes));
  else done.refused(result);
}
