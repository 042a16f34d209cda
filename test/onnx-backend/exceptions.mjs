/**
 * The models that do not give the outputs of their data, each by name with the reason. The run fails where a model is not
 * what is said of it here, also where it passes.
 *
 * - "not-loaded": ONNX Runtime refuses the model, which is checked without Headrace.
 * - "locale": as "not-loaded", on machines that lack the locale en_US.UTF-8; where it is there, the model must pass.
 * - "not-tensors": an input or output is a sequence or an optional, which V2 has no words for.
 * - "onnxruntime": ONNX Runtime without Headrace gives the same other outputs, which is checked.
 * - "rounding": BF16 values are the data's but for their last bit.
 * - "misfit": an input of the data has another shape than the model declares, which is checked.
 * - "random": outputs are drawn by lot; their names, datatypes and shapes are checked.
 */
function of(folder, verdict, reason, names) {
  return names
    .trim()
    .split(/\s+/)
    .map((name) => [`${folder}/test_${name}`, { verdict, reason }]);
}

const TRAINING = "operators of the domain ai.onnx.preview.training are not in ONNX Runtime's inference build";
const BATCHWISE = "ONNX Runtime's CPU kernels of recurrent operators have no layout=1";
const NO_KERNEL = "ONNX Runtime has no CPU kernel of the operator for this datatype";
const OLD_OPSET = "opsets below 7 are older than ONNX Runtime's kernels of these operators";
const LOCALE = "StringNormalizer changes case by the locale en_US.UTF-8, which the machine must have";
const NO_WORDS = "V2 knows tensors only";
const LOTS = "the operator draws at random, and another generator than the one that made the data";
const NOISE = "rounding errors of a Fourier transform where the data has exact zeros";
const DIGITS = "ONNX Runtime prints a float with other digits than NumPy";
const CUT = "ONNX Runtime rounds FP32 to the nearest BF16, the data was cut off";
const LIKE = "the data's second input is [1] where the model declares [3, 4]";
const RESIZE = "ONNX Runtime and the ONNX reference differ in which pixels a downsampled row begins with";
const UNPOOL = "ONNX Runtime takes the indices by the shape that pooling would give, the data by output_shape";

/** Exceptions by the model's id. */
export const EXCEPTIONS = new Map([
  ...of(
    "node",
    "not-loaded",
    TRAINING,
    `
    adagrad adagrad_multiple adam adam_multiple momentum momentum_multiple nesterov_momentum`,
  ),
  ...of("simple", "not-loaded", TRAINING, "gradient_of_add gradient_of_add_and_mul"),
  ...of("node", "not-loaded", BATCHWISE, "gru_batchwise lstm_batchwise simple_rnn_batchwise"),
  ...of(
    "node",
    "not-loaded",
    NO_KERNEL,
    `
    bitshift_left_uint16 bitshift_right_uint16 max_int16 max_uint16 min_int16 min_uint16
    pow_types_float32_uint32 pow_types_float32_uint64`,
  ),
  ...of(
    "pytorch-converted",
    "not-loaded",
    OLD_OPSET,
    `
    AvgPool1d AvgPool1d_stride AvgPool2d AvgPool2d_stride AvgPool3d AvgPool3d_stride AvgPool3d_stride1_pad0_gpu_input
    BatchNorm1d_3d_input_eval BatchNorm2d_eval BatchNorm2d_momentum_eval BatchNorm3d_eval BatchNorm3d_momentum_eval
    GLU GLU_dim Linear PReLU_1d PReLU_1d_multiparam PReLU_2d PReLU_2d_multiparam PReLU_3d PReLU_3d_multiparam
    PoissonNLLLLoss_no_reduce Softsign`,
  ),
  ...of(
    "pytorch-operator",
    "not-loaded",
    OLD_OPSET,
    `
    operator_add_broadcast operator_add_size1_broadcast operator_add_size1_right_broadcast
    operator_add_size1_singleton_broadcast operator_addconstant operator_addmm operator_basic operator_mm
    operator_non_float_params operator_params operator_pow`,
  ),
  ...of(
    "node",
    "locale",
    LOCALE,
    `
    strnormalizer_export_monday_casesensintive_lower strnormalizer_export_monday_casesensintive_upper
    strnormalizer_export_monday_empty_output strnormalizer_export_monday_insensintive_upper_twodim`,
  ),
  ...of(
    "simple",
    "locale",
    LOCALE,
    `
    strnorm_model_monday_casesensintive_lower strnorm_model_monday_casesensintive_upper
    strnorm_model_monday_empty_output strnorm_model_monday_insensintive_upper_twodim`,
  ),
  ...of(
    "node",
    "not-tensors",
    NO_WORDS,
    `
    identity_opt identity_sequence if_opt if_seq loop13_seq loop16_seq_none optional_get_element
    optional_get_element_sequence optional_has_element optional_has_element_empty sequence_insert_at_back
    sequence_insert_at_front sequence_map_add_1_sequence_1_tensor sequence_map_add_1_sequence_1_tensor_expanded
    sequence_map_add_2_sequences sequence_map_add_2_sequences_expanded sequence_map_extract_shapes
    sequence_map_extract_shapes_expanded sequence_map_identity_1_sequence sequence_map_identity_1_sequence_1_tensor
    sequence_map_identity_1_sequence_1_tensor_expanded sequence_map_identity_1_sequence_expanded
    sequence_map_identity_2_sequences sequence_map_identity_2_sequences_expanded`,
  ),
  ...of(
    "node",
    "random",
    LOTS,
    `
    bernoulli bernoulli_double bernoulli_double_expanded bernoulli_expanded bernoulli_seed bernoulli_seed_expanded
    training_dropout training_dropout_default training_dropout_default_mask training_dropout_mask`,
  ),
  ...of("node", "onnxruntime", NOISE, "dft dft_axis dft_inverse stft stft_with_window"),
  ...of(
    "node",
    "onnxruntime",
    DIGITS,
    "cast_FLOAT_to_STRING castlike_FLOAT_to_STRING castlike_FLOAT_to_STRING_expanded",
  ),
  ...of(
    "node",
    "onnxruntime",
    RESIZE,
    `
    resize_downsample_scales_cubic_align_corners resize_downsample_scales_linear_align_corners`,
  ),
  ...of("node", "onnxruntime", UNPOOL, "maxunpool_export_with_output_shape"),
  ...of("node", "rounding", CUT, "cast_FLOAT_to_BFLOAT16"),
  ...of(
    "node",
    "misfit",
    LIKE,
    "castlike_BFLOAT16_to_FLOAT castlike_BFLOAT16_to_FLOAT_expanded castlike_FLOAT_to_BFLOAT16 castlike_FLOAT_to_BFLOAT16_expanded",
  ),
]);
