/** One model of the repository: its versions as they are served, and how they are loaded, swapped and stopped. */
import type { Logger } from "../log.js";
import {
  Inference,
  type InferenceProcess,
  type RepositoryEntry,
  type Runtime,
  type StopOptions,
} from "../runtime/index.js";
import { configLabel, type ModelDirectory, type ModelFolder } from "./folder.js";
import { type ConfigText, type ModelConfig, readModelConfig } from "./model-config.js";
import { modelPipeline } from "./model-pipeline.js";
import { modelSettings } from "./settings.js";
import { v2Config } from "./v2-config.js";
import { servedVersions } from "./versions.js";

/** What the models of a repository have in common. */
export interface ModelHost {
  readonly runtime: Runtime;
  readonly directory: ModelDirectory;
  /** Adds the drivers that serve a version; they take over from those of the version that is served now. */
  readonly addDrivers: (process: InferenceProcess) => Promise<void>;
  readonly stopping: StopOptions;
  readonly log: Logger;
}

interface ServedVersion {
  readonly process: InferenceProcess;
  /** What it was made of: the same again need not be loaded again. */
  readonly print: string;
}

type Versions = ReadonlyMap<string, ServedVersion>;

export class RepositoryModel {
  private versions: Versions = new Map();
  private state: "LOADING" | "UNLOADING" | "UNAVAILABLE" | "READY" = "UNAVAILABLE";
  private reason = "not loaded";
  /** Those that should be served, the last time that it was loaded. */
  private wanted: readonly string[] = [];
  /** What is done to it, one after the other. */
  private work: Promise<void> = Promise.resolve();

  constructor(
    readonly name: string,
    private readonly host: ModelHost,
  ) {}

  get isServed(): boolean {
    return this.versions.size > 0;
  }

  /** Of each version that is served, else one of the model. */
  entries(): RepositoryEntry[] {
    const { name, state, reason } = this;
    if (!this.isServed) {
      const versions = this.wanted.length > 0 ? this.wanted : [""];
      return versions.map((version) => ({ name, version, state, reason }));
    }
    // While it is loaded again it is served all the same.
    const isGoing = state === "UNLOADING";
    const shown = isGoing ? { state, reason } : ({ state: "READY", reason: "" } as const);
    return [...this.versions.keys()].map((version) => ({ name, version, ...shown }));
  }

  /** @param json A configuration in place of the folder's. */
  load(json: string | undefined): Promise<void> {
    return this.next(() => this.loadNow(json));
  }

  unload(): Promise<void> {
    return this.next(async () => {
      if (!this.isServed) return;
      this.become("UNLOADING", "");
      await this.stopAll(this.versions);
      this.wanted = [...this.versions.keys()];
      this.versions = new Map();
      this.become("UNAVAILABLE", "unloaded");
    });
  }

  /** Does it when what was asked for before has been done. */
  private next(work: () => Promise<void>): Promise<void> {
    const done = this.work.then(work);
    this.work = done.catch(() => {});
    return done;
  }

  private become(state: RepositoryModel["state"], reason: string): void {
    this.state = state;
    this.reason = reason;
  }

  private async loadNow(json: string | undefined): Promise<void> {
    this.become("LOADING", "");
    try {
      const old = this.versions;
      this.versions = await this.swapped(json);
      this.become("READY", "");
      await this.stopAll(
        new Map([...old].filter(([version, { process }]) => this.versions.get(version)?.process !== process)),
      );
    } catch (failure) {
      const error = this.host.directory.withoutRoot(failure);
      this.become(this.isServed ? "READY" : "UNAVAILABLE", error.message);
      throw error;
    }
  }

  /**
   * The versions that are to be served, all of them with their drivers: those that have not changed as they are, the others
   * started. Where one of them fails, those that were started are stopped, and what was served stays.
   */
  private async swapped(json: string | undefined): Promise<Versions> {
    this.wanted = [];
    const folder = await this.host.directory.model(this.name);
    const text = configText(folder, json);
    const model = text === undefined ? undefined : readModelConfig(text, this.name);
    const next = new Map<string, ServedVersion>();
    const started: [string, ServedVersion][] = [];
    /** Those that requests may have gone to. */
    const handed: string[] = [];
    try {
      this.wanted = servedVersions(folder, model);
      for (const version of this.wanted) {
        const print = `${text?.kind} ${text?.text}\n${await this.host.directory.print(folder, version)}`;
        const same = this.versions.get(version);
        const served = same?.print === print ? same : { process: await this.start(folder, version, model), print };
        next.set(version, served);
        if (served !== same) started.push([version, served]);
      }
      // From here on requests go to the new ones.
      for (const [version, { process }] of started) {
        handed.push(version);
        await this.host.addDrivers(process);
      }
      this.tellIgnored(model, started.length > 0);
      return next;
    } catch (error) {
      for (const version of handed) await this.takeBack(version);
      await this.stopAll(new Map(started));
      throw error;
    }
  }

  /** What is served takes over again from what should have replaced it: its drivers have been, so it gets new ones. */
  private async takeBack(version: string): Promise<void> {
    const served = this.versions.get(version);
    if (served === undefined) return;
    const { process } = served;
    try {
      for (const { pid } of process.listDrivers()) await process.removeDriver(pid, this.host.stopping);
      await this.host.addDrivers(process);
    } catch (err) {
      this.host.log.error({ model: this.name, version, err }, "a version could not take over again");
    }
  }

  private async start(folder: ModelFolder, version: string, model: ModelConfig | undefined): Promise<InferenceProcess> {
    const file = await this.host.directory.file(folder, version, model?.file ?? "model.onnx");
    const settings = model === undefined ? undefined : modelSettings(model);
    const cell = settings?.cell ?? { constants: {}, context: {}, batching: {} };
    const pipeline = await modelPipeline(this.name, file, cell, model);
    const { stateTtlSeconds, maxStates, evict } = cell;
    return this.host.runtime.startInference(
      new Inference({
        pipeline,
        version,
        requestPolicy: settings?.policy ?? {},
        modelConfig: v2Config(model),
        // Of the cell that makes control inputs.
        ...(stateTtlSeconds === undefined ? {} : { stateTtlSeconds }),
        ...(maxStates === undefined ? {} : { maxStates }),
        ...(evict === undefined ? {} : { evict }),
      }),
    );
  }

  private tellIgnored(model: ModelConfig | undefined, isNew: boolean): void {
    if (!isNew) return;
    for (const { where, field, why } of model?.ignored ?? []) {
      // Most files have some of these, so it is no warning.
      this.host.log.info({ model: this.name, where, field }, `${field} changes nothing: ${why}`);
    }
  }

  private async stopAll(versions: Versions): Promise<void> {
    const { log, stopping } = this.host;
    const stopped = [...versions].map(async ([version, { process }]) => {
      const states = Object.values(process.stats()).reduce((sum, { liveStates }) => sum + liveStates, 0);
      if (states > 0)
        log.warn({ model: this.name, version, states }, "sequences begin anew: their states went with the model");
      await process.stop(stopping).catch((err: unknown) => {
        log.error({ model: this.name, version, err }, "a version failed to stop");
      });
    });
    await Promise.all(stopped);
  }
}

function configText({ name, config }: ModelFolder, json: string | undefined): ConfigText | undefined {
  if (json !== undefined) return { kind: "json", text: json, label: "config" };
  return config === undefined ? undefined : { kind: "pbtxt", text: config, label: configLabel(name) };
}
