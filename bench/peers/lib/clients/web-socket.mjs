// Single steps over one WebSocket that streams share: a frame is the stream's number, a u32, and the tensor's bytes.

import WebSocket from "ws";

const NUMBER_BYTES = 4;
const TIMEOUT_MS = 10_000;

/** @returns {(port: number) => Promise<import("../forms.mjs").Client>} */
export function openWebSocket(path) {
  return async (port) => {
    const socket = new WebSocket(`ws://127.0.0.1:${port}${path}`, { perMessageDeflate: false });
    /** @type {Map<number, { resolve: (output: Float32Array) => void, reject: (error: Error) => void }>} */
    const waiting = new Map();
    const fail = (error) => {
      for (const { reject } of waiting.values()) reject(error);
      waiting.clear();
    };
    socket.on("message", (data, isBinary) => {
      if (!isBinary) return fail(new Error(`a text frame: ${data}`));
      const slot = data.readUInt32LE(0);
      waiting.get(slot)?.resolve(new Float32Array(Uint8Array.from(data.subarray(NUMBER_BYTES)).buffer));
      waiting.delete(slot);
    });
    socket.on("close", (code) => fail(new Error(`the WebSocket was closed with ${code}`)));
    await new Promise((resolve, reject) => {
      socket.once("open", resolve);
      socket.once("error", reject);
    });
    socket.on("error", fail);
    return {
      step: (stream, input) =>
        new Promise((resolve, reject) => {
          const slot = stream - 1; // streams of a connection are numbered from 0 on
          const timer = setTimeout(() => reject(new Error("no answer over the WebSocket")), TIMEOUT_MS);
          waiting.set(slot, {
            resolve: (output) => {
              clearTimeout(timer);
              resolve(output);
            },
            reject: (error) => {
              clearTimeout(timer);
              reject(error);
            },
          });
          const frame = Buffer.alloc(NUMBER_BYTES + input.byteLength);
          frame.writeUInt32LE(slot);
          frame.set(new Uint8Array(input.buffer, input.byteOffset, input.byteLength), NUMBER_BYTES);
          socket.send(frame);
        }),
      close: () => socket.terminate(),
    };
  };
}
