/** gRPC drivers in this process, and an independent client for them: grpc-js with the .proto files of the package. */
import {
  type ChannelOptions,
  type Client,
  credentials,
  loadPackageDefinition,
  Metadata,
  type ServiceError,
} from "@grpc/grpc-js";
import { loadSync } from "@grpc/proto-loader";
import type { Test } from "tap";
import { GrpcDriver, type GrpcParameters } from "../../src/drivers/grpc/index.js";
import type { Pipeline } from "../../src/pipeline/index.js";
import type { DriverProcess, Inference, InferenceProcess } from "../../src/runtime/index.js";
import { ROOT } from "./paths.js";
import { start } from "./serve.js";

const FILES = ["grpc_service", "health", "reflection_v1", "reflection_v1alpha"].map(
  (name) => `${ROOT}proto/${name}.proto`,
);
const definition = loadSync(FILES, { keepCase: true, longs: String, enums: String, defaults: true, oneofs: true });
const root = loadPackageDefinition(definition);

/** A message as proto-loader has it: 64-bit integers as strings, enums by name. */
export type Message = Readonly<Record<string, unknown>>;

export interface Outcome {
  readonly error: ServiceError | undefined;
  // biome-ignore lint/suspicious/noExplicitAny: answers are looked into by the tests that asked for them
  readonly answer: any;
}

type ServiceClass = new (address: string, security: unknown, options?: ChannelOptions) => Client;

/** The client of one service on one connection. */
export class GrpcTestClient {
  readonly client: Client;
  readonly #methods: Readonly<Record<string, (...args: unknown[]) => unknown>>;

  constructor(t: Test, port: number, service: string, options: ChannelOptions = {}) {
    const Service = service.split(".").reduce((at, name) => (at as never)[name], root as unknown) as ServiceClass;
    this.client = new Service(`127.0.0.1:${port}`, credentials.createInsecure(), {
      "grpc.use_local_subchannel_pool": 1,
      "grpc.max_receive_message_length": -1,
      "grpc.max_send_message_length": -1,
      ...options,
    });
    this.#methods = this.client as unknown as Record<string, (...args: unknown[]) => unknown>;
    t.teardown(() => this.client.close());
  }

  /** A call of one message each way, whatever becomes of it. */
  call(method: string, request: Message = {}, options: Message = {}, metadata = new Metadata()): Promise<Outcome> {
    return this.begin(method, request, options, metadata).outcome;
  }

  begin(method: string, request: Message = {}, options: Message = {}, metadata = new Metadata()) {
    let cancel = (): void => {};
    const outcome = new Promise<Outcome>((resolve) => {
      const done = (error: ServiceError | null, answer: unknown): void =>
        resolve({ error: error ?? undefined, answer });
      const call = this.#methods[method]?.call(this.client, request, metadata, options, done) as { cancel(): void };
      cancel = () => call.cancel();
    });
    return { outcome, cancel: () => cancel() };
  }

  /** A call whose answers come one by one. */
  stream(method: string, options: Message = {}): TestStream {
    return new TestStream(this.#methods[method]?.call(this.client, options) as never);
  }

  /** The same where the client sends one message only. */
  watch(method: string, request: Message): TestStream {
    return new TestStream(this.#methods[method]?.call(this.client, request) as never);
  }
}

interface Duplex {
  on(event: string, listener: (value: never) => void): void;
  write(message: unknown): boolean;
  end(): void;
  cancel(): void;
  pause(): void;
  resume(): void;
}

export class TestStream {
  // biome-ignore lint/suspicious/noExplicitAny: answers are looked into by the tests that asked for them
  readonly answers: any[] = [];
  error: ServiceError | undefined;
  isEnded = false;
  #waiting: (() => void)[] = [];

  constructor(readonly call: Duplex) {
    const changed = (): void => {
      for (const go of this.#waiting.splice(0)) go();
    };
    call.on("data", (answer) => {
      this.answers.push(answer);
      changed();
    });
    call.on("error", (error) => {
      this.error = error;
      this.isEnded = true;
      changed();
    });
    call.on("end", () => {
      this.isEnded = true;
      changed();
    });
  }

  send(message: Message): void {
    this.call.write(message);
  }

  /** Resolves when so many answers have come, or the stream is over. */
  async until(count: number): Promise<void> {
    while (this.answers.length < count && !this.isEnded) await this.#change();
  }

  async ended(): Promise<void> {
    while (!this.isEnded) await this.#change();
  }

  #change(): Promise<void> {
    return new Promise((resolve) => {
      this.#waiting.push(resolve);
    });
  }
}

export interface ServedGrpc {
  readonly process: InferenceProcess;
  readonly driver: DriverProcess<GrpcParameters>;
  readonly port: number;
  readonly client: GrpcTestClient;
}

export const V2 = "inference.GRPCInferenceService";

/** Serves a pipeline over gRPC on a free port of the loopback. */
export async function serveGrpc(
  t: Test,
  what: Pipeline | Inference,
  parameters: Partial<GrpcParameters> = {},
  options: ChannelOptions = {},
): Promise<ServedGrpc> {
  const process = await start(t, what as Pipeline);
  const driver = await process.addDriver("grpc", GrpcDriver, { port: 0, ...parameters });
  const { port } = driver.getService("grpc").taggedAddresses.lan;
  return { process, driver, port, client: new GrpcTestClient(t, port, V2, options) };
}

/** A request of the recurrent model: 512 floats, raw. */
export function gruRequest(value: number, parameters: Message = {}, more: Message = {}): Message {
  return {
    model_name: "gru",
    parameters,
    inputs: [{ name: "input", datatype: "FP32", shape: [1, 512] }],
    raw_input_contents: [Buffer.from(new Float32Array(512).fill(value).buffer)],
    ...more,
  };
}

/** The floats of an answer's raw output. */
export function floats(answer: { raw_output_contents: Buffer[] }, index = 0): number[] {
  const bytes = Uint8Array.from(answer.raw_output_contents[index] ?? []);
  return [...new Float32Array(bytes.buffer)];
}
