/** The server that the demo talks to: one that runs already, or one of its own. */
import { spawn } from "node:child_process";
import { fileURLToPath } from "node:url";
import { HeadraceClient } from "headrace/client";

const CLI = fileURLToPath(new URL("../../dist/cli/main.js", import.meta.url));
const MODULE = fileURLToPath(new URL("vad.mjs", import.meta.url));

const START_MS = 30_000;

/**
 * @param {string | undefined} url Must answer if given; else the default address is tried first.
 * @returns {Promise<{ url: string, isOwn: boolean, stop(): Promise<void> }>}
 */
export async function useServer(url, defaultUrl) {
  const running = url ?? defaultUrl;
  try {
    await new HeadraceClient({ url: running }).wait({ timeoutMs: url === undefined ? 250 : 3000 });
    return { url: running, isOwn: false, stop: async () => {} };
  } catch (error) {
    if (url !== undefined) throw error;
    return startServer();
  }
}

async function startServer() {
  const child = spawn(process.execPath, [CLI, "serve", MODULE, "--port", "0"], { stdio: ["ignore", "pipe", "pipe"] });
  const exited = new Promise((resolve) => child.once("exit", resolve));
  const stop = async () => {
    child.kill("SIGTERM");
    await exited;
  };
  // Whatever ends this process must not leave the server behind.
  process.once("exit", () => child.kill("SIGKILL"));
  try {
    const url = await listeningUrl(child, exited);
    await new HeadraceClient({ url }).wait({ timeoutMs: START_MS });
    return { url, isOwn: true, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

/** The first URL that the server prints. Its output is read to the end, or it would block on a full pipe. */
function listeningUrl(child, exited) {
  let output = "";
  let errors = "";
  child.stderr.setEncoding("utf8").on("data", (text) => {
    errors = (errors + text).slice(-4096);
  });
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error(`no server after ${START_MS / 1000} s\n${errors}`)), START_MS);
    child.stdout.setEncoding("utf8").on("data", (text) => {
      output = (output + text).slice(-4096);
      const url = /http:\/\/[^\s"]+(?=[\s"])/.exec(output)?.[0];
      if (url === undefined) return;
      clearTimeout(timer);
      resolve(url);
    });
    child.once("error", reject);
    void exited.then((code) => {
      clearTimeout(timer);
      reject(new Error(`the server ended with code ${code}\n${errors || output}`.trimEnd()));
    });
  });
}
