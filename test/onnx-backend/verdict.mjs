/** What becomes of one model: "passed", or what is different and whose doing that is. */

import { HttpDriver } from "../../dist/drivers/http/index.js";
import { describeModel, Inference, onnxCell, PipelineFactory } from "../../dist/index.js";
import { dataSets } from "./cases.mjs";
import * as plain from "./plain.mjs";
import { infer } from "./v2.mjs";
import { BF16_BIT, difference } from "./values.mjs";

async function inferenceOf({ name, model }) {
  // As ONNX Runtime runs it: nothing is kept from one request to the next.
  const cell = onnxCell({ name, model, state: [] });
  const { inputs, outputs } = await describeModel(cell);
  const factory = new PipelineFactory({ name });
  const handle = factory.addCell("model", cell);
  for (const port of inputs) factory.declareInput(port.name, handle.input(port.name));
  for (const port of outputs) factory.declareOutput(port.name, handle.output(port.name));
  return new Inference({ pipeline: factory.build() });
}

function firstDifference(got, wanted, relative) {
  for (const output of wanted) {
    const different = difference(output.name, got.get(output.name), output, relative);
    if (different !== undefined) return different;
  }
  return undefined;
}

/** The names, datatypes and shapes are right, whatever the values are. */
function sameForm(got, wanted) {
  return wanted.every(({ name, datatype, shape }) => {
    const output = got.get(name);
    return output?.datatype === datatype && String(output.shape) === String(shape);
  });
}

/** Compares one data set's outputs; where they are wrong, ONNX Runtime alone is asked too. */
async function judge(one, set, got, isRandom) {
  const wrong = firstDifference(got, set.outputs);
  if (wrong === undefined) return { verdict: "passed" };
  if (isRandom) return { verdict: sameForm(got, set.outputs) ? "random" : "failed", detail: wrong };
  if (set.outputs.every(({ datatype }) => datatype === "BF16") && !firstDifference(got, set.outputs, BF16_BIT)) {
    return { verdict: "rounding", detail: wrong };
  }
  const alone = await plain.run(one.model, set.inputs).catch(() => undefined);
  const asAlone =
    alone !== undefined &&
    firstDifference(
      got,
      [...alone].map(([name, tensor]) => ({ name, ...tensor })),
    );
  return { verdict: asAlone === undefined ? "onnxruntime" : "failed", detail: wrong };
}

/** Data that is not of the shape that its model declares, which ONNX Runtime would refuse as well. */
function misfit({ inputs }, set) {
  const odd = set.inputs.find(({ name, shape }) => {
    const { dims } = inputs.find((port) => port.name === name);
    return shape.length !== dims.length || dims.some((size, axis) => size >= 0 && size !== shape[axis]);
  });
  return odd && `'${odd.name}' is [${odd.shape}] in the data`;
}

async function serve(runtime, one) {
  const process = await runtime.startInference(await inferenceOf(one));
  const driver = await process.addDriver("web", HttpDriver, { port: 0 });
  return { process, url: `http://127.0.0.1:${driver.getService("http").taggedAddresses.lan.port}` };
}

/**
 * Serves a model over HTTP and sends it its data.
 * @param isRandom Whether its outputs are drawn by lot, so that only their form can be right.
 */
export async function verdictOf(runtime, one, isRandom) {
  const other = [...one.inputs, ...one.outputs].find(({ kind }) => kind !== "tensor");
  if (other !== undefined) return { verdict: "not-tensors", detail: `'${other.name}' is of the kind ${other.kind}` };
  let served;
  try {
    served = await serve(runtime, one);
  } catch (error) {
    const refused = await plain.refusal(one.model);
    if (refused === undefined) return { verdict: "failed", detail: error.message };
    return { verdict: refused.includes("locale") ? "locale" : "not-loaded", detail: refused };
  }
  try {
    for (const set of dataSets(one)) {
      const detail = misfit(one, set);
      if (detail !== undefined) return { verdict: "misfit", detail };
      const judged = await judge(one, set, await infer(served.url, one.name, set.inputs), isRandom);
      if (judged.verdict !== "passed") return judged;
    }
    return { verdict: "passed" };
  } catch (error) {
    return { verdict: "failed", detail: error.message };
  } finally {
    await served.process.stop();
  }
}
