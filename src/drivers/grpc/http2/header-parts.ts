/** A header block that comes in several frames: HEADERS, then CONTINUATION after CONTINUATION, and nothing in between. */
import { ConnectionError, FRAME, H2 } from "./frames.js";

export interface WholeBlock {
  readonly stream: number;
  /** Those of HEADERS. */
  readonly flags: number;
  readonly block: Buffer;
}

/** A block may be longer than the headers in it by what its encoding adds. */
const SLACK_BYTES = 4096;

export class HeaderParts {
  private stream = 0;
  private flags = 0;
  private parts: Buffer[] = [];
  private bytes = 0;

  /** @param maxBytes What the headers of a block may have. */
  constructor(private readonly maxBytes: number) {}

  /** Throws ConnectionError where a frame may not come now. */
  checkFollows(type: number, stream: number): void {
    const isExpected = this.parts.length > 0;
    if (isExpected !== (type === FRAME.CONTINUATION) || (isExpected && stream !== this.stream)) {
      throw new ConnectionError(
        H2.PROTOCOL_ERROR,
        "CONTINUATION, and nothing else, follows an unfinished header block",
      );
    }
  }

  begin(stream: number, flags: number, part: Buffer): void {
    this.stream = stream;
    this.flags = flags;
    this.parts = [Buffer.from(part)];
    this.bytes = part.length;
  }

  /** The block, with its last part. Throws ConnectionError for one without end. */
  add(part: Buffer, isLast: boolean): WholeBlock | undefined {
    this.bytes += part.length;
    if (this.bytes > this.maxBytes + SLACK_BYTES) {
      throw new ConnectionError(H2.ENHANCE_YOUR_CALM, "a header block without end");
    }
    this.parts.push(Buffer.from(part));
    if (!isLast) return undefined;
    const block = Buffer.concat(this.parts);
    this.parts = [];
    return { stream: this.stream, flags: this.flags, block };
  }
}
