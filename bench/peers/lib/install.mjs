// What the peers need: npm's packages beside a peer's lockfile, or an environment of Python under build/peers.

import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { installPeer } from "../../lib/build.mjs";
import { PYTHON_PEERS } from "../../lib/paths.mjs";
import { run } from "../../lib/processes.mjs";

// The pinned versions have wheels for 3.11 and 3.12. The system's comes first: Triton loads the system's libpython, which
// must be of the same release as the interpreter.
const PYTHONS = ["/usr/bin/python3", "python3.11", "python3.12", "python3"];

/**
 * Installs what is missing or has other versions than the peer's files say.
 * @param {import("./peers.mjs").Peer} peer
 * @param {string | undefined} python  the interpreter that the user named
 */
export async function install(peer, python) {
  if (peer.runtime === "node") await installPeer(peer.folder);
  if (peer.runtime === "python") await installPython(peer, python);
}

async function installPython({ id, folder }, python) {
  const environment = join(PYTHON_PEERS, id);
  const requirements = join(folder, "requirements.txt");
  const stamp = join(environment, "installed.txt");
  const wanted = createHash("sha256")
    .update(await readFile(requirements))
    .digest("hex");
  if (existsSync(stamp) && (await readFile(stamp, "utf8")) === wanted) return;

  await rm(environment, { recursive: true, force: true });
  await mkdir(PYTHON_PEERS, { recursive: true });
  const interpreter = await findPython(python);
  await must([interpreter, "-m", "venv", environment], "is Debian's python3-venv there?");
  const pip = [join(environment, "bin", "python"), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"];
  await must([...pip, "--only-binary", ":all:", "--requirement", requirements]);
  await writeFile(stamp, wanted); // last: an installation that was cut off is done again
}

async function findPython(named) {
  const candidates = named === undefined ? PYTHONS : [named];
  for (const candidate of candidates) {
    if (await isUsable(candidate)) return candidate;
  }
  throw new Error(`no Python 3.11 or 3.12 under the names ${candidates.join(", ")}; give one with --python`);
}

async function isUsable(python) {
  try {
    const { status, stdout } = await run([python, "-c", "import sys; print(sys.version_info[:2])"]);
    return status === 0 && /\(3, 1[12]\)/.test(stdout);
  } catch {
    return false; // there is no program of that name
  }
}

async function must(command, hint) {
  const { status, stdout, stderr } = await run(command);
  if (status === 0) return;
  const output = (stdout + stderr).trim().split("\n").slice(-12).join("\n");
  throw new Error(`${command.join(" ")} ended with ${status}${hint === undefined ? "" : ` (${hint})`}\n${output}`);
}
