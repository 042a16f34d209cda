/** The ways to show a result of `headrace bench`. */
export { csvReport } from "./csv.js";
export { htmlReport } from "./html.js";
export { type Paint, textReport, warningText } from "./text.js";
export { type Warning, warningsOf } from "./warnings.js";
