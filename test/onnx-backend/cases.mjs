/** ONNX's backend test data: where it lies, and what one of its models is tested with. */
import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { readInterface, readTensor } from "./onnx-files.mjs";

/** Where Debian's package libonnx-testdata puts it. `real/` has no models, only their names. */
const DATA = process.env.ONNX_TESTDATA ?? "/usr/share/libonnx-testdata/data";

/** Whether the data is there. */
export function isInstalled() {
  return existsSync(DATA);
}

/** All models, in the order of their names: `id` is folder and name. */
export function cases() {
  const found = [];
  for (const folder of readdirSync(DATA).sort()) {
    for (const name of readdirSync(join(DATA, folder)).sort()) {
      const home = join(DATA, folder, name);
      const model = join(home, "model.onnx");
      if (existsSync(model))
        found.push({ id: `${folder}/${name}`, folder, name, home, model, ...readInterface(model) });
    }
  }
  return found;
}

function tensors(ports, set, side) {
  return ports.flatMap((port, index) => {
    const file = join(set, `${side}_${index}.pb`);
    if (!existsSync(file)) return [];
    const tensor = readTensor(file);
    // The files hold BF16 as UINT16: the bits are the same.
    const datatype = port.datatype === "BF16" && tensor.datatype === "UINT16" ? "BF16" : tensor.datatype;
    return [{ ...tensor, name: port.name, datatype }];
  });
}

/** The inputs of a model and the outputs that belong to them, once for each of its data sets. */
export function dataSets({ home, inputs, outputs }) {
  const sets = readdirSync(home).filter((name) => name.startsWith("test_data_set_"));
  return sets.sort().map((name) => ({
    inputs: tensors(inputs, join(home, name), "input"),
    outputs: tensors(outputs, join(home, name), "output"),
  }));
}
