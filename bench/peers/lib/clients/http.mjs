// Single steps over HTTP, of any body.

import { Agent, request } from "node:http";

/**
 * @param {object} form
 * @param {string} form.path
 * @param {Record<string, string>} form.headers
 * @param {string} form.body        with the gaps that the generator fills too
 * @param {string} [form.jsonHead]  V2's JSON in front of the body, with gaps; its length becomes a header
 * @param {(head: Record<string, string>, body: Buffer) => ArrayLike<number>} form.output  reads the answer
 * @returns {(port: number) => Promise<import("../forms.mjs").Client>}
 */
export function openHttp({ path, headers, body, jsonHead, output }) {
  return async (port) => {
    const agent = new Agent({ keepAlive: true });
    return {
      step: async (stream, input) => {
        const head = jsonHead === undefined ? Buffer.alloc(0) : filled(jsonHead, stream, input);
        const all = Buffer.concat([head, filled(body, stream, input)]);
        const lengths = jsonHead === undefined ? {} : { "inference-header-content-length": String(head.length) };
        const answer = await post({ agent, port, path, headers: { ...headers, ...lengths } }, all);
        if (answer.status !== 200) throw new Error(`status ${answer.status}: ${answer.body.toString().slice(0, 300)}`);
        return Float32Array.from(output(answer.headers, answer.body));
      },
      close: () => agent.destroy(),
    };
  };
}

function post({ agent, port, path, headers }, body) {
  return new Promise((resolve, reject) => {
    const call = request({
      agent,
      host: "127.0.0.1",
      port,
      path,
      method: "POST",
      headers: { ...headers, "content-length": body.length },
    });
    call.once("error", reject);
    call.once("response", async (response) => {
      try {
        const chunks = [];
        for await (const chunk of response) chunks.push(chunk);
        resolve({ status: response.statusCode, headers: response.headers, body: Buffer.concat(chunks) });
      } catch (error) {
        reject(error);
      }
    });
    call.end(body);
  });
}

function filled(text, stream, input) {
  const gaps = {
    id: () => Buffer.from(String(stream)),
    "id-u32": () => {
      const bytes = Buffer.alloc(4);
      bytes.writeUInt32LE(stream);
      return bytes;
    },
    "id-i64": () => {
      const bytes = Buffer.alloc(8);
      bytes.writeBigInt64LE(BigInt(stream));
      return bytes;
    },
    list: () => Buffer.from(JSON.stringify(Array.from(input))),
    tensor: () => Buffer.from(input.buffer, input.byteOffset, input.byteLength),
  };
  // Splitting at a pattern with a group leaves the gaps' names at the odd places.
  return Buffer.concat(
    text.split(/\{\{([\w-]+)\}\}/).map((part, index) => (index % 2 === 0 ? Buffer.from(part) : gaps[part]())),
  );
}
