/** HTTP/2 frames (RFC 9113, section 4 and 6): their names, their nine bytes in front, and cutting what arrives into frames. */

export const FRAME = {
  DATA: 0,
  HEADERS: 1,
  PRIORITY: 2,
  RST_STREAM: 3,
  SETTINGS: 4,
  PUSH_PROMISE: 5,
  PING: 6,
  GOAWAY: 7,
  WINDOW_UPDATE: 8,
  CONTINUATION: 9,
} as const;

export const FLAG = { END_STREAM: 0x1, ACK: 0x1, END_HEADERS: 0x4, PADDED: 0x8, PRIORITY: 0x20 } as const;

export const SETTING = {
  HEADER_TABLE_SIZE: 1,
  ENABLE_PUSH: 2,
  MAX_CONCURRENT_STREAMS: 3,
  INITIAL_WINDOW_SIZE: 4,
  MAX_FRAME_SIZE: 5,
  MAX_HEADER_LIST_SIZE: 6,
} as const;

/** Error codes of RST_STREAM and GOAWAY. */
export const H2 = {
  NO_ERROR: 0,
  PROTOCOL_ERROR: 1,
  INTERNAL_ERROR: 2,
  FLOW_CONTROL_ERROR: 3,
  STREAM_CLOSED: 5,
  FRAME_SIZE_ERROR: 6,
  REFUSED_STREAM: 7,
  CANCEL: 8,
  COMPRESSION_ERROR: 9,
  ENHANCE_YOUR_CALM: 11,
} as const;

export type H2Code = (typeof H2)[keyof typeof H2];

/** The connection cannot go on: it is told so with GOAWAY and closed. */
export class ConnectionError extends Error {
  constructor(
    readonly code: H2Code,
    message: string,
  ) {
    super(message);
    this.name = "ConnectionError";
  }
}

/** What a client sends first on a connection. */
export const PREFACE = Buffer.from("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "latin1");

export const FRAME_HEADER_BYTES = 9;
/** The largest payload that we take: HTTP/2's default, which nobody has to be told. */
export const MAX_FRAME_BYTES = 16_384;
export const MAX_WINDOW = 2 ** 31 - 1;
/** What HTTP/2 gives the connection, and each stream, to begin with. */
export const INITIAL_WINDOW = 65_535;

export type OnFrame = (type: number, flags: number, stream: number, payload: Buffer) => void;

/** Cuts what arrives on a connection into frames. A payload is valid until `onFrame` returns. */
export class FrameReader {
  /** A frame of which only the beginning has come. */
  private readonly partial = Buffer.allocUnsafe(FRAME_HEADER_BYTES + MAX_FRAME_BYTES);
  private have = 0;

  constructor(private readonly onFrame: OnFrame) {}

  /** Throws ConnectionError, also what `onFrame` throws. */
  read(chunk: Buffer, from: number): void {
    let at = this.have > 0 ? this.complete(chunk, from) : from;
    while (chunk.length - at >= FRAME_HEADER_BYTES) {
      const length = chunk.readUIntBE(at, 3);
      if (length > MAX_FRAME_BYTES) throw tooLarge(length);
      const end = at + FRAME_HEADER_BYTES + length;
      if (end > chunk.length) break;
      this.hand(chunk, at, end);
      at = end;
    }
    if (at < chunk.length) {
      this.have = chunk.copy(this.partial, 0, at);
    }
  }

  /** Fills the frame that had begun; where the next one begins in `chunk`. */
  private complete(chunk: Buffer, from: number): number {
    let at = this.fill(chunk, from, FRAME_HEADER_BYTES);
    if (this.have < FRAME_HEADER_BYTES) return at;
    const length = this.partial.readUIntBE(0, 3);
    if (length > MAX_FRAME_BYTES) throw tooLarge(length);
    const end = FRAME_HEADER_BYTES + length;
    at = this.fill(chunk, at, end);
    if (this.have < end) return at;
    this.have = 0;
    this.hand(this.partial, 0, end);
    return at;
  }

  private fill(chunk: Buffer, at: number, upTo: number): number {
    if (this.have >= upTo) return at;
    const copied = chunk.copy(this.partial, this.have, at, at + upTo - this.have);
    this.have += copied;
    return at + copied;
  }

  private hand(bytes: Buffer, at: number, end: number): void {
    const type = bytes[at + 3] ?? 0;
    const flags = bytes[at + 4] ?? 0;
    const stream = bytes.readUInt32BE(at + 5) & 0x7fff_ffff;
    this.onFrame(type, flags, stream, bytes.subarray(at + FRAME_HEADER_BYTES, end));
  }
}

function tooLarge(length: number): ConnectionError {
  return new ConnectionError(H2.FRAME_SIZE_ERROR, `a frame of ${length} bytes, at most ${MAX_FRAME_BYTES} are allowed`);
}

/** Writes a frame's nine bytes. */
export function writeFrameHeader(
  to: Buffer,
  at: number,
  length: number,
  type: number,
  flags: number,
  stream: number,
): void {
  to.writeUIntBE(length, at, 3);
  to[at + 3] = type;
  to[at + 4] = flags;
  to.writeUInt32BE(stream, at + 5);
}
