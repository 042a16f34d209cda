/** A result as one HTML file that loads nothing: plots as SVG, the figures as tables, and first of all what to doubt. */
import type { BenchCase, BenchResult, JsonValue } from "../result.js";
import { COLUMNS, isAnswered, notes } from "./columns.js";
import { type CaseGroup, caseGroups, latencyCurve } from "./curve.js";
import { bytes, duration, loadText, whole } from "./format.js";
import { type Content, Markup, markup } from "./markup.js";
import { percentileSpectra } from "./spectra.js";
import { batchSizes, phaseBars } from "./strips.js";
import { STYLE } from "./style.js";
import { warningsOf } from "./warnings.js";

/** The whole page, ready to be written to a file. */
export function htmlReport(result: BenchResult): string {
  const title = `${result.target.model}: benchmark`;
  const empty = result.cases.length === 0;
  const page = markup`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width,initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<title>${title}</title>
<style>${STYLE_MARKUP}</style>
</head>
<body>
${header(result)}
${empty ? markup`<p>No case was measured.</p>` : plots(result)}
${table(result)}
${provenance(result)}
</body>
</html>
`;
  return page.toString();
}

// The style sheet is ours: escaping it would spoil its quotes.
const STYLE_MARKUP = new Markup(STYLE);

function header(result: BenchResult): Markup {
  const { target, machine, tool, startedAt, cases } = result;
  const server = target.server === undefined ? "" : `, served by ${target.server.name} ${target.server.version}`;
  const when = startedAt.replace("T", " ").replace(/\.\d+Z$/, " UTC");
  return markup`<header>
<h1>${target.model}</h1>
<p class="sub">${target.name}${server}. Measured ${when} on ${machine.cpu}, ${machine.cores} cores, with ${tool.name} ${tool.version}.</p>
${warnings(result)}
${cases.length === 0 ? undefined : best(caseGroups(result))}
</header>`;
}

/** The highest rate of each group, without the cases in which something failed or nothing was answered. */
function best(groups: readonly CaseGroup[]): Markup {
  const entries = groups.map(({ name, cases }) => {
    const sound = cases.filter((one) => one.summary.errors === 0 && isAnswered(one));
    const [first] = sound.toSorted((a, b) => b.summary.ratePerSecond.median - a.summary.ratePerSecond.median);
    if (first === undefined) return undefined;
    const { ratePerSecond, latencyMicros } = first.summary;
    const doubts = notes(first);
    const doubt = doubts === "" ? undefined : markup`<span class="note attention">${doubts}</span>`;
    return markup`<li>${name}<b>${whole(ratePerSecond.median)}/s</b><span class="note">${loadText(first)}: p50 ${duration(latencyMicros.p50, "µs")}, p99 ${duration(latencyMicros.p99, "µs")}</span>${doubt}</li>`;
  });
  return markup`<ul class="best">${entries}</ul>`;
}

function warnings(result: BenchResult): Markup {
  const found = warningsOf(result);
  if (found.length === 0) {
    return markup`<p class="fine">No warnings: every case was stable, nothing failed, and the generator kept up.</p>`;
  }
  const entries = found.map(({ level, text, cases }) => {
    const names = cases.length === 0 ? undefined : markup`<span class="cases">${cases.join(", ")}</span>`;
    return markup`<li class="${level}">${text}${names}</li>`;
  });
  return markup`<ul class="warnings" aria-label="Warnings">${entries}</ul>`;
}

function section(title: string, content: Content): Markup | undefined {
  return content === undefined ? undefined : markup`<section><h2>${title}</h2>${content}</section>`;
}

function plots(result: BenchResult): Content {
  return [
    section("Latency against throughput", latencyCurve(result)),
    section("Percentiles", [
      markup`<p class="note">Latency counts from when a step was due to be sent, service from when it was in fact sent. All repetitions together.</p>`,
      percentileSpectra(result),
    ]),
    section("Batch sizes", batchSizes(result)),
    section("Where the time of a step goes", phaseBars(result)),
  ];
}

function table({ cases }: BenchResult): Markup | undefined {
  if (cases.length === 0) return undefined;
  const heads = COLUMNS.map(({ title, align }) => markup`<th scope="col" class="${align}">${title}</th>`);
  const rows = cases.map(
    (one) =>
      markup`<tr>${COLUMNS.map(({ cell, align, title }) => markup`<td class="${cellClass(one, title, align)}">${cell(one).replace(" us", " µs")}</td>`)}</tr>`,
  );
  return markup`<section><h2>All cases</h2><div class="wide" tabindex="0" role="region" aria-label="All cases"><table><caption>Medians over repetitions; the generator and the server in shares of one core.</caption><thead><tr>${heads}</tr></thead><tbody>${rows}</tbody></table></div></section>`;
}

function cellClass({ summary }: BenchCase, title: string, align: string): string {
  const attention =
    (title === "errors" && summary.errors > 0) || (title === "notes" && (!summary.stable || summary.saturated));
  return attention ? `${align} attention` : align;
}

function provenance({ machine, target, tool, command, method, startedAt, cases }: BenchResult): Markup {
  const { memoryBytes, ...rest } = machine;
  const facts = { ...rest, memory: bytes(memoryBytes), [tool.name]: tool.version, "started at": startedAt };
  const model = Object.entries(target).filter(([key]) => key !== "server");
  const repetitions = Math.max(0, ...cases.map((one) => one.repetitions.length));
  return markup`<section><h2>Machine and versions</h2>${list(Object.entries(facts))}</section>
<section><h2>Target</h2>${list(model)}</section>
<section><h2>Method</h2><pre>${command.map(shellWord).join(" ")}</pre>${list(Object.entries(method))}
<p class="note">${cases.length} cases, each measured ${repetitions} times.</p></section>`;
}

function list(entries: readonly (readonly [string, JsonValue | undefined])[]): Markup {
  const rows = entries
    .filter(([, value]) => value !== undefined)
    .map(([name, value]) => markup`<dt>${name}</dt><dd>${shown(value)}</dd>`);
  return markup`<dl>${rows}</dl>`;
}

/** A value as people read it: `warmup 0.5, atLeast 2` rather than JSON; what is empty says so. */
function shown(value: JsonValue | undefined): string {
  if (isList(value)) return value.length === 0 ? "none" : value.map(shown).join(value.some(isComposite) ? "; " : ", ");
  if (typeof value === "number") return String(Number(value.toPrecision(12)));
  if (typeof value !== "object" || value === null) return value === "" ? "none" : String(value);
  const entries = Object.entries(value).map(
    ([name, one]) => `${name} ${isComposite(one) ? `(${shown(one)})` : shown(one)}`,
  );
  return entries.length === 0 ? "none" : entries.join(", ");
}

function isComposite(value: JsonValue | undefined): boolean {
  return typeof value === "object" && value !== null;
}

// Array.isArray does not narrow a readonly array.
function isList(value: JsonValue | undefined): value is readonly JsonValue[] {
  return Array.isArray(value);
}

/** A word as a shell takes it. */
function shellWord(word: string): string {
  return /^[\w./:=,@%+-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`;
}
