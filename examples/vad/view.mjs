/** Draws probabilities as they arrive: a live strip chart on a terminal, one plain line per second elsewhere. */

const BLOCKS = " ▁▂▃▄▅▆▇█";
const ROWS = 4;
/** Steps between two marks on the time axis: 2 s at 32 ms. */
const MARK_EVERY = 62.5;

const GREEN = 32;
const GREY = 90;
const BOLD = 1;

/**
 * @typedef {object} Step
 * @property {number} probability
 * @property {number} seconds Where in the recording the step ends.
 * @property {number} latencyMs From sending the step to its answer.
 *
 * @param {NodeJS.WriteStream} out
 * @param {{ title: string, totalSeconds: number, stepMs: number, threshold: number }} about
 * @returns {{ step(step: Step): void, end(): void }}
 */
export function createView(out, about) {
  return out.isTTY ? liveView(out, about) : plainView(out, about);
}

/** One character for a probability; the lowest block stands for silence, so that every step shows. */
export function blockOf(probability) {
  return BLOCKS[Math.min(8, 1 + Math.floor(probability * 8))];
}

function plainView(out, { title }) {
  let line = "";
  let second = 1;
  const flush = () => {
    if (line !== "") out.write(`${String(second).padStart(3)} s ${line}\n`);
    line = "";
  };
  out.write(`${title}\n`);
  return {
    step({ probability, seconds }) {
      while (seconds > second) {
        flush();
        second += 1;
      }
      line += blockOf(probability);
    },
    end: flush,
  };
}

function liveView(out, about) {
  const useColour = process.env.NO_COLOR === undefined || process.env.NO_COLOR === "";
  const paint = (code, text) => (useColour ? `\x1b[${code}m${text}\x1b[0m` : text);
  const steps = [];
  let worstMs = 0;
  const showCursor = () => out.write("\x1b[?25h");
  out.write(`\x1b[?25l${paint(BOLD, about.title)}\n${"\n".repeat(ROWS + 2)}`);
  process.once("exit", showCursor);
  return {
    step(step) {
      steps.push(step.probability);
      worstMs = Math.max(worstMs, step.latencyMs);
      const width = Math.max(20, Math.min(out.columns ?? 80, 160) - 2);
      const shown = steps.slice(-width);
      const lines = [
        ...chart(shown, about.threshold, paint),
        paint(GREY, axis(steps.length - shown.length, shown.length, about.stepMs)),
        status(step, worstMs, about, paint),
      ];
      out.write(`\x1b[${lines.length}A${lines.map((line) => `\r ${line}\x1b[K\n`).join("")}`);
    },
    end() {
      showCursor();
      process.removeListener("exit", showCursor);
    },
  };
}

/** Rows of block characters, eight levels each, from the top down. */
function chart(probabilities, threshold, paint) {
  return Array.from({ length: ROWS }, (_, row) => {
    const floor = (ROWS - 1 - row) * 8;
    let line = "";
    // One colour code for a run of equals, not for each character.
    for (let index = 0; index < probabilities.length; ) {
      const isSpeech = probabilities[index] >= threshold;
      let run = "";
      for (; index < probabilities.length && probabilities[index] >= threshold === isSpeech; index++) {
        const level = Math.max(1, Math.round(probabilities[index] * ROWS * 8)) - floor;
        run += BLOCKS[Math.max(0, Math.min(8, level))];
      }
      line += paint(isSpeech ? GREEN : GREY, run);
    }
    return line;
  });
}

function axis(firstStep, count, stepMs) {
  let line = "";
  for (let index = 0; index < count; index++) {
    if (line.length > index) continue;
    const step = firstStep + index;
    const mark = Math.ceil(step / MARK_EVERY) * MARK_EVERY;
    const isMark = mark < step + 1;
    line += isMark ? `┴${Math.round((mark * stepMs) / 1000)}s` : "─";
  }
  return line.slice(0, count);
}

function status({ probability, seconds, latencyMs }, worstMs, { totalSeconds, threshold }, paint) {
  const isSpeech = probability >= threshold;
  const filled = Math.round(probability * 20);
  const bar = paint(isSpeech ? GREEN : GREY, "█".repeat(filled)) + paint(GREY, "░".repeat(20 - filled));
  const label = isSpeech ? paint(GREEN, "● speech ") : paint(GREY, "○ silence");
  const time = `${seconds.toFixed(1)} / ${totalSeconds.toFixed(1)} s`;
  return `${label} ${bar} ${probability.toFixed(2)}  ${time}  answer in ${latencyMs.toFixed(1)} ms (worst ${worstMs.toFixed(1)})`;
}
