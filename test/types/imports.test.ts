import { readdir, readFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import t from "tap";

t.test("types load without anything of Node's, and without sharp", async (t) => {
  const folder = fileURLToPath(new URL("../../src/types/", import.meta.url));
  const found = new Set<string>();
  for (const file of await readdir(folder)) {
    const source = await readFile(folder + file, "utf8");
    for (const [, name = ""] of source.matchAll(/^(?:import|export) (?!type )(?:[\w\s{},*]+ from )?"([^"]+)";/gm))
      found.add(name);
  }
  t.same([...found].filter((name) => !name.startsWith("./")).sort(), ["../datatype.js", "../errors.js", "../shown.js"]);
});
