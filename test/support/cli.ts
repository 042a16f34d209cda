/** The `headrace` command as a child process. */
import { type ChildProcessByStdio, spawn } from "node:child_process";
import type { Readable } from "node:stream";
import type { Test } from "tap";
import { CLI, ROOT } from "./paths.js";

export interface Outcome {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** A command under way. Its output is read to the end. */
export class Command {
  stdout = "";
  stderr = "";
  readonly exited: Promise<Outcome>;
  private readonly child: ChildProcessByStdio<null, Readable, Readable>;
  private readonly waiting: (() => void)[] = [];

  constructor(t: Test, args: readonly string[]) {
    this.child = spawn(process.execPath, [CLI, ...args], { cwd: ROOT, stdio: ["ignore", "pipe", "pipe"] });
    this.child.stdout.setEncoding("utf8").on("data", (text: string) => {
      this.stdout += text;
      for (const look of this.waiting) look();
    });
    this.child.stderr.setEncoding("utf8").on("data", (text: string) => {
      this.stderr += text;
    });
    this.exited = new Promise((resolve, reject) => {
      this.child.once("error", reject);
      this.child.once("close", (code, signal) => {
        resolve({ code, signal, stdout: this.stdout, stderr: this.stderr });
      });
    });
    t.teardown(() => {
      if (this.child.exitCode === null) this.child.kill("SIGKILL");
    });
  }

  signal(signal: NodeJS.Signals): void {
    this.child.kill(signal);
  }

  /** Ends the server as an operator does. */
  async stop(): Promise<Outcome> {
    this.signal("SIGTERM");
    return this.exited;
  }

  /** The URL in the line that says where the server listens. */
  async listening(): Promise<string> {
    const found = new Promise<string>((resolve) => {
      this.waiting.push(() => {
        const url = / is listening on (http:\S+)\n/.exec(this.stdout)?.[1];
        if (url !== undefined) resolve(url);
      });
    });
    const ended = this.exited.then(({ code, stderr }) => {
      throw new Error(`the server ended with ${code} before it listened: ${stderr}`);
    });
    return Promise.race([found, ended]);
  }
}

/** Runs a command to its end. */
export function headrace(t: Test, ...args: string[]): Promise<Outcome> {
  return new Command(t, args).exited;
}

/** `headrace serve …` on a free port. */
export async function serveCommand(t: Test, ...args: string[]): Promise<{ url: string; command: Command }> {
  const command = new Command(t, ["serve", ...args, "--port", "0"]);
  return { url: await command.listening(), command };
}
