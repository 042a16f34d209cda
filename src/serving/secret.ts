/** A value that may be passed on but not shown: logs, JSON and error messages have a placeholder. */
import { createHmac, randomBytes } from "node:crypto";
import { inspect } from "node:util";

const PLACEHOLDER = "[secret]";
/** Of this process alone, so that a fingerprint says nothing to anybody else. */
const key = randomBytes(32);

/**
 * A string that prints as `[secret]`, as `getParameters` gives a passphrase.
 *
 * ```ts
 * const { tls } = web.getParameters();
 * console.log(tls?.passphrase); // [secret]
 * ```
 */
export class Secret {
  readonly #value: string;
  /** The same for the same value within this process; nobody learns the value from it. */
  readonly fingerprint: string;

  constructor(value: string) {
    this.#value = value;
    this.fingerprint = createHmac("sha256", key).update(value).digest("base64url");
  }

  /** The string itself, for whoever has to use it. */
  reveal(): string {
    return this.#value;
  }

  /** `[secret]`. */
  toJSON(): string {
    return PLACEHOLDER;
  }

  /** `[secret]`. */
  toString(): string {
    return PLACEHOLDER;
  }

  /** @internal */
  [inspect.custom](): string {
    return PLACEHOLDER;
  }
}
