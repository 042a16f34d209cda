/** `headrace/sources/file`: inputs from JSON Lines, a folder of files, or a WAV recording. */
import { type FileHandle, open, readFile } from "node:fs/promises";
import { HeadraceError, InvalidArgumentError } from "../errors.js";
import { fileError } from "../file-error.js";
import { shown } from "../shown.js";
import { AudioType, type Types } from "../types/index.js";
import { jsonLines } from "./file/lines.js";
import { hasWildcard, matchingFiles } from "./file/matching.js";
import { readWavHeader, type Wav, wavFrames } from "./file/wav.js";
import { Pace, Source, type SourceContext, type SourceItem } from "./source.js";

/** What a `FileSource` can read: JSON Lines, whole files, a WAV recording. See `FileSourceOptions.format`. */
export type FileFormat = "jsonl" | "files" | "wav";

/** What a `FileSource` reads, and how fast. */
export interface FileSourceOptions {
  /** The file; for "files" with wildcards in its name: "frames/*.jpg". */
  readonly path: string;
  /**
   * "jsonl": each line is an object of the pipeline's inputs, as plain REST has them, at most 64 MiB; integers above 2^53 are
   * decimal strings.
   * "files": the bytes of each file that the path matches are one input, in the order of the names (2 before 10).
   * "wav": frames of a recording in mono, 16-bit PCM or 32-bit float, are one input, in -1..1.
   * Default: by the path: wildcards are "files", `.wav` is "wav", `.jsonl` and `.ndjson` are "jsonl".
   */
  readonly format?: FileFormat;
  /** "files" and "wav": the name of the pipeline's input. Default: the only one that there is. */
  readonly input?: string;
  /** "wav": samples of a frame. The last frame is filled up with zeros. Default: what the input's type asks for. */
  readonly frameSamples?: number;
  /**
   * Items per second; 0: as fast as they are taken; "real-time": as fast as a "wav" was recorded. Default: 0.
   */
  readonly rate?: number | "real-time";
  /** Whether to begin again at the end, for ever. Default: false. */
  readonly loop?: boolean;
}

type Inputs = Readonly<Record<string, unknown>>;

/** What is to be read, found out when the source is opened. */
interface Opened {
  /** One way through the file or files. */
  readonly pass: () => AsyncIterable<Inputs>;
  /** Items per second. */
  readonly rate: number;
}

const FORMATS: readonly FileFormat[] = ["jsonl", "files", "wav"];

/**
 * Reads inputs from files, a piece at a time.
 *
 * Throws HeadraceError with the path in front: NOT_FOUND, UNAVAILABLE (not allowed, not readable), INVALID_ARGUMENT for
 * content that does not fit: not JSON (with the number of the line), not that kind of WAV, another sample rate than the
 * input's.
 *
 * ```ts
 * new FileSource({ path: "recording.wav", frameSamples: 512, rate: "real-time" });
 * new FileSource({ path: "frames/*.jpg", input: "image", rate: 25, loop: true });
 * new FileSource({ path: "steps.jsonl" });
 * ```
 */
export class FileSource extends Source {
  private readonly format: FileFormat;
  private readonly closed = new AbortController();
  private file: FileHandle | undefined;
  private opened: Opened | undefined;

  /** @throws InvalidArgumentError when an option does not fit. */
  constructor(private readonly options: FileSourceOptions) {
    super();
    const { path, frameSamples = 1, rate = 0 } = options;
    if (typeof path !== "string" || path === "") throw refused("expected the path of a file", path, "path");
    this.format = options.format ?? formatOf(path);
    if (!FORMATS.includes(this.format)) throw refused(`expected ${FORMATS.join(", ")}`, this.format, "format");
    if (!Number.isSafeInteger(frameSamples) || frameSamples < 1) {
      throw refused("expected a number of samples of at least 1", frameSamples, "frameSamples");
    }
    if (rate === "real-time" ? this.format !== "wav" : !(rate >= 0)) {
      throw refused('expected items per second, 0 or more, or "real-time" for "wav"', rate, "rate");
    }
  }

  override async open(context: SourceContext): Promise<void> {
    const { path } = this.options;
    try {
      this.opened = await this.prepare(context);
    } catch (error) {
      throw fileError(path, error);
    } finally {
      // Closed while it was being opened.
      if (this.closed.signal.aborted) await this.close();
    }
  }

  override async *read(signal: AbortSignal): AsyncGenerator<SourceItem> {
    const { path, loop = false } = this.options;
    if (this.opened === undefined) throw new HeadraceError("UNAVAILABLE", "the source is not open", { path });
    const { pass, rate } = this.opened;
    const pace = new Pace(rate);
    const until = AbortSignal.any([signal, this.closed.signal]);
    try {
      for (let isEmpty = false; !isEmpty; ) {
        isEmpty = true;
        for await (const inputs of pass()) {
          if (!(await pace.due(until))) return;
          isEmpty = false;
          yield { inputs };
        }
        if (!loop) return;
      }
    } catch (error) {
      if (!until.aborted) throw fileError(path, error);
    }
  }

  /** Waits for a read that is under way. */
  override async close(): Promise<void> {
    this.closed.abort();
    const { file } = this;
    this.file = undefined;
    await file?.close();
  }

  private async prepare({ inputs }: SourceContext): Promise<Opened> {
    const { path } = this.options;
    const rate = this.options.rate === "real-time" ? 0 : (this.options.rate ?? 0);
    if (this.format === "files") {
      const input = this.inputOf(inputs);
      const files = await matchingFiles(path);
      return { pass: () => contents(files, input, this.closed.signal), rate };
    }
    const file = await open(path);
    this.file = file;
    const stat = await file.stat();
    if (!stat.isFile()) throw new InvalidArgumentError("is not a regular file", { path });
    if (this.format === "jsonl") return { pass: () => jsonLines(file, path), rate };
    const input = this.inputOf(inputs);
    const wav = await readWavHeader(file, path, stat.size);
    const frameSamples = this.frameSamples(inputs, input, wav);
    return {
      pass: () => named(wavFrames(file, wav, frameSamples), input),
      rate: this.options.rate === "real-time" ? wav.sampleRate / frameSamples : rate,
    };
  }

  private inputOf(inputs: Types): string {
    const names = Object.keys(inputs);
    const [only, ...others] = names;
    const input = this.options.input ?? (others.length === 0 ? only : undefined);
    if (input !== undefined && names.includes(input)) return input;
    throw refused(`expected the name of an input; the pipeline has ${names.join(", ")}`, input, "input");
  }

  private frameSamples(inputs: Types, input: string, { sampleRate }: Wav): number {
    const type = inputs[input];
    if (type instanceof AudioType && type.sampleRate !== sampleRate) {
      const message = `is recorded at ${sampleRate} Hz, but the input '${input}' takes ${type.sampleRate} Hz`;
      throw new InvalidArgumentError(message, { path: this.options.path });
    }
    const size = type?.shape.at(-1) ?? -1;
    const { frameSamples = size } = this.options;
    if (frameSamples < 1 || (size > 0 && frameSamples !== size)) {
      const wanted = size > 0 ? `the input '${input}' takes frames of ${size}` : "the input leaves it open, so say it";
      throw refused(`expected a number of samples; ${wanted}`, this.options.frameSamples, "frameSamples");
    }
    return frameSamples;
  }
}

async function* contents(files: readonly string[], input: string, signal: AbortSignal): AsyncGenerator<Inputs> {
  for (const path of files) {
    const bytes = await readFile(path, { signal }).catch((error: unknown) => {
      throw fileError(path, error);
    });
    yield { [input]: new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength) };
  }
}

async function* named(values: AsyncIterable<unknown>, input: string): AsyncGenerator<Inputs> {
  for await (const value of values) yield { [input]: value };
}

function formatOf(path: string): FileFormat {
  if (hasWildcard(path)) return "files";
  if (/\.wav$/i.test(path)) return "wav";
  if (/\.(jsonl|ndjson)$/i.test(path)) return "jsonl";
  throw refused(`cannot tell it from '${path}'; expected ${FORMATS.join(", ")}`, undefined, "format");
}

function refused(expectation: string, value: unknown, option: string): InvalidArgumentError {
  return new InvalidArgumentError(`${expectation}; got ${shown(value)}`, { path: `FileSource.${option}` });
}
