/** For those who use the plugin from code; `headrace.yaml` finds it by the `headrace` field of package.json. */
export { default as pipeline } from "./pipeline.js";
export { Smooth } from "./smooth.js";
export { WaveDriver, type WaveParameters } from "./wave-driver.js";
