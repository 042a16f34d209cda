// WebSockets as bytes: any frame can be sent, right or wrong.

import { AnswerReader, openSocket } from "./http-wire.mjs";

export const OPCODE = { continuation: 0, text: 1, binary: 2, close: 8, ping: 9, pong: 10 };

const KEY = "dGhlIHNhbXBsZSBub25jZQ==";
const FINAL = 0x80;
const MASKED = 0x80;
const MASK = Buffer.from([0x12, 0x34, 0x56, 0x78]);

/**
 * `at`: `performance.now()` when it was complete.
 * @typedef {{ opcode: number, payload: Buffer, at: number }} Frame
 */

/** The upgrade to a WebSocket. */
export function upgrade(path) {
  const fields = `Host: trust\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: ${KEY}\r\n`;
  return `GET ${path} HTTP/1.1\r\n${fields}Sec-WebSocket-Version: 13\r\n\r\n`;
}

/**
 * One frame of a client.
 * @param {number} opcode
 * @param {string | Uint8Array} payload
 * @param {{ first?: number, isMasked?: boolean, declared?: bigint }} [lies] first: the whole first byte; declared: the length to
 *   be written, in its longest form
 */
export function frame(opcode, payload, { first = FINAL | opcode, isMasked = true, declared } = {}) {
  const bytes = typeof payload === "string" ? Buffer.from(payload) : payload;
  const head = headOf(first, isMasked ? MASKED : 0, bytes.length, declared);
  if (!isMasked) return Buffer.concat([head, bytes]);
  const masked = Buffer.allocUnsafe(bytes.length);
  for (let i = 0; i < bytes.length; i++) masked[i] = bytes[i] ^ MASK[i & 3];
  return Buffer.concat([head, MASK, masked]);
}

function headOf(first, masked, length, declared) {
  if (declared === undefined && length < 126) return Buffer.from([first, masked | length]);
  if (declared === undefined && length < 1 << 16) return Buffer.from([first, masked | 126, length >> 8, length & 255]);
  const head = Buffer.from([first, masked | 127, 0, 0, 0, 0, 0, 0, 0, 0]);
  head.writeBigUInt64BE(declared ?? BigInt(length), 2);
  return head;
}

/** @param {Buffer} payload of a close frame */
export function closeCode(payload) {
  return payload.length < 2 ? 1005 : payload.readUInt16BE(0);
}

/** Takes frames from what came, piece by piece. */
export class FrameReader {
  #rest = Buffer.alloc(0);

  /** @param {Buffer} bytes @returns {Frame[]} */
  push(bytes) {
    this.#rest = this.#rest.length === 0 ? bytes : Buffer.concat([this.#rest, bytes]);
    const frames = [];
    for (let found = this.#next(); found !== undefined; found = this.#next()) frames.push(found);
    return frames;
  }

  #next() {
    const rest = this.#rest;
    if (rest.length < 2) return undefined;
    if ((rest[0] & 0x70) !== 0 || rest[1] >= 0x80) throw new Error(`no frame of a server: ${rest[0]} ${rest[1]}`);
    const short = rest[1];
    const begin = short < 126 ? 2 : short === 126 ? 4 : 10;
    if (rest.length < begin) return undefined;
    const length = short < 126 ? short : short === 126 ? rest.readUInt16BE(2) : Number(rest.readBigUInt64BE(2));
    if (rest.length < begin + length) return undefined;
    this.#rest = rest.subarray(begin + length);
    return { opcode: rest[0] & 15, payload: rest.subarray(begin, begin + length), at: performance.now() };
  }
}

/** An open WebSocket: frames wait to be asked for, and so does its end. */
export class WsWire {
  #reader = new FrameReader();
  #frames = [];
  #waiting = [];
  /** @type {number | undefined} the code that it was closed with; 1006: without a close frame */
  code;

  /** @param {import("node:net").Socket} socket upgraded @param {Buffer} early what came behind the upgrade */
  constructor(socket, early) {
    this.socket = socket;
    /** @type {Promise<number>} the code that it was closed with */
    this.ended = new Promise((resolve) => {
      this.finish = (code) => {
        if (this.code !== undefined) return;
        this.code = code;
        for (const { reject } of this.#waiting.splice(0)) reject(new Error(`the WebSocket was closed with ${code}`));
        resolve(code);
      };
    });
    socket.on("error", () => this.finish(1006));
    socket.once("close", () => this.finish(1006));
    socket.on("data", (bytes) => this.#take(bytes));
    if (early.length > 0) this.#take(early);
    socket.resume();
  }

  /** @param {number} port @param {string} path @returns {Promise<WsWire>} */
  static async open(port, path) {
    const { socket, early } = await openUpgraded(port, path);
    return new WsWire(socket, early);
  }

  /** @param {string | Uint8Array} bytes */
  write(bytes) {
    this.socket.write(bytes);
  }

  /** The next frame that is no ping. Rejects where the WebSocket is closed before. @returns {Promise<Frame>} */
  next() {
    const found = this.#frames.shift();
    if (found !== undefined) return Promise.resolve(found);
    if (this.code !== undefined) return Promise.reject(new Error(`the WebSocket was closed with ${this.code}`));
    return new Promise((resolve, reject) => {
      this.#waiting.push({ resolve, reject });
    });
  }

  close() {
    this.socket.destroy();
  }

  #take(bytes) {
    for (const found of this.#reader.push(bytes)) {
      if (found.opcode === OPCODE.ping) this.write(frame(OPCODE.pong, found.payload));
      else if (found.opcode === OPCODE.close) {
        this.write(frame(OPCODE.close, found.payload.subarray(0, 2)));
        this.finish(closeCode(found.payload));
      } else this.#give(found);
    }
  }

  #give(found) {
    const waiting = this.#waiting.shift();
    if (waiting === undefined) this.#frames.push(found);
    else waiting.resolve(found);
  }
}

/**
 * A socket that has been upgraded and is not read: whoever wants what comes listens to it.
 * @param {number} port @param {string} path
 * @returns {Promise<{ socket: import("node:net").Socket, early: Buffer }>}
 */
export async function openUpgraded(port, path) {
  const socket = await openSocket(port);
  const reader = new AnswerReader();
  const answer = await new Promise((resolve, reject) => {
    const gone = () => reject(new Error(`no answer to the upgrade of ${path}`));
    socket.once("close", gone).once("error", gone);
    socket.on("data", (bytes) => {
      const [first] = reader.push(bytes);
      if (first === undefined) return;
      socket.removeAllListeners("data").off("close", gone).off("error", gone).pause();
      resolve(first);
    });
    socket.write(upgrade(path));
  });
  if (answer.status !== 101) {
    socket.destroy();
    throw new Error(`${path} was answered with ${answer.status}: ${answer.body}`);
  }
  return { socket, early: reader.rest };
}
