// The walk-through as a page: its comments are the text, the rest is code. `--check` says whether the page is up to date.
//
//   node scripts/walkthrough.mjs [--check]

import { readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

const SOURCE = new URL("../examples/walkthrough/walkthrough.ts", import.meta.url);
const PAGE = new URL("../docs/walkthrough.md", import.meta.url);

/** A paragraph of text, or of code: its lines. */
function paragraphsOf(source) {
  const paragraphs = [];
  for (const line of source.trimEnd().split("\n")) {
    const isText = line.startsWith("//");
    const last = paragraphs.at(-1);
    if (last === undefined || (last.isText !== isText && line !== "")) paragraphs.push({ isText, lines: [] });
    paragraphs.at(-1).lines.push(isText ? line.replace(/^\/\/ ?/, "") : line);
  }
  return paragraphs.map(({ isText, lines }) => ({ isText, text: lines.join("\n").trim() }));
}

export function pageOf(source) {
  const note = "<!-- Made from examples/walkthrough/walkthrough.ts by scripts/walkthrough.mjs: change that one. -->";
  const parts = paragraphsOf(source).map(({ isText, text }) => (isText ? text : `\`\`\`ts\n${text}\n\`\`\``));
  return `${note}\n\n${parts.join("\n\n")}\n`;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const page = pageOf(readFileSync(SOURCE, "utf8"));
  if (!process.argv.includes("--check")) {
    writeFileSync(PAGE, page);
  } else if (readFileSync(PAGE, "utf8") !== page) {
    console.error(
      "docs/walkthrough.md is not what examples/walkthrough/walkthrough.ts says; run node scripts/walkthrough.mjs",
    );
    process.exit(1);
  }
}
