/** V2 (Open Inference Protocol) and stream frames, for servers and clients; runs wherever JavaScript does. */

export { headerBytes, joinMoved } from "./body.js";
export { type EncodeOptions, encodeInferRequest, type InferRequest } from "./encode-request.js";
export { HeaderCache } from "./header-cache.js";
export { parseJson, parseTensorJson, utf8Text } from "./json.js";
export { decodeRawInfer, encodeRawAnswer, type RawContext } from "./raw.js";
export {
  canonicalSequenceId,
  decodePlannedInfer,
  MAX_SEQUENCE_ID_LENGTH,
  parseHeaderLength,
  planInfer,
  type RequestPlan,
} from "./request.js";
export { byName, decodeInferResponse, encodeInferResponse, type InferResponse } from "./response.js";
export {
  codeOfStatus,
  encodeRestError,
  encodeV2Error,
  errorOfResponse,
  errorOfRest,
  type RestErrorJson,
  restError,
} from "./status.js";
export {
  closeFrameOf,
  decodeStreamError,
  decodeStreamResponse,
  encodeStreamError,
  encodeStreamFrame,
  errorOfClose,
  FRAME_LENGTH_BYTES,
  headerLengthOf,
  type StreamError,
  type StreamErrorSource,
} from "./stream.js";
export { binaryOf, checkBooleans, joinBytes, type TensorHeader, toNamedTensor, toRawTensor } from "./tensor.js";
export {
  formatTraceparent,
  parseTraceContext,
  type TraceContext,
  type TraceParameters,
  traceParameters,
} from "./trace-context.js";
export * from "./v2.js";
