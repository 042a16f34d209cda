/** Repositories of models for tests. */
import type { Test } from "tap";
import { ModelRepository } from "../../src/repository/index.js";
import { type InferenceProcess, init } from "../../src/runtime/index.js";

/** A repository whose models are stepped in this process. */
export async function openRepository(t: Test, directory: string, load: "all" | string[] = "all") {
  const runtime = await init("local");
  t.teardown(() => runtime.stop({ timeoutMs: 1 }));
  const served: InferenceProcess[] = [];
  const repository = await ModelRepository.open(runtime, {
    directory,
    load,
    addDrivers: async (process) => {
      served.push(process);
    },
  });
  const failed = await repository.start();
  const find = (name: string, version?: string): InferenceProcess => {
    const found = runtime.listProcesses().filter((process) => process.name === name);
    const process = version === undefined ? found[0] : found.find((one) => one.version === version);
    if (process === undefined) throw new Error(`${name} ${version} is not served`);
    return process;
  };
  return { runtime, repository, served, failed, find };
}
