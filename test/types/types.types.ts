/** Compiled, not run: what the type checker has to accept and to refuse. */
import {
  Audio,
  Float,
  type HasDefault,
  type InputOf,
  type InputsOf,
  Integer,
  Tensor,
  type TensorValue,
  tensor,
  type ValueOf,
} from "../../src/types/index.js";

type Equal<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false;
const prove = <T extends true>(): T | undefined => undefined;
// @ts-expect-error the proof itself refuses what is not so
prove<Equal<number, string>>();

const types = {
  integer: Integer(),
  float: Float({ default: 1 }),
  audio: Audio({ sampleRate: 16_000 }),
  ids: Tensor("INT64", [-1]),
  names: Tensor("BYTES", [-1]),
  bits: Tensor("FP16", [2], { default: [0, 0] }),
};
type T = typeof types;

prove<Equal<ValueOf<T["integer"]>, number>>();
prove<Equal<InputOf<T["integer"]>, number>>();
prove<Equal<ValueOf<T["audio"]>, TensorValue<"FP32">>>();
prove<Equal<HasDefault<T["integer"]>, false>>();
prove<Equal<HasDefault<T["float"]>, true>>();
prove<Equal<HasDefault<T["bits"]>, true>>();

const ids = types.ids.fake();
prove<Equal<typeof ids.shape, readonly number[]>>();
export const first: bigint | undefined = ids[0];
// @ts-expect-error the shape is read-only
ids.shape = [1];

export const least: InputsOf<T> = { integer: 1, audio: [0, 1], ids: [1n, 2, "3"], names: ["a", new Uint8Array(1)] };
export const most: InputsOf<T> = { ...least, float: 2, bits: new Uint16Array(2) };
export const shaped: InputOf<T["audio"]> = tensor(new Float32Array(2), [1, 2]);
// @ts-expect-error a string is no sample
export const wrongElement: InputOf<T["audio"]> = [["0.5"]];
// @ts-expect-error another array class
export const wrongArray: InputOf<T["ids"]> = new Float32Array(1);
// @ts-expect-error no such option
Integer({ title: "a", minimum: 3 });
// @ts-expect-error no such datatype
Tensor("FP99", [1]);
// @ts-expect-error a default of another type
Tensor("FP32", [1], { default: ["a"] });
// @ts-expect-error the rate is required
Audio({ samples: 512 });
