/** What a TAP stream of nested subtests says, line by line (https://testanything.org/tap-version-14-specification.html). */

const INDENT = 4;

/** Counts of assertions, and the failures by the names of the tests around them. */
export class TapSummary {
  passed = 0;
  failed = 0;
  /** Each failure's place, `file > test > assertion`, and the diagnosis under it. */
  failures = [];
  #names = [];
  #diagnosis;
  #onFile;

  /** @param onFile called with each test file's own line when it has ended */
  constructor(onFile = () => undefined) {
    this.#onFile = onFile;
  }

  line(line) {
    if (this.#diagnosis !== undefined) return this.#diagnose(line);
    const depth = line.search(/\S|$/) / INDENT;
    const text = line.trimStart();
    const counts = depth === 0 ? /^# \{ total: .*\}$/.exec(text) : null;
    if (text.startsWith("# Subtest: ")) {
      this.#names.length = depth;
      this.#names[depth] = text.slice("# Subtest: ".length);
    } else if (counts) {
      this.passed = Number(/pass: (\d+)/.exec(text)?.[1] ?? 0);
      this.failed = Number(/fail: (\d+)/.exec(text)?.[1] ?? 0);
    } else if (/^(not )?ok\b/.test(text)) {
      if (depth === 0) this.#onFile(text);
      if (text.startsWith("not ok") && !/ # (TODO|SKIP)\b/i.test(text)) this.#fail(depth, text);
    }
  }

  #fail(depth, text) {
    const name = text.replace(/^not ok \d+( - )?/, "").replace(/ # time=\S+$/, "");
    // A subtest's own line comes after those inside: it is news only where none of them failed.
    const place = [...this.#names.slice(0, depth), name].join(" > ");
    if (this.failures.some((failure) => failure.place.startsWith(`${place} > `))) return;
    this.failures.push({ place, diagnosis: [] });
    this.#diagnosis = { end: `${" ".repeat(depth * INDENT)}  ...`, lines: this.failures.at(-1)?.diagnosis ?? [] };
  }

  #diagnose(line) {
    const { end, lines } = this.#diagnosis;
    const opens = lines.length === 0 && line.trim() !== "---";
    if (line === end || opens) this.#diagnosis = undefined;
    // No diagnosis at all: the line is the stream's next.
    if (opens) return this.line(line);
    if (line !== end) lines.push(line);
  }

  /** The failures as people read them, empty where there is none. */
  toString() {
    return this.failures.map(({ place, diagnosis }) => [`FAILED: ${place}`, ...diagnosis, ""].join("\n")).join("\n");
  }
}
