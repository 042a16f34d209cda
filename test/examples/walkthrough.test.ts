/** The walk-through runs as it stands, against the built package, and its page says the same. */
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import t from "tap";
import { ROOT } from "../support/paths.js";

t.test("it runs from end to end", async (t) => {
  // It checks what it shows, and throws where something is otherwise.
  await t.resolves(import("../../examples/walkthrough/walkthrough.js"));
});

t.test("its page is made from it", async (t) => {
  const script = new URL("../../scripts/walkthrough.mjs", import.meta.url).href;
  const { pageOf } = (await import(script)) as { pageOf(source: string): string };
  const source = await readFile(join(ROOT, "examples/walkthrough/walkthrough.ts"), "utf8");
  t.equal(await readFile(join(ROOT, "docs/walkthrough.md"), "utf8"), pageOf(source));
});
