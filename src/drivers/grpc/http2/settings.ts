/** SETTINGS (RFC 9113, section 6.5): ours, and those of the client that we go by. */
import {
  ConnectionError,
  FRAME,
  FRAME_HEADER_BYTES,
  H2,
  MAX_FRAME_BYTES,
  MAX_WINDOW,
  SETTING,
  writeFrameHeader,
} from "./frames.js";

/** What the client says about itself. Our header blocks refer to the static table only, so the size of its table is no matter. */
export interface PeerSettings {
  /** Bytes of an answer that may be on their way, for each stream. */
  initialWindow: number;
  /** The largest frame that it takes. */
  maxFrameBytes: number;
}

const ENTRY_BYTES = 6;
const LARGEST_MAX_FRAME = 2 ** 24 - 1;
/** We do not make larger frames than this, whatever the client takes: other streams are to get their turn. */
const OUR_LARGEST_FRAME = 64 << 10;

/** The frame with our settings. */
export function settingsFrame(limits: {
  readonly maxStreams: number;
  readonly streamWindowBytes: number;
  readonly maxHeaderListBytes: number;
}): Buffer {
  const entries = [
    [SETTING.MAX_CONCURRENT_STREAMS, limits.maxStreams],
    [SETTING.INITIAL_WINDOW_SIZE, limits.streamWindowBytes],
    [SETTING.MAX_HEADER_LIST_SIZE, limits.maxHeaderListBytes],
  ] as const;
  const frame = Buffer.alloc(FRAME_HEADER_BYTES + ENTRY_BYTES * entries.length);
  writeFrameHeader(frame, 0, ENTRY_BYTES * entries.length, FRAME.SETTINGS, 0, 0);
  for (const [index, [name, value]] of entries.entries()) {
    const at = FRAME_HEADER_BYTES + ENTRY_BYTES * index;
    frame.writeUInt16BE(name, at);
    frame.writeUInt32BE(value, at + 2);
  }
  return frame;
}

/** Takes over what the client's settings say. Throws ConnectionError. */
export function readSettings(payload: Buffer, peer: PeerSettings): void {
  if (payload.length % ENTRY_BYTES !== 0) throw new ConnectionError(H2.FRAME_SIZE_ERROR, "SETTINGS of a wrong size");
  for (let at = 0; at < payload.length; at += ENTRY_BYTES) {
    const value = payload.readUInt32BE(at + 2);
    switch (payload.readUInt16BE(at)) {
      case SETTING.ENABLE_PUSH:
        if (value > 1) throw new ConnectionError(H2.PROTOCOL_ERROR, "ENABLE_PUSH is 0 or 1");
        break;
      case SETTING.INITIAL_WINDOW_SIZE:
        if (value > MAX_WINDOW) throw new ConnectionError(H2.FLOW_CONTROL_ERROR, "a window above 2^31 - 1");
        peer.initialWindow = value;
        break;
      case SETTING.MAX_FRAME_SIZE:
        if (value < MAX_FRAME_BYTES || value > LARGEST_MAX_FRAME) {
          throw new ConnectionError(H2.PROTOCOL_ERROR, "MAX_FRAME_SIZE is from 2^14 to 2^24 - 1");
        }
        peer.maxFrameBytes = Math.min(value, OUR_LARGEST_FRAME);
        break;
      default:
    }
  }
}
