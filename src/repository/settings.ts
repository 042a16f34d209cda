/** What a configuration asks of scheduling, in the words of `onnxCell` and of the request policy. */
import type { OnnxBatchingOption } from "../pipeline/index.js";
import type { RequestPolicy } from "../runtime/index.js";
import { configError } from "./config-error.js";
import type { TritonConfig } from "./config-schema.js";
import type { ModelConfig } from "./model-config.js";
import { type OwnParameters, ownParameters } from "./parameters.js";

const MAX_LANES = 256;
const MAX_PRIORITY = 255;
const MICROS = 1e6;

/** Options of the cell that do not depend on the model. */
export interface CellSettings extends OwnParameters {
  readonly batching: OnnxBatchingOption;
  readonly lanes?: number;
  readonly queueSize?: number;
}

export interface ModelSettings {
  readonly cell: CellSettings;
  readonly policy: RequestPolicy;
}

/** @throws HeadraceError MODEL_INVALID with the file and line of what cannot be had. */
export function modelSettings(model: ModelConfig): ModelSettings {
  const { config } = model;
  const queueSize = config.dynamic_batching?.default_queue_policy?.max_queue_size ?? 0;
  const lanes = lanesOf(model);
  return {
    cell: {
      ...sequenceSettings(model),
      // What is Headrace's own is the more precise of the two.
      ...ownParameters(model),
      batching: batching(config),
      ...(lanes === undefined ? {} : { lanes }),
      ...(queueSize === 0 ? {} : { queueSize }),
    },
    policy: policyOf(model),
  };
}

function batching({ max_batch_size, dynamic_batching, sequence_batching }: TritonConfig): OnnxBatchingOption {
  const { direct, oldest } = sequence_batching ?? {};
  // Without a wanted utilisation Triton's direct strategy does not wait.
  const directDelay = direct?.minimum_slot_utilization ? direct.max_queue_delay_microseconds : undefined;
  const delay = dynamic_batching?.max_queue_delay_microseconds ?? oldest?.max_queue_delay_microseconds ?? directDelay;
  return {
    ...(max_batch_size === undefined ? {} : { maxSize: Math.max(1, max_batch_size) }),
    ...(delay === undefined ? {} : { maxDelayMicros: delay }),
  };
}

function lanesOf({ config, places }: ModelConfig): number | undefined {
  const groups = config.instance_group ?? [];
  let lanes = 0;
  for (const group of groups) {
    const { kind, count = 1, gpus = [] } = group;
    if (kind === "KIND_GPU" || gpus.length > 0) {
      const message = "this build runs models on the CPU; use KIND_CPU, or KIND_AUTO for whatever there is";
      throw configError(places.of(group, kind === "KIND_GPU" ? "kind" : "gpus"), message);
    }
    if (count < 0) throw configError(places.of(group, "count"), `expected 1 or more, got ${count}`);
    lanes += Math.max(1, count);
  }
  if (lanes > MAX_LANES) {
    throw configError(
      places.of(config, "instance_group"),
      `asks for ${lanes} instances; at most ${MAX_LANES} can be had`,
    );
  }
  return groups.length === 0 ? undefined : lanes;
}

function sequenceSettings({ config, places }: ModelConfig): { stateTtlSeconds?: number; maxStates?: number } {
  const { sequence_batching } = config;
  const idle = sequence_batching?.max_sequence_idle_microseconds ?? 0;
  const { oldest } = sequence_batching ?? {};
  const candidates = oldest?.max_candidate_sequences;
  if (oldest !== undefined && candidates !== undefined && candidates < 1) {
    throw configError(places.of(oldest, "max_candidate_sequences"), `expected 1 or more, got ${candidates}`);
  }
  return {
    ...(idle === 0 ? {} : { stateTtlSeconds: idle / MICROS }),
    ...(candidates === undefined ? {} : { maxStates: candidates }),
  };
}

function policyOf({ config, places }: ModelConfig): RequestPolicy {
  const { dynamic_batching } = config;
  if (dynamic_batching === undefined) return {};
  const { priority_levels = 0, default_priority_level = 0, default_queue_policy } = dynamic_batching;
  if (default_queue_policy?.timeout_action === "DELAY") {
    const message = "DELAY is not supported: what has timed out is answered; use REJECT";
    throw configError(places.of(default_queue_policy, "timeout_action"), message);
  }
  if (priority_levels > MAX_PRIORITY) {
    const message = `at most ${MAX_PRIORITY} levels can be had, got ${priority_levels}`;
    throw configError(places.of(dynamic_batching, "priority_levels"), message);
  }
  const isLevel = default_priority_level >= 1 && default_priority_level <= priority_levels;
  if (priority_levels > 0 ? !isLevel : default_priority_level > 0) {
    const message = `expected a level from 1 to priority_levels (${priority_levels}), got ${default_priority_level}`;
    throw configError(places.of(dynamic_batching, "default_priority_level"), message);
  }
  return {
    timeoutMicros: default_queue_policy?.default_timeout_microseconds ?? 0,
    allowTimeoutOverride: default_queue_policy?.allow_timeout_override ?? false,
    priorityLevels: priority_levels,
    defaultPriority: default_priority_level,
  };
}
