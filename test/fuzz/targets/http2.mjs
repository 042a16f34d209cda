// HTTP/2 below gRPC: frames cut from what arrives, header blocks, settings.

import { load } from "../lib/build.mjs";
import { demand } from "../lib/survives.mjs";

export const decoders = [
  "src/drivers/grpc/http2/frames.ts",
  "src/drivers/grpc/http2/hpack-decoder.ts",
  "src/drivers/grpc/http2/huffman.ts",
  "src/drivers/grpc/http2/settings.ts",
];

const { ConnectionError, FRAME, FrameReader, MAX_FRAME_BYTES, MAX_WINDOW } = await load(
  "src/drivers/grpc/http2/frames.ts",
);
const { HpackDecoder } = await load("src/drivers/grpc/http2/hpack-decoder.ts");
const { readSettings, settingsFrame } = await load("src/drivers/grpc/http2/settings.ts");
const MAX_LIST_BYTES = 2048;

export function fuzz(bytes) {
  const cutEvery = 1 + ((bytes[0] ?? 0) % 32);
  const body = bytes.subarray(1);
  const whole = connection([body]);
  const pieces = [];
  for (let at = 0; at < body.length; at += cutEvery) pieces.push(body.subarray(at, at + cutEvery));
  demand(connection(pieces) === whole, "the same however it is cut");
  settingsFrame({ maxStreams: 1, streamWindowBytes: 65_535, maxHeaderListBytes: MAX_LIST_BYTES });
}

/** What a connection makes of these chunks, as text. */
function connection(chunks) {
  const log = [];
  const hpack = new HpackDecoder(256, MAX_LIST_BYTES);
  const peer = { initialWindow: 65_535, maxFrameBytes: MAX_FRAME_BYTES };
  const reader = new FrameReader((type, flags, stream, payload) => {
    log.push(`${type} ${flags} ${stream} ${payload.length}`);
    if (type === FRAME.HEADERS) log.push(block(hpack, payload));
    if (type !== FRAME.SETTINGS) return;
    readSettings(payload, peer);
    demand(peer.initialWindow <= MAX_WINDOW && peer.maxFrameBytes >= MAX_FRAME_BYTES, "settings within their ranges");
  });
  try {
    for (const chunk of chunks) reader.read(chunk, 0);
  } catch (error) {
    if (!(error instanceof ConnectionError)) throw error;
    log.push(`${error.code}`);
  }
  return log.join("\n");
}

function block(hpack, payload) {
  const { headers, isTooLarge } = hpack.decode(payload);
  const size = headers.reduce((sum, [name, value]) => sum + name.length + value.length + 32, 0);
  demand(size <= MAX_LIST_BYTES, "no more headers than are taken");
  const text = JSON.stringify([headers, isTooLarge]);
  return text;
}
