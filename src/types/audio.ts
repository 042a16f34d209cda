import { InvalidArgumentError } from "../errors.js";
import { allocate } from "./nested.js";
import { Random } from "./random.js";
import { TensorType } from "./tensor.js";
import type { TensorInput, TensorValue } from "./tensor-value.js";
import { type AnyValueType, type Defaulted, defined, type JsonSchema, type TypeOptions } from "./value-type.js";

/** See `Audio`. */
export interface AudioOptions extends TypeOptions<TensorInput<"FP32">> {
  /** Samples per second of each channel, in hertz: 16000, 48000, … Required. Data of another rate is not resampled. */
  readonly sampleRate: number;
  /** Samples per channel of one value. Default: any number; a model that takes chunks of one size should say which. */
  readonly samples?: number;
  /** Channels. Default: 1. With more, a row has one run of samples per channel after the other, not interleaved. */
  readonly channels?: number;
}

/**
 * The type that `Audio()` makes.
 *
 * ```ts
 * const type = Audio({ sampleRate: 16_000, samples: 512 });
 * type.parse(new Float32Array(512), "audio").shape; // [1, 512]
 * type.label; // "Audio FP32[-1,512]"
 * ```
 */
export class AudioType extends TensorType<"FP32"> {
  override readonly kind: string = "Audio";
  /** Samples per second of each channel, in hertz. */
  readonly sampleRate: number;
  readonly channels: number;

  constructor(options: AudioOptions) {
    const channels = atLeastOne(options.channels ?? 1, "channels");
    const samples = options.samples === undefined ? -1 : atLeastOne(options.samples, "samples");
    super("FP32", channels === 1 ? [-1, samples] : [-1, channels, samples], options);
    if (!(Number.isFinite(options.sampleRate) && options.sampleRate > 0)) {
      const message = `expected samples per second, got ${String(options.sampleRate)}`;
      throw new InvalidArgumentError(message, { path: "Audio.sampleRate" });
    }
    this.sampleRate = options.sampleRate;
    this.channels = channels;
  }

  /** Three tones below a quarter of the sample rate, together within ±0.9; 100 ms where the length is free. */
  override fake(random: Random = new Random()): TensorValue<"FP32"> {
    const size = this.shape.at(-1) ?? -1;
    const samples = size === -1 ? Math.max(1, Math.round(this.sampleRate / 10)) : size;
    const value = allocate("FP32", this.channels === 1 ? [1, samples] : [1, this.channels, samples]);
    // Radians per sample; a quarter of the sample rate is π / 2.
    const tones = [1, 2, 3].map(() => ({ step: random.float(0.01, Math.PI / 2), phase: random.float(0, 2 * Math.PI) }));
    for (let i = 0; i < value.length; i++) {
      for (const { step, phase } of tones) value[i] = (value[i] ?? 0) + 0.3 * Math.sin(phase + step * (i % samples));
    }
    return value;
  }

  override accepts(from: AnyValueType): string | undefined {
    if (from instanceof AudioType && from.sampleRate !== this.sampleRate) {
      return `${from.sampleRate} Hz is not ${this.sampleRate} Hz, and nothing resamples on the way`;
    }
    return super.accepts(from);
  }

  protected override contentSchema(): JsonSchema {
    return { ...super.contentSchema(), "x-sampleRate": this.sampleRate, "x-channels": this.channels };
  }
}

function atLeastOne(value: number, option: string): number {
  if (Number.isSafeInteger(value) && value > 0) return value;
  throw new InvalidArgumentError(`expected a positive integer, got ${String(value)}`, { path: `Audio.${option}` });
}

/**
 * Sound as PCM samples: FP32, full scale at ±1. The range is not enforced: a louder sample passes as it is. A value is
 * one of `Tensor("FP32", [-1, samples])`, or `[-1, channels, samples]` with several channels; a bare Float32Array is one
 * row.
 *
 * ```ts
 * const Loudness = defineCell({
 *   name: "Loudness",
 *   inputs: { audio: Audio({ sampleRate: 16_000 }) },
 *   outputs: { peak: Float() },
 *   call: ({ inputs }) => ({ peak: inputs.audio.reduce((peak, sample) => Math.max(peak, Math.abs(sample)), 0) }),
 * });
 * ```
 *
 * @param options `sampleRate` (hertz, required), `samples` and `channels`; `title`, `description` and `default`.
 * @throws InvalidArgumentError when an option is out of range.
 */
export function Audio(
  options: AudioOptions & Defaulted<TensorInput<"FP32">>,
): AudioType & Defaulted<TensorInput<"FP32">>;
export function Audio(options: AudioOptions): AudioType;
export function Audio(options: AudioOptions): AudioType {
  return defined(new AudioType(options));
}
