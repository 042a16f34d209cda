/**
 * A model that is slow enough to be overloaded: as many products of matrices as a request asks for, one request at a time.
 * As few may wait as `HEADRACE_TRUST_QUEUE` says, because whoever is let in waits for all of them.
 */
import { Inference, onnxCell, PipelineFactory } from "headrace";

const slow = onnxCell({
  name: "slow",
  model: "../../fixtures/models/busy.onnx",
  baseUrl: import.meta.url,
  execution: "lanes",
  lanes: 1,
  queueSize: Number(process.env.HEADRACE_TRUST_QUEUE ?? 4096),
});

const factory = new PipelineFactory({ name: "slow" });
const cell = factory.addCell("slow", slow);
const pipeline = factory.declareInput("trips", cell.input("trips")).declareOutput("y", cell.output("y")).build();

export default new Inference({ pipeline });
