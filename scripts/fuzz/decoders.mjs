// What reads bytes that a client, a file or another process may have made, and how much of it the kept inputs must reach.

export const LEAST_COVERAGE = 0.85;

/** Of the C++ decoders, by how their paths in native/ begin. TypeScript's are named by the fuzz targets themselves. */
const NATIVE = [
  "engine/state_transfer.cc",
  "inflate/inflater.cc",
  "json/decimal.",
  "json/elements.",
  "json/explain.cc",
  "json/fast_fraction.h",
  "json/grammar.",
  "json/half.h",
  "json/infer_reader.",
  "json/tensor_reader.",
  "json/text.",
  "serving/infer_header.cc",
  "serving/infer_model.cc",
  "serving/infer_plan.cc",
  "serving/infer_requests.cc",
  "serving/raw_streams.cc",
  "transport/chunked_body.",
  "transport/connection_http.cc",
  "transport/connection_ws.cc",
  "transport/http_framing.cc",
  "transport/http_head.cc",
  "transport/proxy_header.cc",
  "transport/ws_frame.cc",
  "transport/ws_handshake.cc",
];

/** @param {string} file a path in native/ */
export function isNativeDecoder(file) {
  return NATIVE.some((start) => file.startsWith(start));
}
