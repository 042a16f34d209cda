/** Value types: schemas that validate, describe, fake and encode the values of cells. */
export { Audio, type AudioOptions, AudioType } from "./audio.js";
export { Boolean, type BooleanOptions, BooleanType } from "./boolean.js";
export { BoundingBox, type BoundingBoxOptions, BoundingBoxType, type BoundingBoxValue } from "./bounding-box.js";
export { Bytes, type BytesInput, type BytesOptions, BytesType } from "./bytes.js";
export {
  Class,
  Classes,
  type ClassesOptions,
  ClassesType,
  type ClassOptions,
  ClassType,
  type ClassValue,
} from "./class.js";
export { isWellFormed } from "./describe.js";
export { Dict, type DictInput, type DictOptions, DictType, type DictValue, RecordType } from "./dict.js";
export { Enum, type EnumOptions, EnumType } from "./enum.js";
export { Float, type FloatOptions, FloatType } from "./float.js";
export type { FloatRecordType } from "./float-record.js";
export {
  type EncodedImageOptions,
  EncodedImageType,
  Image,
  type RawImage,
  type RawImageInput,
  type RawImageOptions,
  RawImageType,
} from "./image.js";
export {
  type DecodeImageOptions,
  decodeImage,
  type EncodeImageOptions,
  encodeImage,
  MAX_IMAGE_PIXELS,
} from "./image-codec.js";
export { Integer, type IntegerOptions, IntegerType } from "./integer.js";
export { List, type ListInput, type ListOptions, ListType, type ListValue } from "./list.js";
export { MODEL_TENSOR, ModelTensorType } from "./model-tensor.js";
export { Optional, type OptionalOptions, OptionalType } from "./optional.js";
export { type Dimensions, Point, type PointOptions, PointType, type PointValue } from "./point.js";
export { Random } from "./random.js";
export {
  type Bounds,
  FloatRange,
  type FloatRangeOptions,
  FloatRangeType,
  IntegerRange,
  type IntegerRangeOptions,
  IntegerRangeType,
} from "./range.js";
export {
  defaultValues,
  fakeValues,
  type InputsOf,
  type NoTypes,
  parseValues,
  type Types,
  type ValuesOf,
  valuesSchema,
  valuesToJson,
  valuesToTensors,
} from "./record.js";
export type { ScalarType } from "./scalar.js";
export { fromBfloat, fromHalf, toBfloat, toHalf } from "./small-float.js";
export { String, type StringOptions, StringType } from "./string.js";
export { Tensor, type TensorOptions, TensorType } from "./tensor.js";
export {
  type AnyBuffer,
  copyValue,
  type ElementOf,
  type InputArrayOf,
  type NestedArray,
  type Shaped,
  type TensorInput,
  type TensorValue,
  tensor,
} from "./tensor-value.js";
export {
  type AnyValueType,
  assignable,
  type BaseType,
  type Defaulted,
  type HasDefault,
  type InputOf,
  type Json,
  type JsonSchema,
  type TypeOptions,
  type ValueOf,
  type ValueType,
} from "./value-type.js";
