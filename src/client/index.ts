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
  RawStreamHandle,
  RawStreamSet,
  StepOptions,
  StreamOptions,
  StreamSetOptions,
  SubscribeOptions,
  TensorStream,
  TensorStreamSet,
  Values,
} from "./options.js";
export { InferStream } from "./stream.js";
export type { NumberedAnswer, NumberedStep, SendOptions, Trace } from "./stream-codec.js";
export { type CloseOptions, type OpenOptions, StreamHandle, StreamSet } from "./stream-set.js";
export { type EndEvent, type StepEvent, type StreamEvent, Subscription } from "./subscription.js";
