import { defineCell, Float, Integer } from "headrace";

/** Follows a signal: each answer is the one before, moved towards the new value by `weight`. Has a state per state id. */
export const Smooth = defineCell({
  name: "smooth",
  inputs: { value: Float({ description: "The signal as it is now" }) },
  outputs: { mean: Float({ description: "The signal without its noise" }) },
  parameters: { weight: Float({ default: 0.2, description: "How much a new value counts, above 0 and up to 1" }) },
  state: { mean: Float({ default: 0 }), steps: Integer({ default: 0 }) },
  call({ inputs, parameters, state }) {
    const weight = state.steps === 0 ? 1 : parameters.weight;
    state.mean += weight * (inputs.value - state.mean);
    state.steps += 1;
    return { mean: state.mean };
  },
});
