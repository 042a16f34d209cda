/** The arguments as they were typed: on its own cac makes 7 of `007`, 0 of an empty text, and options of `-1`. */
import type { CAC } from "cac";
import { InvalidArgumentError } from "../errors.js";

/** Goes before each text on its way through cac, which then leaves it alone. No argument of a process can hold it. */
const MARK = "\0";

const NEGATIVE_NUMBER = /^-\.?\d/;

/**
 * Parses without running the command. Values of options and positionals are the texts that were typed; of an option that
 * may be given several times there may be an array. Throws INVALID_ARGUMENT for another that was.
 */
export function parseTexts(cli: CAC, argv: readonly string[]): void {
  const [node = "", script = "", ...words] = argv;
  cli.parse([node, script, ...markTexts(cli, words)], { run: false });
  cli.args = cli.args.map(unmark);
  cli.options = Object.fromEntries(
    Object.entries(cli.options as Record<string, unknown>).map(([name, value]) => [name, unmarkValue(value)]),
  );
  refuseSeveral(cli);
}

function refuseSeveral({ matchedCommand, options }: CAC): void {
  for (const { name, rawName, description } of matchedCommand?.options ?? []) {
    const value: unknown = options[name];
    // Help says of which there may be several.
    const maySeveral = rawName.endsWith(" <list>") || description.includes("may be given several times");
    if (!Array.isArray(value) || maySeveral) continue;
    throw new InvalidArgumentError("takes one value", { path: rawName.replace(/ .*/, "") });
  }
}

function markTexts(cli: CAC, words: readonly string[]): string[] {
  // The command's own name is for cac to find.
  const at = words.findIndex((word) => word !== "" && cli.commands.some(({ name }) => name === word));
  const options = cli.commands.find(({ name }) => name === words[at])?.options ?? [];
  const takesValue = (word: string): boolean => options.some(({ rawName }) => rawName.startsWith(`${word} <`));
  return words.map((word, i) => {
    if (i === at) return word;
    const isNegative = NEGATIVE_NUMBER.test(word) && takesValue(words[i - 1] ?? "");
    if (!word.startsWith("-") || isNegative) return MARK + word;
    // To cac that would be a field of an option.
    if (/^-[^=]*\./.test(word)) throw new InvalidArgumentError(`Unknown option \`${word}\``);
    const [, option = "", value = ""] = /^(--[^=]+)=(.*)$/s.exec(word) ?? [];
    return takesValue(option) ? `${option}=${MARK}${value}` : word;
  });
}

function unmark(text: string): string {
  return text.startsWith(MARK) ? text.slice(MARK.length) : text;
}

function unmarkValue(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(unmarkValue);
  return typeof value === "string" ? unmark(value) : value;
}
