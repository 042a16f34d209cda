// Clients that cost a server something and gain nothing: they do not read, do not go on, or do not stay.

import { once } from "node:events";
import { setTimeout as sleep } from "node:timers/promises";
import { HttpWire, openSocket, post, postBinary } from "./http-wire.mjs";
import { within } from "./server.mjs";
import { frame, OPCODE, openUpgraded } from "./ws-wire.mjs";

/** What a client that does not read is sent: answers as long as the id that they echo. */
export const ANSWER_BYTES = 256 << 10;
/** More than the system keeps of a connection on both sides, and maxBackpressureBytes besides. */
const ANSWERS = 32;
const BYTES_PER_SECOND = 50e6;
/** Seconds that one of them takes of the time of all. */
export const SENDERS_SECONDS = (ANSWERS * ANSWER_BYTES) / BYTES_PER_SECOND;
const AT_A_TIME = 8;
/** A slow client that is not given up then never will be. */
const LORIS_MILLIS = 30_000;

/**
 * WebSockets that send, and read nothing or everything; every second one is raw, where the server stops reading and does not close.
 * They send no faster than it can answer beside other work: overload is not what this is about.
 */
export async function senders(port, count, isReading) {
  const path = "/v2/models/gru512/stream";
  const input = { name: "input", datatype: "FP32", shape: [1, 512], data: new Array(512).fill(0) };
  const text = frame(OPCODE.text, JSON.stringify({ id: "x".repeat(ANSWER_BYTES), inputs: [input] }));
  const sockets = [];
  for (let i = 0; i < count; i++) {
    const { socket } = await openUpgraded(port, i % 2 === 0 ? `${path}?raw=input` : path);
    socket.on("error", () => undefined);
    if (isReading) socket.on("data", () => undefined).resume();
    sockets.push(socket);
  }
  for (let sent = 0; sent < ANSWERS; sent++) {
    for (const socket of sockets) {
      // What the server does not take any more would wait in this process.
      if (socket.writableLength === 0) socket.write(text);
      await sleep((1000 * text.length) / BYTES_PER_SECOND);
    }
  }
  return sockets;
}

/** Heads that never end, byte by byte; each is told so or closed in the end. */
export async function slowLoris(port, count, secondsBetweenBytes) {
  const head = "POST /v2/models/gru512/infer HTTP/1.1\r\nHost: trust\r\nX-Slow: ";
  const all = await Promise.all(
    Array.from({ length: count }, async () => {
      const wire = await HttpWire.open(port);
      wire.write(head[0]);
      const began = performance.now();
      let at = 1;
      const timer = setInterval(() => wire.write(head[at++] ?? "x"), 1000 * secondsBetweenBytes);
      const status = wire.answer().then(
        (answer) => answer.status,
        () => 0,
      );
      const seconds = wire.ended.then(() => {
        clearInterval(timer);
        return (performance.now() - began) / 1000;
      });
      return { wire, status, seconds };
    }),
  );
  return {
    /** @returns {Promise<{ told: number, last: number }>} how many were answered 408; the seconds that the last one was borne */
    async end() {
      const ended = Promise.all(all.map(({ seconds }) => seconds));
      const last = Math.max(...(await within(LORIS_MILLIS, ended, "slow clients")));
      const statuses = await Promise.all(all.map(({ status }) => status));
      for (const { wire } of all) wire.close();
      return { told: statuses.filter((status) => status === 408).length, last };
    },
  };
}

/**
 * Requests over a connection each. Those that stay read their answer; the others are left at any byte, also behind their last one, by
 * closing or by resetting the connection.
 */
export async function requests(port, count, random, isStaying) {
  const path = "/v2/models/gru512/infer";
  const whole = [
    postBinary({ path, input: "input", values: new Float32Array(512), parameters: { sequence_id: "gone" } }),
    post("/predict", JSON.stringify({ inputs: { input: [new Array(512).fill(0)] } })),
  ];
  let left = count;
  const worker = async () => {
    while (left-- > 0) {
      const socket = await openSocket(port);
      socket.on("error", () => undefined);
      const bytes = random.pick(whole);
      socket.write(isStaying ? bytes : bytes.subarray(0, 1 + random.below(bytes.length)));
      await sleep(random.below(3)); // some go before the server has read anything, some after
      if (isStaying && socket.bytesRead === 0) await once(socket, "data");
      if (random.below(2) === 0) socket.destroy();
      else socket.resetAndDestroy();
    }
  };
  await Promise.all(Array.from({ length: AT_A_TIME }, worker));
}
