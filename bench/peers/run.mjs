#!/usr/bin/env node
// `npm run bench:peers`: measures Headrace beside the servers people would otherwise use. README.md beside this file tells
// how and why; bench/RESULTS.md is what came of it.

import { writeFile } from "node:fs/promises";
import { join, relative } from "node:path";
import { needGenerator } from "../lib/build.mjs";
import { describeMachine } from "../lib/machine.mjs";
import { BENCH, PEERS, REPOSITORY } from "../lib/paths.mjs";
import { pinned } from "../lib/processes.mjs";
import { runProgram } from "../lib/program.mjs";
import { readableCommand } from "../lib/subjects.mjs";
import { prepareCheck } from "./lib/check.mjs";
import { install } from "./lib/install.mjs";
import { loadCommand, measureAll, publishable } from "./lib/measure.mjs";
import { HELP, readOptions } from "./lib/options.mjs";
import { peersNamed } from "./lib/peers.mjs";
import { Progress } from "./lib/progress.mjs";
import { renderResults, table } from "./lib/report.mjs";
import { figuresOf } from "./lib/results.mjs";
import { versionsOf } from "./lib/versions.mjs";

const RESULTS_PAGE = join(BENCH, "RESULTS.md");
const RESULTS_DATA = join(PEERS, "results.json");

/**
 * Why each peer that could not be installed could not be.
 * @returns {Promise<Map<import("./lib/peers.mjs").Peer, string>>}
 */
async function installAll(peers, options, progress) {
  const failures = new Map();
  for (const peer of peers) {
    progress.show(`installing ${peer.id}`);
    try {
      await install(peer, options.python);
    } catch (error) {
      const message = `could not be installed: ${publishable(error.message)}`;
      failures.set(peer, message);
      progress.tell(`${peer.id} ${message}`);
    }
  }
  return failures;
}

/** @param {import("./lib/options.mjs").Options} options */
async function bench(options) {
  const peers = peersNamed(options.only);
  const progress = new Progress(process.stderr);
  const failures = await installAll(peers, options, progress);
  if (options.install) {
    progress.clear();
    return failures.size === 0;
  }
  needGenerator();
  const machine = describeMachine();
  const attempts = peers
    .filter((peer) => !failures.has(peer))
    .flatMap((peer) => peer.forms.map((form) => ({ peer, form, runs: [] })));
  await measureAll(attempts, options, await prepareCheck(), progress.plan(peers, options));
  progress.clear();

  const { repetitions, seconds, warmup, serverCore, clientCore } = options;
  const results = {
    date: new Date().toISOString(),
    machine,
    options: { repetitions, seconds, warmup, serverCore, clientCore },
    peers: await Promise.all(peers.map((peer) => describePeer(peer, options, failures.get(peer)))),
    figures: figuresOf(attempts),
  };
  await publish(results, options);
  return failures.size === 0 && results.figures.every(({ error }) => error === undefined);
}

async function describePeer(peer, options, error) {
  const { id, title, settings, server, forms } = peer;
  const ports = [8080, 8081].slice(0, server.ports ?? 1);
  const environment = Object.entries(server.environment ?? {}).map(
    ([name, value]) => `${name}=${readableCommand([value])} `,
  );
  return {
    id,
    title,
    settings,
    versions: await versionsOf(peer),
    server: environment.join("") + readableCommand(pinned(options.serverCore, server.command(...ports))),
    loads: forms.map((form) => readableCommand(loadCommand(form, ports[form.port], options))),
    ...(error === undefined ? {} : { error }),
  };
}

async function publish(results, options) {
  process.stdout.write(`${table(results.figures)}\n`);
  for (const { title, form, error } of results.figures) {
    if (error !== undefined) process.stdout.write(`\n${title}, ${form}, failed: ${error}\n`);
  }
  if (!options.write) return;
  await writeFile(RESULTS_PAGE, renderResults(results));
  await writeFile(RESULTS_DATA, `${JSON.stringify(results, null, 2)}\n`);
  for (const file of [RESULTS_PAGE, RESULTS_DATA]) process.stderr.write(`wrote ${relative(REPOSITORY, file)}\n`);
}

await runProgram({ name: "bench:peers", help: HELP, readOptions, work: bench });
