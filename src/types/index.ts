/** Value types: schemas that validate, describe, fake and encode the values of cells. */
export { Audio, type AudioOptions, AudioType } from "./audio.js";
export { Boolean, type BooleanOptions, BooleanType } from "./boolean.js";
export { isWellFormed } from "./describe.js";
export { Float, type FloatOptions, FloatType } from "./float.js";
export { Integer, type IntegerOptions, IntegerType } from "./integer.js";
export { MODEL_TENSOR, ModelTensorType } from "./model-tensor.js";
export { Random } from "./random.js";
export {
  fakeValues,
  type InputsOf,
  type NoTypes,
  parseValues,
  type Types,
  type ValuesOf,
  valuesSchema,
  valuesToJson,
} from "./record.js";
export { fromBfloat, fromHalf, toBfloat, toHalf } from "./small-float.js";
export { String, type StringOptions, StringType } from "./string.js";
export { Tensor, type TensorOptions, TensorType } from "./tensor.js";
export {
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
  type Defaulted,
  type HasDefault,
  type InputOf,
  type Json,
  type JsonSchema,
  type TypeOptions,
  type ValueOf,
  type ValueType,
} from "./value-type.js";
