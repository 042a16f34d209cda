// HTTP/1.1 as bytes: what is sent may be anything, and what comes back is read as strictly as a proxy would.

import { connect } from "node:net";

/**
 * `at`: `performance.now()` when it was complete.
 * @typedef {{ status: number, headers: Map<string, string>, body: Buffer, at: number }} Answer
 */

const HEAD_END = Buffer.from("\r\n\r\n");
const NO_BODY = new Set([204, 304]);

/** Takes answers from what came, piece by piece. Throws what is none. */
export class AnswerReader {
  #rest = Buffer.alloc(0);
  /** What follows 101 is of another protocol. */
  #isUpgraded = false;

  /** @param {Buffer} bytes @returns {Answer[]} those that are complete now */
  push(bytes) {
    this.#rest = this.#rest.length === 0 ? bytes : Buffer.concat([this.#rest, bytes]);
    const answers = [];
    for (let answer = this.#next(); answer !== undefined; answer = this.#next()) answers.push(answer);
    return answers;
  }

  /** What came behind the last answer, such as the frames behind an upgrade. */
  get rest() {
    return this.#rest;
  }

  #next() {
    const end = this.#isUpgraded ? -1 : this.#rest.indexOf(HEAD_END);
    if (end < 0) return undefined;
    const { status, headers } = headOf(this.#rest.subarray(0, end).toString("latin1"));
    const begin = end + HEAD_END.length;
    const length = bodyLength(status, headers);
    if (this.#rest.length < begin + length) return undefined;
    const body = this.#rest.subarray(begin, begin + length);
    this.#rest = this.#rest.subarray(begin + length);
    if (status === 100) return this.#next();
    this.#isUpgraded = status === 101;
    return { status, headers, body, at: performance.now() };
  }
}

function headOf(text) {
  const [first, ...lines] = text.split("\r\n");
  const status = /^HTTP\/1\.1 (\d{3})(?: |$)/.exec(first);
  if (status === null) throw new Error(`no status line: ${JSON.stringify(first.slice(0, 80))}`);
  const headers = new Map();
  for (const line of lines) {
    const colon = line.indexOf(":");
    if (colon < 1) throw new Error(`no header: ${JSON.stringify(line.slice(0, 80))}`);
    headers.set(line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim());
  }
  return { status: Number(status[1]), headers };
}

function bodyLength(status, headers) {
  if (status < 200 || NO_BODY.has(status)) return 0;
  const length = headers.get("content-length");
  if (length === undefined || !/^\d+$/.test(length)) throw new Error(`an answer of ${status} without a length`);
  return Number(length);
}

/** One connection: answers wait to be asked for, and so does its end. */
export class HttpWire {
  #reader = new AnswerReader();
  #answers = [];
  #waiting = [];
  /** @type {string | undefined} how it ended */
  end;

  /** @param {import("node:net").Socket} socket connected */
  constructor(socket) {
    this.socket = socket;
    /** @type {Promise<string>} "closed", "reset", or what came instead of an answer */
    this.ended = new Promise((resolve) => {
      const finish = (how) => {
        if (this.end !== undefined) return;
        this.end = how;
        for (const { reject } of this.#waiting.splice(0)) reject(new Error(`no answer: the connection was ${how}`));
        resolve(how);
      };
      this.fail = (problem) => {
        finish(problem);
        socket.destroy();
      };
      socket.once("error", () => finish("reset"));
      socket.once("close", () => finish("closed"));
      socket.once("end", () => finish("closed"));
    });
    socket.on("data", (bytes) => this.#take(bytes));
  }

  /** @param {number} port @returns {Promise<HttpWire>} */
  static async open(port) {
    return new HttpWire(await openSocket(port));
  }

  /** @param {string | Uint8Array} bytes */
  write(bytes) {
    this.socket.write(bytes);
  }

  /** The next answer. Rejects where the connection ends before. @returns {Promise<Answer>} */
  answer() {
    const answer = this.#answers.shift();
    if (answer !== undefined) return Promise.resolve(answer);
    if (this.end !== undefined) return Promise.reject(new Error(`no answer: the connection was ${this.end}`));
    return new Promise((resolve, reject) => {
      this.#waiting.push({ resolve, reject });
    });
  }

  close() {
    this.socket.destroy();
  }

  #take(bytes) {
    let answers;
    try {
      answers = this.#reader.push(bytes);
    } catch (error) {
      return this.fail(error.message);
    }
    for (const answer of answers) {
      const waiting = this.#waiting.shift();
      if (waiting === undefined) this.#answers.push(answer);
      else waiting.resolve(answer);
    }
  }
}

/** @param {number} port @returns {Promise<import("node:net").Socket>} */
export function openSocket(port) {
  return new Promise((resolve, reject) => {
    const socket = connect({ port, host: "127.0.0.1", noDelay: true });
    socket.once("error", reject);
    socket.once("connect", () => {
      socket.off("error", reject);
      resolve(socket);
    });
  });
}

/**
 * A POST, whole.
 * @param {string} path
 * @param {string | Buffer} body
 * @param {Record<string, string | number>} [headers]
 */
export function post(path, body, headers = {}) {
  const bytes = typeof body === "string" ? Buffer.from(body) : body;
  const fields = Object.entries({ Host: "trust", "Content-Length": bytes.length, ...headers });
  const lines = fields.map(([name, value]) => `${name}: ${value}\r\n`).join("");
  return Buffer.concat([Buffer.from(`POST ${path} HTTP/1.1\r\n${lines}\r\n`), bytes]);
}

/**
 * A V2 request with one binary tensor of FP32.
 * @param {{ path: string, input: string, values: Float32Array, parameters?: object, shape?: number[], datatype?: string }} request
 */
export function postBinary({ path, input, values, parameters = {}, shape = [1, values.length], datatype = "FP32" }) {
  const tensor = Buffer.from(values.buffer, values.byteOffset, values.byteLength);
  const json = JSON.stringify({
    parameters: { ...parameters, binary_data_output: true },
    inputs: [{ name: input, shape, datatype, parameters: { binary_data_size: tensor.length } }],
  });
  return post(path, Buffer.concat([Buffer.from(json), tensor]), { "Inference-Header-Content-Length": json.length });
}
