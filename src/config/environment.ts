/** `${NAME}` and `${NAME:-default}` in the strings of a configuration file. */

/** Variables by name, as in `process.env`: what `${NAME}` in a configuration file stands for. */
export type Environment = Readonly<Record<string, string | undefined>>;

/** `$${` is a literal `${`; else up to the brace that closes, which may be missing. */
const REFERENCE = /\$\$\{|\$\{([^}]*)(\}?)/g;
const NAME = /^([A-Za-z_][A-Za-z0-9_]*)(?::-(.*))?$/s;

/**
 * A string with its references replaced. What comes from the environment is not looked at again.
 * @throws Error, with what to do, for a variable that is not set and has no default, and for what is no reference.
 */
export function expand(text: string, environment: Environment): string {
  return text.replaceAll(REFERENCE, (whole, inner: string | undefined, brace: string) => {
    if (inner === undefined) return "${";
    const [, name, otherwise] = NAME.exec(inner) ?? [];
    if (name === undefined || brace === "") {
      throw new Error(`expected \${NAME} or \${NAME:-default}, got '${whole}'; write $\${ for a literal \${`);
    }
    const value = Object.hasOwn(environment, name) ? environment[name] : undefined;
    // As in a shell: a default is for what is empty, too.
    if (otherwise !== undefined && (value === undefined || value === "")) return otherwise;
    if (value !== undefined) return value;
    throw new Error(`the environment variable ${name} is not set; set it, or write \${${name}:-default}`);
  });
}

/** What an unquoted value says once it is expanded: a number or a boolean where it reads as one, else the string. */
export function reread(text: string): string | number | boolean {
  if (text === "true" || text === "false") return text === "true";
  // JSON's numbers: without leading zeros, which codes and dates have.
  return /^-?(0|[1-9]\d*)(\.\d+)?([eE][-+]?\d+)?$/.test(text) ? Number(text) : text;
}
