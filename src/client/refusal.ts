/** Why a server did not upgrade a connection: the answer that it gave instead, of which a WebSocket's own error has the status alone. */
import type { HeadraceError } from "../errors.js";
import { errorOfResponse, joinBytes } from "../protocol/index.js";

/** As much as is read of the answer's body: the reason is a line, and anybody may have written it. */
const MAX_BYTES = 16_384;
/** Milliseconds that the body is waited for: the status alone has to do then. */
const MAX_MS = 2000;

/** As much of Node.js' IncomingMessage as is used. */
export interface Refusal {
  readonly statusCode?: number | undefined;
  readonly socket: { destroy(): unknown };
  on(event: "data", listener: (chunk: Uint8Array) => void): unknown;
  on(event: "end" | "close" | "error", listener: () => void): unknown;
}

/** The error that the answer means. Never rejects; by then the connection is gone, whoever closed it, and so is the timer. */
export async function refusalError(answer: Refusal): Promise<HeadraceError> {
  const body = await beginning(answer);
  return errorOfResponse(answer.statusCode ?? 0, new TextDecoder().decode(body));
}

/** What arrives of the body within the bounds. */
function beginning(answer: Refusal): Promise<Uint8Array> {
  return new Promise((resolve) => {
    // The answer lets go of it at its end.
    const { socket } = answer;
    const chunks: Uint8Array[] = [];
    let length = 0;
    const done = () => {
      clearTimeout(timer);
      // At once: a turn later it may be kept for another request, or belong to one.
      socket.destroy();
      resolve(joinBytes(chunks, length).subarray(0, MAX_BYTES));
    };
    const timer = setTimeout(done, MAX_MS);
    answer.on("data", (chunk) => {
      chunks.push(chunk);
      length += chunk.byteLength;
      if (length >= MAX_BYTES) done();
    });
    for (const event of ["end", "close", "error"] as const) answer.on(event, done);
  });
}
