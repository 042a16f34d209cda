import { readdir, readFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import t from "tap";

/** Every module that the files of a folder under src/ name, types included. */
async function importsOf(folder: string): Promise<string[]> {
  const path = fileURLToPath(new URL(`../../src/${folder}/`, import.meta.url));
  const found = new Set<string>();
  for (const file of await readdir(path)) {
    const source = await readFile(path + file, "utf8");
    for (const [, name = ""] of source.matchAll(/(?:from |import\(|import )"([^"]+)"/g)) found.add(name);
  }
  return [...found].filter((name) => !name.startsWith("./")).sort();
}

t.test("protocol and client run in a browser: they import leaves, and nothing of Node's", async (t) => {
  t.same(await importsOf("protocol"), ["../datatype.js", "../errors.js", "../shown.js"]);
  t.same(await importsOf("client"), ["../datatype.js", "../errors.js", "../protocol/index.js", "../shown.js", "ws"]);
});
