/** `headrace/client`: never loads the native engine, and runs in a browser too. */
export type { RawTensor } from "../datatype.js";
export { type ErrorCode, HeadraceError, InvalidArgumentError } from "../errors.js";
export type { Address, ServiceProvider } from "./address.js";
export { HeadraceClient } from "./client.js";
export type { CallOptions, Fetch } from "./http.js";
export type { ClientTls } from "./node-tls.js";
export type {
  ClientOptions,
  ClientSettings,
  InferAnswer,
  InferOptions,
  NumberedStreams,
  RawStream,
  StepOptions,
  StreamOptions,
  TensorStream,
  Values,
} from "./options.js";
export { InferStream } from "./stream.js";
export type { NumberedAnswer, NumberedStep, SendOptions } from "./stream-codec.js";
