// The command line of the benchmark.

import { resolve } from "node:path";
import { parseArgs } from "node:util";
import { SILERO_MODEL } from "./paths.mjs";

/** The command line cannot be used; the message says why. */
export class UsageError extends Error {}

/**
 * @typedef {object} Options
 * @property {boolean} help
 * @property {boolean} json
 * @property {boolean} quick
 * @property {string[]} only      subjects to run, by id or the beginning of one; empty: all
 * @property {number} repetitions
 * @property {number} seconds     measured, per subject and repetition
 * @property {number} warmup      seconds before that, not measured
 * @property {number} serverCore  where servers and the bare loop run
 * @property {number} clientCore  where the load generator runs
 * @property {string} sileroModel
 * @property {string | undefined} out
 */

const DEFAULTS = { repetitions: 5, seconds: 3, warmup: 1 };
const QUICK = { repetitions: 1, seconds: 1, warmup: 0.5 };

export const HELP = `Usage: npm run bench -- [options]        (build Headrace first: npm run build)

Measures Headrace beside the bare ONNX Runtime loop, a bare uWebSockets.js server and Fastify with JSON, and prints
medians, their spread and whether each target was met. A full run also writes bench/results.json.

Options:
  --quick               one repetition of 1 s each: is everything in working order?
  --only NAME           only the subjects whose name begins with NAME; comma-separated or given several times
  --repetitions N       how often everything is measured, interleaved (default ${DEFAULTS.repetitions})
  --seconds S           length of one measurement (default ${DEFAULTS.seconds})
  --warmup S            unmeasured time before each (default ${DEFAULTS.warmup})
  --server-core N       core of the servers and the bare loop (default 0)
  --client-core N       core of the load generator (default 1)
  --silero-model FILE   the Silero VAD model for the bare loop and the peer (default: the one of examples/vad)
  --json                print the machine-readable result instead of the tables
  --out FILE            write the result there, also after --quick or --only
  --help                this text

Subjects: bare-gru-b1 -b16 -b64, bare-silero-b1 -b16 -b64, floor-ws, floor-http, headrace-ws-gru, headrace-ws-gru-16,
headrace-ws-silero, headrace-ws-silero-16, headrace-http-gru, headrace-http-json, headrace-predict, echo-json,
fastify-gru, fastify-silero, headrace-grpc-gru, grpc-js-gru, latency-headrace, latency-echo

Exit status: 0 everything could be measured (whether or not targets were met), 1 something failed, 2 wrong usage.

Examples:
  npm run bench
  npm run bench -- --quick
  npm run bench -- --only headrace-ws-gru,bare-gru-b64 --repetitions 3
  npm run bench -- --only latency,bare-gru-b1
  npm run bench -- --json > result.json
`;

/** @returns {Options} */
export function readOptions(argv) {
  const { values, common } = measuringOptions(
    argv,
    {
      json: { type: "boolean", default: false },
      "silero-model": { type: "string", default: SILERO_MODEL },
      out: { type: "string" },
    },
    { defaults: DEFAULTS, quick: QUICK, leastSeconds: 0.1 },
  );
  return {
    ...common,
    json: values.json,
    sileroModel: resolve(values["silero-model"]),
    out: values.out === undefined ? undefined : resolve(values.out),
  };
}

/** What all that measure in repetitions take. */
const MEASURING = {
  help: { type: "boolean", short: "h", default: false },
  quick: { type: "boolean", default: false },
  only: { type: "string", multiple: true, default: [] },
  repetitions: { type: "string" },
  seconds: { type: "string" },
  warmup: { type: "string" },
  "server-core": { type: "string", default: "0" },
  "client-core": { type: "string", default: "1" },
};

/**
 * The options that all have, checked, and the values of a program's own.
 * @param {string[]} argv
 * @param {import("node:util").ParseArgsConfig["options"]} own
 * @param {{ defaults: object, quick: object, leastSeconds: number }} lengths  repetitions, seconds and warmup; the former
 *   unless --quick is given
 */
export function measuringOptions(argv, own, { defaults, quick, leastSeconds }) {
  const values = parse(argv, { ...MEASURING, ...own });
  const base = values.quick ? quick : defaults;
  const common = {
    help: values.help,
    quick: values.quick,
    only: values.only.flatMap((names) => names.split(",")).filter((name) => name !== ""),
    repetitions: whole("repetitions", values.repetitions ?? base.repetitions, 1),
    seconds: number("seconds", values.seconds ?? base.seconds, leastSeconds),
    warmup: number("warmup", values.warmup ?? base.warmup, 0),
    serverCore: whole("server-core", values["server-core"], 0),
    clientCore: whole("client-core", values["client-core"], 0),
  };
  return { values, common };
}

/** @param {import("node:util").ParseArgsConfig["options"]} options */
export function parse(argv, options) {
  try {
    return parseArgs({ args: argv, options }).values;
  } catch (error) {
    throw new UsageError(`${error.message}; see --help`);
  }
}

export function number(name, value, least) {
  const parsed = Number(value);
  if (!Number.isFinite(parsed) || value === "" || parsed < least) {
    throw new UsageError(`--${name} wants a number of at least ${least}, not "${value}"`);
  }
  return parsed;
}

function whole(name, value, least) {
  const parsed = number(name, value, least);
  if (!Number.isInteger(parsed)) throw new UsageError(`--${name} wants a whole number, not "${value}"`);
  return parsed;
}
