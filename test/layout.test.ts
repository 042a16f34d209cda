/** Who may import whom: the arrows between the parts, and what the engine must never know of. */
import { readdir, readFile } from "node:fs/promises";
import { dirname, join, relative, sep } from "node:path";
import t from "tap";
import { ROOT } from "./support/paths.js";

/** What everything may import. */
const LEAVES = ["errors", "log", "datatype", "version", "file-error", "shown"];

/** What else each part may import; of a part in TYPES_ONLY only types. */
const ARROWS: Readonly<Record<string, readonly string[]>> = {
  errors: [],
  log: [],
  datatype: [],
  version: [],
  "file-error": [],
  shown: [],
  types: [],
  pipeline: ["types", "engine"],
  engine: [],
  // Sockets and bytes: what requests mean is for others to know.
  transport: ["engine"],
  protocol: [],
  runtime: ["types", "pipeline", "engine"],
  // What servers of one protocol have in common: past the runtime's values, straight to the engine.
  serving: ["types", "pipeline", "runtime", "protocol", "engine"],
  // The HTTP driver's hot path goes past the runtime's values, straight to the engine.
  drivers: ["types", "pipeline", "runtime", "serving", "protocol", "transport", "engine", "sources", "sinks"],
  sources: ["types", "runtime"],
  sinks: ["types", "runtime"],
  client: ["protocol"],
  // Its table of built-in names has paths of drivers, sources and sinks, and loads what is used.
  plugins: ["pipeline", "runtime"],
  config: ["types", "pipeline", "runtime", "plugins"],
  // Its suggestions for misspelt fields are those of plugins.
  repository: ["types", "pipeline", "runtime", "engine", "plugins"],
  // It encodes what the generator sends: V2's JSON and gRPC's messages.
  bench: ["index", "client", "drivers", "protocol", "types", "pipeline", "runtime", "engine"],
  cli: [
    "index",
    "types",
    "pipeline",
    "runtime",
    "plugins",
    "config",
    "repository",
    "drivers",
    "engine",
    "client",
    "bench",
  ],
  index: ["config", "engine", "pipeline", "plugins", "runtime", "sinks", "sources", "types"],
};

/** What drivers, sources and sinks may know of each other. */
const CONTRACTS = ["sources/source.js", "sinks/sink.js"];

const TYPES_ONLY: Readonly<Record<string, readonly string[]>> = {
  pipeline: ["engine"],
  cli: ["engine"],
  repository: ["engine"],
  index: ["engine"],
};

/** What must load where there is no Node: not even every leaf. */
const CLIENT_LEAVES = ["errors", "datatype", "shown"];

interface Import {
  readonly file: string;
  readonly from: string;
  readonly to: string;
  readonly isType: boolean;
}

async function filesUnder(folder: string, ending: RegExp): Promise<string[]> {
  const entries = await readdir(join(ROOT, folder), { recursive: true, withFileTypes: true });
  return entries
    .filter((entry) => entry.isFile() && ending.test(entry.name))
    .map((entry) => join(entry.parentPath, entry.name));
}

/** The part of src/ that a path belongs to: its folder, or the name of a file beside them. */
function partOf(path: string): string {
  const [first = "", ...rest] = relative(join(ROOT, "src"), path).split(sep);
  return rest.length === 0 ? first.replace(/\.[jt]s$/, "") : first;
}

async function importsOf(file: string): Promise<Import[]> {
  const text = await readFile(file, "utf8");
  const found = text.matchAll(/^\s*(?:import|export)\s+(type\s)?[^;"]*?from\s+"(\.[^"]+)"|import\("(\.[^"]+)"\)/gm);
  return [...found].map(([, isType, from, dynamic]) => ({
    file: relative(ROOT, file),
    from: partOf(file),
    to: partOf(join(dirname(file), from ?? dynamic ?? "")),
    isType: isType !== undefined,
  }));
}

t.test("imports go along the arrows", async (t) => {
  const imports = (await Promise.all((await filesUnder("src", /\.ts$/)).map(importsOf))).flat();
  t.ok(imports.length > 100, "imports were found");
  const wrong = imports.filter(({ from, to, isType }) => {
    if (from === to) return false;
    if (from === "client" || from === "protocol") return ![...CLIENT_LEAVES, ...(ARROWS[from] ?? [])].includes(to);
    if (TYPES_ONLY[from]?.includes(to) && !isType) return true;
    return !LEAVES.includes(to) && !ARROWS[from]?.includes(to);
  });
  t.same(
    wrong.map(({ file, to }) => `${file} -> ${to}`),
    [],
  );
});

t.test("drivers, sources and sinks do not reach into each other", async (t) => {
  const wrong: string[] = [];
  for (const kind of ["drivers", "sources", "sinks"]) {
    const files = await filesUnder(`src/${kind}`, /\.ts$/).catch(() => []);
    for (const file of files) {
      const [, own = ""] = relative(join(ROOT, "src"), file).split(sep);
      for (const [, path = ""] of (await readFile(file, "utf8")).matchAll(/from "(\.[^"]+)"/g)) {
        const target = relative(join(ROOT, "src"), join(dirname(file), path)).split(sep);
        const [part = "", other = ""] = target;
        // What `sources/file.ts` keeps to itself is in `sources/file/`.
        const isOwn = part === kind && other.replace(/\.js$/, "") === own.replace(/\.ts$/, "");
        const isAllowed = isOwn || CONTRACTS.includes(target.join("/"));
        if (["drivers", "sources", "sinks"].includes(part) && !isAllowed) wrong.push(`${file} -> ${path}`);
      }
    }
  }
  t.same(wrong, []);
});

t.test("the engine, the transport, serving, inflating and the JSON part compile without Node", async (t) => {
  const files = [
    ...(await filesUnder("native/engine", /\.(cc|h)$/)),
    ...(await filesUnder("native/inflate", /\.(cc|h)$/)),
    ...(await filesUnder("native/json", /\.(cc|h)$/)),
    ...(await filesUnder("native/transport", /\.(cc|h)$/)),
    ...(await filesUnder("native/serving", /\.(cc|h)$/)),
  ];
  t.ok(files.length > 20, "files were found");
  const wrong: string[] = [];
  for (const file of files) {
    for (const [, header = ""] of (await readFile(file, "utf8")).matchAll(/^\s*#\s*include\s*[<"]([^>"]+)[>"]/gm)) {
      if (/^(napi|node|v8|uv|js_native_api)|addon\//.test(header)) wrong.push(`${relative(ROOT, file)}: ${header}`);
    }
  }
  t.same(wrong, []);
});

const TALKS_TO_ADDON = [
  join("engine", "engine.ts"),
  join("engine", "json.ts"),
  join("serving", "inflate.ts"),
  join("transport", "server.ts"),
];

t.test("native-files.ts finds the addon; engine, JSON, inflating and the transport use it", async (t) => {
  const wrong: string[] = [];
  for (const file of await filesUnder("src", /\.ts$/)) {
    const text = await readFile(file, "utf8");
    const name = relative(join(ROOT, "src"), file);
    if (/from "[^"]*\/load\.js"/.test(text) && !TALKS_TO_ADDON.includes(name)) wrong.push(name);
    if (/headrace\.node/.test(text) && name !== join("engine", "native-files.ts")) wrong.push(name);
  }
  t.same(wrong, []);
});
