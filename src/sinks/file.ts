/** `headrace/sinks/file`: results as JSON Lines. */
import { type FileHandle, open } from "node:fs/promises";
import { HeadraceError, InvalidArgumentError } from "../errors.js";
import { fileError } from "../file-error.js";
import { type Types, valuesToJson } from "../types/index.js";
import { Sink, type SinkContext, type SinkItem } from "./sink.js";

/** Where a `FileSink` writes. */
export interface FileSinkOptions {
  /** The file; made where it is not there, its folder is not. One writer at a time. */
  readonly path: string;
  /** What becomes of a file that is there: "append" after what is in it, or "truncate" it. Default: "append". */
  readonly mode?: "append" | "truncate";
}

/**
 * Writes one line of JSON for each item, with `source`, `stateId`, `sequence`, `capturedAt`, `predictedAt` and `outputs`,
 * these as plain REST has them. A line is with the operating system when `write` resolves, and on the disk when `close`
 * does. What a failed write left of its line is taken back, so that the file holds whole lines.
 *
 * Throws HeadraceError with the path in front: NOT_FOUND, RESOURCE_EXHAUSTED (no space), INVALID_ARGUMENT (a folder, or
 * outputs that are none of the pipeline's types), UNAVAILABLE.
 *
 * ```ts
 * new FileSink({ path: "results.jsonl", mode: "truncate" });
 * ```
 */
export class FileSink extends Sink {
  private outputs: Types = {};
  private file: FileHandle | undefined;
  /** Bytes of whole lines: where the next one begins; undefined for what is not a regular file. */
  private length: number | undefined;
  private writing: Promise<void> = Promise.resolve();
  private closing: Promise<void> | undefined;

  /** @throws InvalidArgumentError when an option does not fit. */
  constructor(private readonly options: FileSinkOptions) {
    super();
    const { path, mode = "append" } = options;
    if (typeof path !== "string" || path === "") {
      throw new InvalidArgumentError("expected the path of a file", { path: "FileSink.path" });
    }
    if (mode !== "append" && mode !== "truncate") {
      const message = `expected "append" or "truncate"; got ${String(mode)}`;
      throw new InvalidArgumentError(message, { path: "FileSink.mode" });
    }
  }

  override async open(context: SinkContext): Promise<void> {
    const { path, mode = "append" } = this.options;
    this.outputs = context.outputs;
    await this.guarded(async () => {
      // Also where it is truncated: an appending write begins where a failed one was taken back.
      this.file = await open(path, "a");
      const stat = await this.file.stat();
      if (!stat.isFile()) return;
      if (mode === "truncate") await this.file.truncate(0);
      this.length = mode === "truncate" ? 0 : stat.size;
    });
    // Closed while it was being opened.
    if (this.closing !== undefined) await this.release();
  }

  override async write(item: SinkItem, signal: AbortSignal): Promise<void> {
    const { file } = this;
    if (file === undefined || this.closing !== undefined) {
      throw new HeadraceError("UNAVAILABLE", "the sink is not open", { path: this.options.path });
    }
    if (signal.aborted) throw new HeadraceError("CANCELLED", "the item was not written", { path: this.options.path });
    const line = Buffer.from(`${JSON.stringify({ ...item, outputs: this.json(item) })}\n`);
    // A line is short: it is written whole rather than cut off by the signal.
    this.writing = this.guarded(() => this.append(file, line));
    await this.writing;
  }

  override close(): Promise<void> {
    this.closing ??= this.release();
    return this.closing;
  }

  private async release(): Promise<void> {
    await this.writing.catch(() => {});
    const { file } = this;
    this.file = undefined;
    if (file === undefined) return;
    await this.guarded(async () => {
      try {
        if (this.length !== undefined) await file.datasync();
      } finally {
        await file.close();
      }
    });
  }

  private async append(file: FileHandle, line: Uint8Array): Promise<void> {
    try {
      await file.appendFile(line);
    } catch (error) {
      if (this.length !== undefined) await file.truncate(this.length);
      throw error;
    }
    if (this.length !== undefined) this.length += line.byteLength;
  }

  private json({ outputs, source, sequence }: SinkItem): unknown {
    try {
      return valuesToJson(this.outputs, outputs);
    } catch (error) {
      const message = `the outputs of item ${sequence} of '${source}' are not of the pipeline's types`;
      throw new InvalidArgumentError(message, { path: this.options.path, cause: error });
    }
  }

  private async guarded<T>(work: () => Promise<T>): Promise<T> {
    try {
      return await work();
    } catch (error) {
      throw fileError(this.options.path, error);
    }
  }
}
