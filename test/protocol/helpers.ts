import type { Test } from "tap";
import type { RawTensor } from "../../src/datatype.js";
import { InvalidArgumentError } from "../../src/errors.js";
import { type EncodedMessage, utf8Text } from "../../src/protocol/index.js";
import { binaryOf } from "../../src/protocol/tensor.js";

export const utf8 = (text: string) => new TextEncoder().encode(text);

/** What a socket would have received. */
export function bodyOf(message: EncodedMessage): Uint8Array {
  const body = new Uint8Array(message.total);
  body.set(message.header);
  let at = message.header.byteLength;
  for (const part of message.parts) {
    body.set(part, at);
    at += part.byteLength;
  }
  return body;
}

export function textOf(message: EncodedMessage): string {
  return utf8Text(bodyOf(message), "body");
}

/** A body in the binary form from any JSON and any bytes, right or wrong. */
export function binaryBody(json: unknown, ...parts: Uint8Array[]): { body: Uint8Array; headerLength: number } {
  const header = utf8(typeof json === "string" ? json : JSON.stringify(json));
  const all = [header, ...parts].flatMap((part) => [...part]);
  return { body: Uint8Array.from(all), headerLength: header.byteLength };
}

/** Tensors reduced to what must survive: comparing bytes tells -0 from 0 and lets NaN equal itself. */
export function essence(tensor: RawTensor): unknown {
  const { datatype, shape } = tensor;
  return { datatype, shape: [...shape], bytes: [...binaryOf(tensor)] };
}

export function rejects(test: Test, run: () => unknown, path: string, message: RegExp): void {
  try {
    run();
  } catch (error) {
    if (!(error instanceof InvalidArgumentError)) throw error;
    test.equal(error.path, path);
    test.match(error.message, message);
    return;
  }
  test.fail(`accepted what should be refused at ${path}`);
}
