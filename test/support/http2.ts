/** HTTP/2 by hand: frames over a plain socket, and gRPC calls made of them. */
import { once } from "node:events";
import { connect, type Socket } from "node:net";
import type { Test } from "tap";
import { FLAG, FRAME, FrameReader, PREFACE, writeFrameHeader } from "../../src/drivers/grpc/http2/frames.js";
import { encodeHeaders } from "../../src/drivers/grpc/http2/hpack-encoder.js";
import type { GrpcParameters } from "../../src/drivers/grpc/index.js";
import { GrpcListener } from "../../src/drivers/grpc/listener.js";
import { MessageCodec } from "../../src/drivers/grpc/messages/schema.js";
import { grpcParameters, listenerParameters } from "../../src/drivers/grpc/parameters.js";
import { serveGrpc, V2 } from "./grpc.js";
import { gruPipeline } from "./serve.js";

export function frame(type: number, flags: number, stream: number, payload: Buffer = Buffer.alloc(0)): Buffer {
  const bytes = Buffer.alloc(9 + payload.length);
  writeFrameHeader(bytes, 0, payload.length, type, flags, stream);
  payload.copy(bytes, 9);
  return bytes;
}
export const uint32 = (value: number): Buffer => {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
};
export const setting = (name: number, value: number): Buffer =>
  Buffer.concat([uint32(name).subarray(2), uint32(value)]);

export interface Received {
  readonly type: number;
  readonly flags: number;
  readonly stream: number;
  readonly payload: Buffer;
}

/** A connection whose frames are written and read by hand. */
export class RawConnection {
  readonly frames: Received[] = [];
  isClosed = false;
  readonly #reader = new FrameReader((type, flags, stream, payload) => {
    this.frames.push({ type, flags, stream, payload: Buffer.from(payload) });
  });
  #waiting: (() => void)[] = [];

  constructor(
    t: Test,
    readonly socket: Socket,
  ) {
    t.teardown(() => socket.destroy());
    const changed = (): void => {
      for (const go of this.#waiting.splice(0)) go();
    };
    socket.on("data", (chunk) => {
      this.#reader.read(chunk as Buffer, 0);
      changed();
    });
    socket.on("error", () => {});
    socket.on("close", () => {
      this.isClosed = true;
      changed();
    });
  }

  send(...frames: Buffer[]): this {
    this.socket.write(Buffer.concat(frames));
    return this;
  }

  async until(what: (frame: Received) => boolean): Promise<Received | undefined> {
    for (;;) {
      const found = this.frames.find(what);
      if (found !== undefined || this.isClosed) return found;
      await new Promise<void>((resolve) => {
        this.#waiting.push(resolve);
      });
    }
  }

  /** The code of GOAWAY, after which the connection closes. */
  async goneWith(): Promise<number | undefined> {
    const goAway = await this.until(({ type }) => type === FRAME.GOAWAY);
    if (!this.isClosed) await once(this.socket, "close");
    return goAway?.payload.readUInt32BE(4);
  }

  async resetOf(stream: number): Promise<number | undefined> {
    const reset = await this.until((frame) => frame.type === FRAME.RST_STREAM && frame.stream === stream);
    return reset?.payload.readUInt32BE(0);
  }
}

export async function open(t: Test, parameters: Partial<GrpcParameters> = {}) {
  const served = await serveGrpc(t, await gruPipeline(), parameters);
  const connection = async (): Promise<RawConnection> => {
    const socket = connect(served.port, "127.0.0.1");
    await once(socket, "connect");
    return new RawConnection(t, socket);
  };
  const greeted = async (): Promise<RawConnection> => (await connection()).send(PREFACE, frame(FRAME.SETTINGS, 0, 0));
  return { ...served, connection, greeted };
}

/** The headers of a call of any service's method. */
export const headersTo = (path: string, more: [string, string][] = []): Buffer =>
  encodeHeaders([
    [":method", "POST"],
    [":scheme", "http"],
    [":path", `/${path}`],
    ["content-type", "application/grpc"],
    ["te", "trailers"],
    ...more,
  ]);
export const headers = (method: string, more: [string, string][] = []): Buffer => headersTo(`${V2}/${method}`, more);
/** An empty message of gRPC. */
export const EMPTY = Buffer.alloc(5);
export const call = (stream: number, method = "ServerLive"): Buffer =>
  Buffer.concat([
    frame(FRAME.HEADERS, FLAG.END_HEADERS, stream, headers(method)),
    frame(FRAME.DATA, FLAG.END_STREAM, stream, EMPTY),
  ]);
export const isEndOf = (stream: number) => (frame: Received) =>
  frame.stream === stream && frame.type === FRAME.HEADERS && (frame.flags & FLAG.END_STREAM) !== 0;
/** `grpc-status` as it stands in a block that uses no table for it. */
export const status = (frame: Received | undefined): string | undefined => {
  const text = frame?.payload.toString("latin1") ?? "";
  const at = text.indexOf("grpc-status");
  const value = at + "grpc-status".length;
  return at < 0 ? undefined : text.slice(value + 1, value + 1 + text.charCodeAt(value));
};

/** A request to the model of a `Gate`, with its prefix. */
export const GATED = prefixed("inference.ModelInferRequest", {
  model_name: "gate",
  inputs: [{ name: "x", datatype: "INT64", shape: [1], contents: { int64_contents: [1] } }],
});

export function prefixed(type: string, fields: Record<string, unknown>): Buffer {
  const message = new MessageCodec(type).encode(fields);
  return Buffer.concat([Buffer.alloc(1), uint32(message.length), message]);
}

/** A listener that nobody serves at. */
export async function listening(t: Test): Promise<GrpcListener> {
  const init = { parameters: listenerParameters(grpcParameters({})), repository: () => undefined, log: undefined };
  // Its clock is the test's.
  const listener = await GrpcListener.open({ ...init, tickMillis: 2 ** 31 - 1 }, 0);
  t.teardown(() => listener.close());
  return listener;
}

/** Resolves when the server has read what was sent so far, and what it wrote for it is here. */
export async function taken(raw: RawConnection, mark: number): Promise<void> {
  raw.send(frame(FRAME.PING, 0, 0, Buffer.concat([uint32(mark), uint32(0)])));
  await raw.until(({ type, payload }) => type === FRAME.PING && payload.readUInt32BE(0) === mark);
}
