#!/usr/bin/env node
// `npm run bench`: measures Headrace, its peer and the two floors under it (the bare model loop and the bare transport)
// in one run, and says beside each figure whether its target was met. bench/README.md tells what is measured and why.

import { writeFile } from "node:fs/promises";
import { relative } from "node:path";
import { buildBareLoop, installPeer, needGenerator } from "./lib/build.mjs";
import { describeMachine } from "./lib/machine.mjs";
import { measureAll } from "./lib/measure.mjs";
import { HELP, readOptions } from "./lib/options.mjs";
import { REPOSITORY, RESULTS_FILE } from "./lib/paths.mjs";
import { runProgram } from "./lib/program.mjs";
import { progressLine } from "./lib/progress.mjs";
import { renderReport } from "./lib/report.mjs";
import { describeCommands, subjectsOf } from "./lib/subjects.mjs";
import { judgeTargets } from "./lib/targets.mjs";

/** @param {import("./lib/options.mjs").Options} options */
async function bench(options) {
  const subjects = subjectsOf(options);
  for (const peer of new Set(subjects.flatMap((subject) => subject.peer ?? []))) await installPeer(peer);
  needGenerator();
  await buildBareLoop();

  const machine = describeMachine();
  const progress = progressLine(process.stderr);
  const figures = await measureAll(subjects, options, progress.show);
  progress.clear();

  const results = {
    date: new Date().toISOString(),
    machine,
    options: {
      repetitions: options.repetitions,
      seconds: options.seconds,
      warmup: options.warmup,
      serverCore: options.serverCore,
      clientCore: options.clientCore,
    },
    figures,
    targets: judgeTargets(figures),
    commands: describeCommands(subjects, options),
  };
  await publish(results, options);
  return figures.every((figure) => figure.error === undefined);
}

async function publish(results, options) {
  const json = `${JSON.stringify(results, null, 2)}\n`;
  process.stdout.write(options.json ? json : renderReport(results));
  // A quick or partial run must not pass for the project's figures, so it is written only where it is asked for.
  const file = options.out ?? (options.quick || options.only.length > 0 ? undefined : RESULTS_FILE);
  if (file === undefined) return;
  await writeFile(file, json);
  process.stderr.write(`wrote ${relative(REPOSITORY, file)}\n`);
}

await runProgram({ name: "bench", help: HELP, readOptions, work: bench });
