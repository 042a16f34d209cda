/**
 * Writes sbom.cdx.json, the bill of materials of the package (CycloneDX 1.5): what npm installs with it, by the lockfile, and the one
 * native library that comes with it, with its checksum for each platform.
 *
 *   npm run sbom
 */
import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const ROOT = dirname(dirname(fileURLToPath(import.meta.url)));
const OUT = join(ROOT, "sbom.cdx.json");

/**
 * What npm says of all packages, without those of development. Its own `--omit dev` also leaves out what both sorts of dependencies
 * have in common.
 */
function bill() {
  const args = ["sbom", "--sbom-format", "cyclonedx", "--package-lock-only"];
  const { status, stdout, stderr } = spawnSync("npm", args, { cwd: ROOT, encoding: "utf8", maxBuffer: 64 << 20 });
  if (status !== 0) throw new Error(`npm ${args.join(" ")} ended with ${status}\n${stderr}`);
  const all = JSON.parse(stdout);
  const { packages } = JSON.parse(readFileSync(join(ROOT, "package-lock.json"), "utf8"));
  // A second mention of a package has no path of its own; the first one decides.
  const pathOf = ({ properties = [] }) => properties.find(({ name }) => name === "cdx:npm:package:path")?.value;
  const isDev = (component) => packages[pathOf(component)]?.dev === true;
  const components = all.components.filter((component) => !isDev(component));
  const refs = new Set([all.metadata.component["bom-ref"], ...components.map((component) => component["bom-ref"])]);
  const dependencies = all.dependencies
    .filter(({ ref }) => refs.has(ref))
    .map(({ ref, dependsOn }) => ({ ref, dependsOn: dependsOn.filter((other) => refs.has(other)) }));
  return { ...all, components, dependencies };
}

/** ONNX Runtime as a component: a file for each platform that onnxruntime-node has one for. */
function onnxRuntime() {
  const home = dirname(createRequire(import.meta.url).resolve("onnxruntime-node/package.json"));
  const { version } = JSON.parse(readFileSync(join(home, "package.json"), "utf8"));
  const libraries = join(home, "bin", "napi-v6");
  const files = readdirSync(libraries, { recursive: true }).filter((file) => /[/\\](lib)?onnxruntime\./.test(file));
  const components = files.sort().map((file) => {
    const content = createHash("sha256")
      .update(readFileSync(join(libraries, file)))
      .digest("hex");
    return { type: "file", name: file, hashes: [{ alg: "SHA-256", content }] };
  });
  const licenses = [{ license: { id: "MIT" } }];
  return { type: "library", "bom-ref": `onnxruntime@${version}`, name: "onnxruntime", version, licenses, components };
}

const sbom = bill();
sbom.components.push(onnxRuntime());
writeFileSync(OUT, `${JSON.stringify(sbom, null, 2)}\n`);
process.stdout.write(`sbom.cdx.json: ${sbom.components.length} components\n`);
