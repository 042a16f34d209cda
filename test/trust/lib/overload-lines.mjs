// What an overload is held to.

import { percent, percentile } from "../../../bench/lib/statistics.mjs";

export const FACTOR = 5;
const LEAST_OFFERED = 0.95;
const GOAL_GOODPUT = 0.8;
const GOAL_P99_RATIO = 3;
const GOAL_REFUSED_MILLIS = 50;
const GOAL_RECOVERY_SECONDS = 5;

/**
 * @typedef {object} Overload
 * @property {import("./offered-load.mjs").Tally & { goodput: number }} tally  goodput: accepted in a second that others left the core
 * @property {number} rate  that was to be offered
 * @property {{ goodput: number, p99: number }} peak  of a closed loop; p99 in milliseconds
 * @property {number} recoverySeconds
 */

export const p99 = (values) => percentile(values, 0.99);

/** @param {Overload} overload @returns {import("./check.mjs").Line[]} */
export function overloadLines({ tally, rate, peak, recoverySeconds }) {
  const offered = tally.sent / tally.seconds / rate;
  const others = `${tally.failed} others${tally.problem === undefined ? "" : `, the first: ${tally.problem}`}`;
  const share = tally.goodput / peak.goodput;
  const ratio = p99(tally.accepted) / peak.p99;
  const refused = p99(tally.refused);
  return [
    {
      what: "the load",
      goal: `>= ${percent(LEAST_OFFERED)} of ${FACTOR} times the peak is offered`,
      measured: percent(offered),
      passed: offered >= LEAST_OFFERED,
    },
    {
      what: "every answer",
      goal: "200, 429 with Retry-After, or RESOURCE_EXHAUSTED on a stream",
      measured: others,
      passed: tally.failed === 0,
    },
    {
      what: "goodput",
      goal: `>= ${percent(GOAL_GOODPUT)} of the peak, in the time that others leave the core`,
      measured: percent(share),
      passed: share >= GOAL_GOODPUT,
    },
    {
      what: "p99 of the accepted, by that at the peak",
      goal: `<= ${GOAL_P99_RATIO}`,
      measured: `${ratio.toFixed(2)}, ${p99(tally.accepted).toFixed(0)} ms`,
      passed: ratio <= GOAL_P99_RATIO,
    },
    {
      what: "p99 of the refused",
      goal: `<= ${GOAL_REFUSED_MILLIS} ms`,
      measured: `${refused.toFixed(1)} ms, ${tally.refused.length} refused`,
      passed: refused <= GOAL_REFUSED_MILLIS,
    },
    {
      what: "normal latency afterwards",
      goal: `within ${GOAL_RECOVERY_SECONDS} s`,
      measured: `${recoverySeconds.toFixed(2)} s`,
      passed: recoverySeconds <= GOAL_RECOVERY_SECONDS,
    },
  ];
}

/** @param {Overload} overload @returns {Record<string, number>} */
export function overloadFigures({ tally, peak }) {
  return {
    peak_per_s: peak.goodput,
    peak_p99_ms: peak.p99,
    offered_per_s: tally.sent / tally.seconds,
    refused_per_s: tally.refused.length / tally.seconds,
    refused_p50_ms: percentile(tally.refused, 0.5),
  };
}
