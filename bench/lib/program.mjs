// What every program of the benchmark does around its work: options, exit status, and no process left behind.

import { UsageError } from "./options.mjs";
import { stopAllOnSignals, stopAllProcesses } from "./processes.mjs";

/**
 * Runs a program to its end and sets the exit status: 0 or 1 as `work` says, 1 where it fails, 2 for wrong usage.
 * @template {{ help: boolean }} O
 * @param {{ name: string, help: string, readOptions: (argv: string[]) => O, work: (options: O) => Promise<boolean> }} program
 */
export async function runProgram({ name, help, readOptions, work }) {
  stopAllOnSignals();
  try {
    const options = readOptions(process.argv.slice(2));
    if (options.help) process.stdout.write(help);
    else process.exitCode = (await work(options)) ? 0 : 1;
  } catch (error) {
    process.stderr.write(`${name}: ${error.message}\n`);
    process.exitCode = error instanceof UsageError ? 2 : 1;
  } finally {
    stopAllProcesses();
  }
}
