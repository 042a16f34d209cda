import type { InferUpload } from "../../serving/infer-upload.js";
import type { BodyPieces, Exchange } from "./exchange.js";

/** The pieces of a body, the JSON header left out, on their way into an upload. */
export class UploadPieces implements BodyPieces {
  private skip: number;

  constructor(
    private readonly exchange: Exchange,
    private readonly upload: InferUpload,
    headerLength: number,
    private readonly failed: (error: unknown) => void,
  ) {
    this.skip = headerLength;
  }

  piece(bytes: Uint8Array, isLast: boolean): void {
    try {
      this.upload.append(bytes.subarray(this.skip));
      this.skip = 0;
      if (!isLast) return;
      this.exchange.whenGone(this.upload.finish());
    } catch (error) {
      this.upload.abandon();
      this.failed(error);
    }
  }

  abandon(): void {
    this.upload.abandon();
  }
}
