/** The methods of inference.GRPCInferenceService besides predictions. */
import { HeadraceError } from "../../errors.js";
import type { RepositoryControl } from "../../runtime/index.js";
import { modelConfig, platformOf } from "../../serving/model-config.js";
import { repositoryControl, repositoryIndex } from "../../serving/repository.js";
import type { ServedModels } from "../../serving/served-models.js";
import { SERVER } from "../../serving/server-metadata.js";
import { modelStatistics } from "../../serving/statistics.js";
import type { GrpcModel } from "./grpc-model.js";
import type { MessageObject } from "./messages/schema.js";
import type { UnaryHandler } from "./unary.js";

export interface V2Host {
  readonly models: ServedModels<GrpcModel>;
  /** Whether requests are taken, and every model gets on with its own. */
  readonly isReady: boolean;
  readonly repository: RepositoryControl | undefined;
}

/** By name of the method; those that are missing end in UNIMPLEMENTED. */
export function v2Methods(host: V2Host): Readonly<Record<string, UnaryHandler>> {
  const model = (request: MessageObject): GrpcModel => host.models.find(text(request.name), text(request.version));
  return {
    ServerLive: () => ({ live: true }),
    ServerReady: () => ({ ready: host.isReady }),
    ModelReady: (request) => ({ ready: isReady(() => model(request)) }),
    ServerMetadata: () => ({ ...SERVER }),
    ModelMetadata: (request) => metadata(host, model(request)),
    ModelConfig: (request) => ({ config: modelConfig(model(request).inference) }),
    ModelStatistics: (request) => ({
      model_stats: asked(host, request).map(({ inference }) => modelStatistics(inference)),
    }),
    RepositoryIndex: async (request) => {
      return { models: await repositoryIndex(host.repository, host.models, request.ready === true) };
    },
    RepositoryModelLoad: async (request) => {
      await repositoryControl(host.repository).load(text(request.model_name), parametersOf(request));
      return {};
    },
    RepositoryModelUnload: async (request) => {
      await repositoryControl(host.repository).unload(text(request.model_name), parametersOf(request));
      return {};
    },
    // Load generators ask for these first; there never is any shared memory to tell of.
    SystemSharedMemoryStatus: () => ({ regions: {} }),
    CudaSharedMemoryStatus: () => ({ regions: {} }),
    // And take back what may have been registered before.
    SystemSharedMemoryUnregister: () => ({}),
    CudaSharedMemoryUnregister: () => ({}),
    SystemSharedMemoryRegister: () => refuse("shared memory", "send tensors in raw_input_contents"),
    CudaSharedMemoryRegister: () => refuse("shared memory", "send tensors in raw_input_contents"),
    TraceSetting: () => refuse("Triton's trace settings", "traces are OpenTelemetry's"),
    LogSettings: () => refuse("Triton's log settings", "the log is configured where the server is started"),
  };
}

/** As in Triton a model that is not there is not ready, and asking for it no mistake: clients wait for models so. */
function isReady(find: () => GrpcModel): boolean {
  try {
    return find().isReady;
  } catch (error) {
    if (error instanceof HeadraceError && error.code === "MODEL_NOT_FOUND") return false;
    throw error;
  }
}

function refuse(what: string, instead: string): never {
  throw new HeadraceError("UNIMPLEMENTED", `this server has no ${what}; ${instead}`);
}

function metadata({ models }: V2Host, { name, inference, service }: GrpcModel): MessageObject {
  const { inputs, outputs } = service;
  return { name, versions: models.versionsOf(name), platform: platformOf(inference), inputs, outputs };
}

/** The model that was asked for, all its versions, or, without a name, all models. */
function asked({ models }: V2Host, { name, version }: MessageObject): GrpcModel[] {
  if (text(name) === "") return models.all();
  const found = models.find(text(name), text(version));
  return text(version) === "" ? models.all().filter((other) => other.name === found.name) : [found];
}

/** ModelRepositoryParameter by name, as plain values. */
function parametersOf({ parameters }: MessageObject): Readonly<Record<string, unknown>> {
  const entries = Object.entries((parameters ?? {}) as Record<string, MessageObject>);
  return Object.fromEntries(entries.map(([name, value]) => [name, value[text(value.parameter_choice)]]));
}

function text(value: unknown): string {
  return typeof value === "string" ? value : "";
}
