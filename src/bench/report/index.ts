/** The ways to show a result of `headrace bench`. */
export { type ComparisonPaint, comparisonText } from "./comparison.js";
export { csvReport } from "./csv.js";
export { htmlReport } from "./html.js";
export { type Paint, textReport } from "./text.js";
export { type Warning, warningsOf, warningText } from "./warnings.js";
