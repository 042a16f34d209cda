/** `docs/onnx-backend.md`: how many models pass, and why the others do not. */
import { EXCEPTIONS } from "./exceptions.mjs";

const COLUMNS = [
  ["passed", "right outputs"],
  ["not-loaded", "not loaded by ONNX Runtime"],
  ["locale", "need a locale"],
  ["not-tensors", "not tensors"],
  ["random", "random"],
  ["onnxruntime", "as ONNX Runtime alone"],
  ["rounding", "last bit of BF16"],
  ["misfit", "data of another shape"],
  ["failed", "failed"],
];

function row(cells) {
  return `| ${cells.join(" | ")} |`;
}

function counts(results) {
  const folders = [...new Set(results.map(({ folder }) => folder))];
  const line = (name, of) =>
    row([name, of.length, ...COLUMNS.map(([v]) => of.filter(({ verdict }) => verdict === v).length)]);
  return [
    row(["folder", "models", ...COLUMNS.map(([, title]) => title)]),
    row(["---", ...COLUMNS.map(() => "--:"), "--:"]),
    ...folders.map((folder) =>
      line(
        `\`${folder}\``,
        results.filter((result) => result.folder === folder),
      ),
    ),
    line("all", results),
  ];
}

/** Models of the same verdict and reason in one row. */
function exceptions() {
  const groups = new Map();
  for (const [id, { verdict, reason }] of EXCEPTIONS) {
    const key = `${verdict}\n${reason}`;
    groups.set(key, [...(groups.get(key) ?? []), `\`${id.replace("/test_", "/")}\``]);
  }
  return [...groups].map(([key, ids]) => row([...key.split("\n"), ids.length, ids.join(", ")]));
}

/** The page, from the results of all models. */
export function page(results, versions) {
  return `${[
    "# ONNX's backend test data over HTTP",
    "",
    "`npm run test:onnx-backend` writes this page. It serves each model of ONNX's backend test data (Debian's package",
    `libonnx-testdata, ONNX ${versions.data}) with Headrace and ONNX Runtime ${versions.runtime}, sends the inputs of its data sets as binary V2`,
    "requests over HTTP, and compares names, datatypes, shapes and values with the outputs of the data, within a relative",
    "error of 1e-3 and an absolute one of 1e-7, as ONNX's own runner does.",
    "",
    ...counts(results),
    "",
    "## Exceptions",
    "",
    "Each is named in `test/onnx-backend/exceptions.mjs`, and the run fails where a model is not what is said of it: where it",
    "passes after all, where ONNX Runtime loads it, or where ONNX Runtime alone answers otherwise than Headrace. On a machine",
    "with the locale en_US.UTF-8 the models that need it must pass.",
    "",
    row(["what", "why", "models", "which"]),
    row(["---", "---", "--:", "---"]),
    ...exceptions(),
  ].join("\n")}\n`;
}
