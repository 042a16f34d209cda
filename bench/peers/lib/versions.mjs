// Which versions were measured.

import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { REPOSITORY } from "../../lib/paths.mjs";
import { run } from "../../lib/processes.mjs";
import { pythonOf } from "./peers.mjs";

const ASK_PYTHON = `
import json, platform, sys
from importlib.metadata import version
print(json.dumps({"Python": platform.python_version(), **{name: version(name) for name in sys.argv[1:]}}))`;

/**
 * The packages that a peer asks for itself, and what runs them.
 * @param {import("./peers.mjs").Peer} peer
 * @returns {Promise<Record<string, string>>} empty where it is not installed
 */
export async function versionsOf(peer) {
  if (peer.runtime === "python") return pythonVersions(peer);
  const folder = peer.runtime === "headrace" ? REPOSITORY : peer.folder;
  const { version, dependencies } = JSON.parse(await readFile(join(folder, "package.json"), "utf8"));
  if (peer.runtime === "headrace") return { headrace: version, "onnxruntime-node": dependencies["onnxruntime-node"] };
  return dependencies;
}

async function pythonVersions({ id, folder }) {
  const wanted = (await readFile(join(folder, "requirements.in"), "utf8")).split("\n").filter((line) => line !== "");
  const names = wanted.map((line) => line.replace(/[[=].*/, ""));
  try {
    const { stdout } = await run([pythonOf(id), "-c", ASK_PYTHON, ...names]);
    return JSON.parse(stdout);
  } catch {
    return {}; // not installed, which is told as the failure of this peer
  }
}
