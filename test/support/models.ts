/** Model directories in Triton's layout, made for one test. */
import { copyFile, mkdir, mkdtemp, realpath, rm, utimes, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import type { Test } from "tap";
import { HttpDriver, openHttpPort } from "../../src/drivers/http/index.js";
import { type FailedModel, ModelRepository, type ModelRepositoryOptions } from "../../src/repository/index.js";
import { init, type Runtime } from "../../src/runtime/index.js";

process.env.HEADRACE_LOG ??= "silent";

/** A model of a directory: its configuration, and the model file of each version. */
export interface ModelFiles {
  readonly config?: string;
  readonly versions: Readonly<Record<string, string>>;
}

export async function temporaryFolder(t: Test): Promise<string> {
  const folder = await realpath(await mkdtemp(join(tmpdir(), "headrace-")));
  t.teardown(() => rm(folder, { recursive: true }));
  return folder;
}

export async function putModel(directory: string, name: string, { config, versions }: ModelFiles): Promise<void> {
  await mkdir(join(directory, name), { recursive: true });
  if (config !== undefined) await writeFile(join(directory, name, "config.pbtxt"), config);
  for (const [version, file] of Object.entries(versions)) await putVersion(directory, name, version, file);
}

/** The model's file of one version; a second time with a later time of change, whatever the clock says. */
export async function putVersion(directory: string, name: string, version: string, file: string): Promise<void> {
  const path = join(directory, name, version, "model.onnx");
  await mkdir(dirname(path), { recursive: true });
  await copyFile(file, path);
  await touch(path);
}

let seconds = 1_000_000;

/** Makes a file look as if it had been written again. */
export async function touch(path: string): Promise<void> {
  seconds += 1;
  await utimes(path, seconds, seconds);
}

export async function modelDirectory(t: Test, models: Readonly<Record<string, ModelFiles>>): Promise<string> {
  const directory = await temporaryFolder(t);
  for (const [name, files] of Object.entries(models)) await putModel(directory, name, files);
  return directory;
}

export interface ServedDirectory {
  readonly runtime: Runtime;
  readonly repository: ModelRepository;
  readonly url: string;
  readonly port: number;
  /** What could not be loaded at start. */
  readonly failed: readonly FailedModel[];
}

/** Serves a directory over HTTP on a free port of the loopback. */
export async function serveDirectory(
  t: Test,
  directory: string,
  options: Partial<ModelRepositoryOptions> = {},
): Promise<ServedDirectory> {
  const runtime = await init("local");
  const front = await openHttpPort(runtime, { port: 0 });
  t.teardown(async () => {
    front.close();
    await runtime.stop({ timeoutMs: 1 });
  });
  const repository = await ModelRepository.open(runtime, {
    directory,
    addDrivers: async (process) => {
      await process.addDriver("http", HttpDriver, { port: front.port, replace: true });
    },
    ...options,
  });
  runtime.useRepository(repository);
  const failed = await repository.start();
  return { runtime, repository, port: front.port, url: `http://127.0.0.1:${front.port}`, failed };
}
