/** Sources and sinks as what they have in common: made by their entry, opened, and closed once, whatever happens. */
import { type HeadraceError, toHeadraceError } from "../../errors.js";
import type { Logger } from "../../log.js";
import { checkMade } from "./parameters.js";
import { orLeave } from "./patience.js";

const OPEN_MILLIS = 30_000;

/** Which end it is, and who hears of it when it cannot be closed. */
export interface EndHost {
  readonly kind: "source" | "sink";
  readonly ref: string;
  readonly log: Logger | undefined;
  note(error: HeadraceError): void;
}

/**
 * The end that an entry gives, open. Where that fails, it has been closed.
 *
 * @param stop  Gives up opening it.
 * @param leave  Gives up waiting for it to close.
 */
export async function openEnd<E extends { close(): Promise<void> | void }>(
  maker: E | (() => E),
  open: (end: E, signal: AbortSignal) => Promise<void> | void,
  host: EndHost,
  stop: AbortSignal,
  leave: AbortSignal,
): Promise<E> {
  const { kind, ref } = host;
  const end = typeof maker === "function" ? maker() : maker;
  checkMade(end, kind === "source" ? "read" : "write", `${kind}s.${ref}.${kind}`, kind);
  const signal = AbortSignal.any([stop, AbortSignal.timeout(OPEN_MILLIS)]);
  try {
    await orLeave(Promise.resolve(open(end, signal)), signal, `opening ${kind} '${ref}'`);
    return end;
  } catch (error) {
    await closeEnd(end, host, leave);
    throw error;
  }
}

/** Closes it; whatever happens, it gets no longer than the patience of `orLeave` once the driver gives up. Never rejects. */
export async function closeEnd(
  end: { close(): Promise<void> | void },
  host: EndHost,
  leave: AbortSignal,
): Promise<void> {
  const { kind, ref } = host;
  const closing = Promise.resolve().then(() => end.close());
  await orLeave(closing, leave, `closing ${kind} '${ref}'`).catch((error: unknown) => {
    host.note(toHeadraceError(error));
    host.log?.error({ err: error, [kind]: ref }, `${kind} '${ref}' failed to close`);
  });
}
