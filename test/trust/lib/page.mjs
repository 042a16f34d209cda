// The figures in docs/reliability.md: between its markers, one table for each script.

import { readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const PAGE = join(dirname(fileURLToPath(import.meta.url)), "..", "..", "..", "docs", "reliability.md");
const BEGIN = "<!-- figures: npm run test:trust -- --write -->";
const END = "<!-- end of figures -->";

/** @param {Record<string, import("./check.mjs").Report & { date: string, machine: string }>} reports */
export function updatePage(reports) {
  const text = readFileSync(PAGE, "utf8");
  const begin = text.indexOf(BEGIN);
  const end = text.indexOf(END);
  if (begin < 0 || end < begin) throw new Error(`docs/reliability.md has no '${BEGIN}' before '${END}'`);
  const sections = Object.values(reports).map(section).join("\n");
  writeFileSync(PAGE, `${text.slice(0, begin + BEGIN.length)}\n\n${sections}\n${text.slice(end)}`);
}

function section({ name, form, seed, seconds, date, machine, figures, lines }) {
  const command = `node test/trust/${name}.mjs${form === "long" ? " --long" : ""}`;
  const rows = lines.map(
    ({ what, goal, measured, passed }) =>
      `| ${cell(what)} | ${cell(goal)} | ${cell(measured)} | ${passed ? "met" : "**missed**"} |`,
  );
  const more = Object.entries(figures).map(([key, value]) => `${key}: ${value}`);
  return [
    `### ${name}`,
    "",
    `\`${command} --seed ${seed}\`, ${seconds} s, ${date}, ${machine}`,
    "",
    "| what | goal | measured | |",
    "| --- | --- | --- | --- |",
    ...rows,
    "",
    ...(more.length > 0 ? [`${more.join("; ")}`, ""] : []),
  ].join("\n");
}

function cell(text) {
  return text.replaceAll("|", "\\|").replaceAll("\n", " ");
}
