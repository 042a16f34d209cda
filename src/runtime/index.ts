export type { DirectModel, DirectTensor } from "./direct-model.js";
export { type DriverClass, PipelineDriver } from "./driver.js";
export { type AnyDriverProcess, DriverProcess, type DriverStatus, type StopOptions } from "./driver-process.js";
export { type CellParameters, Inference, type InferenceOptions } from "./inference.js";
export { type EvictListener, InferenceProcess } from "./inference-process.js";
export type { DriverResources, PortRequest, ResourcesRequest } from "./resources.js";
export type { PredictOptions, RestrictedInferenceProcess } from "./restricted.js";
export { init, Runtime, type RuntimeMode } from "./runtime.js";
export type { ServiceAddress, ServiceOffer, ServiceRecord } from "./services.js";
