// The command line of `npm run bench:peers`.

import { measuringOptions } from "../../lib/options.mjs";

/**
 * @typedef {object} Options
 * @property {boolean} help
 * @property {boolean} install     only that
 * @property {boolean} quick
 * @property {boolean} write       into bench/RESULTS.md and bench/peers/results.json
 * @property {string[]} only       servers to measure, by id or the beginning of one; empty: all
 * @property {number} repetitions
 * @property {number} seconds      measured, per form and repetition
 * @property {number} warmup       seconds before that, not measured
 * @property {number} serverCore
 * @property {number} clientCore
 * @property {string | undefined} python
 */

const DEFAULTS = { repetitions: 5, seconds: 3, warmup: 1 };
const QUICK = { repetitions: 1, seconds: 1, warmup: 0.5 };

export const HELP = `Usage: npm run bench:peers -- [options]        (build Headrace first: npm run build)

Measures Headrace beside the servers people would otherwise use, on this machine, with the same stateful model, and
writes bench/RESULTS.md and bench/peers/results.json. The first run installs the peers: npm packages beside their
lockfiles, and an environment of Python for each under build/peers.

Options:
  --install             only install what is missing (about 2 GB), measure nothing
  --quick               one repetition of 1 s each: is everything in working order?
  --only NAME           only Headrace and the servers whose name begins with NAME; comma-separated or several times
  --repetitions N       how often everything is measured, interleaved (default ${DEFAULTS.repetitions})
  --seconds S           length of one measurement (default ${DEFAULTS.seconds})
  --warmup S            unmeasured time before each (default ${DEFAULTS.warmup})
  --server-core N       core of the servers, all their processes and threads (default 0)
  --client-core N       core of the load generator (default 1)
  --python PROGRAM      the Python 3.11 or 3.12 to make environments with (default: the first that is found)
  --write               write the files after --quick or --only too
  --help                this text

Exit status: 0 everything could be measured, 1 something could not, 2 wrong usage.

Examples:
  npm run bench:peers
  npm run bench:peers -- --install
  npm run bench:peers -- --only fastapi,mosec --repetitions 3
`;

/** @returns {Options} */
export function readOptions(argv) {
  const { values, common } = measuringOptions(
    argv,
    {
      install: { type: "boolean", default: false },
      write: { type: "boolean", default: false },
      python: { type: "string" },
    },
    { defaults: DEFAULTS, quick: QUICK, leastSeconds: 0.5 },
  );
  return {
    ...common,
    install: values.install,
    // A quick or partial run must not pass for the project's figures.
    write: values.write || (!common.quick && common.only.length === 0),
    python: values.python,
  };
}
