/** What an export must be, to be a driver, a source, a sink, a cell or a pipeline. */
import { InvalidArgumentError } from "../errors.js";
import { type CellDefinition, Pipeline } from "../pipeline/index.js";
import { type DriverClass, Inference, PipelineDriver } from "../runtime/index.js";
import type { PluginKind } from "./manifest.js";

/** The class of a source or a sink: made with its options, as a driver's. */
export type ComponentClass = new (options: Readonly<Record<string, unknown>>) => object;

/** What an entry of each kind becomes when it is loaded. */
export interface PluginValues {
  drivers: DriverClass<Record<string, unknown>>;
  sources: ComponentClass;
  sinks: ComponentClass;
  cells: CellDefinition;
  pipelines: Inference;
}

const COPY =
  "made with this installation of headrace (a plugin names headrace under peerDependencies, so that there is one copy)";

/** Only of a class can the prototype not be replaced. */
function isClass(value: unknown): value is new (...parameters: never[]) => object {
  return typeof value === "function" && Object.getOwnPropertyDescriptor(value, "prototype")?.writable === false;
}

function isCell(value: unknown): value is CellDefinition {
  const kind = typeof value === "object" && value !== null && "kind" in value ? value.kind : undefined;
  return kind === "function" || kind === "onnx";
}

function driver(exported: unknown): PluginValues["drivers"] | undefined {
  if (!isClass(exported) || !(exported.prototype instanceof PipelineDriver)) return undefined;
  return exported as unknown as PluginValues["drivers"];
}

function component(exported: unknown): ComponentClass | undefined {
  return isClass(exported) ? (exported as ComponentClass) : undefined;
}

async function inference(exported: unknown): Promise<Inference | undefined> {
  const made: unknown = typeof exported === "function" && !isClass(exported) ? await exported() : exported;
  if (made instanceof Inference) return made;
  return made instanceof Pipeline ? new Inference({ pipeline: made }) : undefined;
}

type Check<K extends PluginKind> = (
  exported: unknown,
) => PluginValues[K] | undefined | Promise<PluginValues[K] | undefined>;

const CHECKS: { readonly [K in PluginKind]: Check<K> } = {
  drivers: driver,
  sources: component,
  sinks: component,
  cells: (exported) => (isCell(exported) ? exported : undefined),
  pipelines: inference,
};

const EXPECTED: Readonly<Record<PluginKind, string>> = {
  drivers: `a class that extends PipelineDriver, ${COPY}`,
  sources: "a class whose constructor takes the options",
  sinks: "a class whose constructor takes the options",
  cells: "a cell, made with defineCell or onnxCell",
  pipelines: `an Inference, a Pipeline or a function that returns one, ${COPY}`,
};

/**
 * An export as what it is meant to be.
 * @param must The beginning of the message: which module must export it, and how.
 * @throws InvalidArgumentError where it is something else.
 */
export async function asKind<K extends PluginKind>(kind: K, exported: unknown, must: string): Promise<PluginValues[K]> {
  const value = await CHECKS[kind](exported);
  if (value !== undefined) return value;
  throw new InvalidArgumentError(`${must} ${EXPECTED[kind]}`);
}
