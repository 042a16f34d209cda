import { PipelineFactory } from "headrace";
import { Smooth } from "./smooth.js";

const factory = new PipelineFactory({ name: "smooth" });
// "smooth" is the cell's ref: what `parameters` in headrace.yaml name it by.
const smooth = factory.addCell("smooth", Smooth);

export default factory.declareInput("value", smooth.inputs.value).declareOutput("mean", smooth.outputs.mean).build();
