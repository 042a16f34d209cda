/** Compiled, not run: what the type checker has to accept and to refuse. */
import {
  Audio,
  BoundingBox,
  type BoundingBoxValue,
  Bytes,
  type BytesInput,
  Class,
  Classes,
  type ClassValue,
  Dict,
  Enum,
  Float,
  FloatRange,
  type HasDefault,
  Image,
  type InputOf,
  type InputsOf,
  Integer,
  IntegerRange,
  List,
  Optional,
  Point,
  type RawImage,
  type RawImageInput,
  Tensor,
  type TensorValue,
  String as Text,
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

const person = Dict({
  name: Text(),
  age: IntegerRange({ min: 0, max: 150 }),
  nick: Optional(Text()),
  level: Integer({ default: 1 }),
});
const composite = {
  side: Enum(["left", "right"]),
  mode: Enum(["a", "b"], { default: "a" }),
  share: FloatRange({ min: 0, max: 1, default: 0.5 }),
  bytes: Bytes(),
  file: Image(),
  pixels: Image({ encoding: "raw", channels: 3 }),
  flat: Point(),
  deep: Point({ dimensions: 3 }),
  boxes: List(BoundingBox()),
  counts: List(Integer(), { default: [1, 2] }),
  animal: Class({ labels: ["cat", "dog"] }),
  anything: Class(),
  animals: Classes({ labels: ["cat", "dog"] }),
  scores: Dict(Float()),
  person,
  people: List(person),
  maybe: Optional(Integer()),
  maybeFile: Optional(Image()),
};
type C = typeof composite;
type Person = {
  readonly name: string;
  readonly age: number;
  readonly nick: string | null;
  readonly level: number;
};

prove<Equal<ValueOf<C["side"]>, "left" | "right">>();
prove<Equal<InputOf<C["side"]>, "left" | "right">>();
prove<Equal<ValueOf<C["mode"]>, "a" | "b">>();
prove<Equal<HasDefault<C["mode"]>, true>>();
prove<Equal<HasDefault<C["side"]>, false>>();
prove<Equal<HasDefault<C["share"]>, true>>();
prove<Equal<ValueOf<C["bytes"]>, Uint8Array>>();
prove<Equal<InputOf<C["bytes"]>, BytesInput>>();
prove<Equal<ValueOf<C["file"]>, Uint8Array>>();
prove<Equal<InputOf<C["file"]>, BytesInput>>();
prove<Equal<ValueOf<C["pixels"]>, RawImage>>();
prove<Equal<InputOf<C["pixels"]>, RawImageInput>>();
prove<Equal<ValueOf<C["flat"]>, { readonly x: number; readonly y: number }>>();
prove<Equal<ValueOf<C["deep"]>, { readonly x: number; readonly y: number; readonly z: number }>>();
prove<Equal<ValueOf<C["boxes"]>, readonly BoundingBoxValue[]>>();
prove<Equal<InputOf<C["boxes"]>, readonly BoundingBoxValue[]>>();
prove<Equal<HasDefault<C["boxes"]>, false>>();
prove<Equal<HasDefault<C["counts"]>, true>>();
prove<Equal<ValueOf<C["animal"]>, ClassValue<"cat" | "dog">>>();
prove<Equal<ValueOf<C["anything"]>, ClassValue>>();
prove<Equal<ValueOf<C["animals"]>, readonly ClassValue<"cat" | "dog">[]>>();
prove<Equal<ValueOf<C["scores"]>, Readonly<Record<string, number>>>>();
prove<Equal<ValueOf<C["person"]>, Person>>();
prove<Equal<ValueOf<C["people"]>, readonly Person[]>>();
prove<Equal<ValueOf<C["maybe"]>, number | null>>();
prove<Equal<InputOf<C["maybe"]>, number | null>>();
prove<Equal<HasDefault<C["maybe"]>, true>>();
prove<Equal<ValueOf<C["maybeFile"]>, Uint8Array | null>>();

export const fewest: InputOf<C["person"]> = { name: "a", age: 3 };
export const all: InputOf<C["person"]> = { name: "a", age: 3, nick: null, level: 2 };
// @ts-expect-error a required field is missing
export const noAge: InputOf<C["person"]> = { name: "a" };
// @ts-expect-error no such field
export const other: InputOf<C["person"]> = { name: "a", age: 3, size: 2 };
// @ts-expect-error a field of another type
export const wrongField: InputOf<C["people"]> = [{ name: 1, age: 3 }];
type SomeInputs = InputsOf<Pick<C, "side" | "mode" | "maybe" | "counts">>;
export const least2: SomeInputs = { side: "left" };
export const most2: SomeInputs = { side: "left", mode: "b", maybe: null, counts: [] };
// @ts-expect-error no such value
export const wrongSide: SomeInputs = { side: "up" };
// @ts-expect-error the default is none of the values
Enum(["a", "b"], { default: "c" });
// @ts-expect-error the range is required
IntegerRange({ min: 0 });
// @ts-expect-error two or three
Point({ dimensions: 4 });
// @ts-expect-error a file has no fixed size
Image({ width: 5 });
// @ts-expect-error a default of another type
List(Integer(), { default: ["a"] });
// @ts-expect-error a default without a required field
Dict({ name: Text(), age: Integer() }, { default: { name: "a" } });
// @ts-expect-error not a type
Optional(3);
