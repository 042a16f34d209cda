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

export interface CommandOptions {
  /** Default: the repository. */
  readonly cwd?: string;
  /** Added to the environment of the tests. */
  readonly env?: Readonly<Record<string, string>>;
}

/** A command under way. Its output is read to the end. */
export class Command {
  stdout = "";
  stderr = "";
  readonly exited: Promise<Outcome>;
  private readonly child: ChildProcessByStdio<null, Readable, Readable>;
  private readonly waiting: (() => void)[] = [];

  constructor(t: Test, args: readonly string[], { cwd = ROOT, env = {} }: CommandOptions = {}) {
    this.child = spawn(process.execPath, [CLI, ...args], {
      cwd,
      env: { ...process.env, ...env },
      stdio: ["ignore", "pipe", "pipe"],
    });
    this.child.stdout.setEncoding("utf8").on("data", (text: string) => {
      this.stdout += text;
      for (const look of this.waiting) look();
    });
    this.child.stderr.setEncoding("utf8").on("data", (text: string) => {
      this.stderr += text;
      for (const look of this.waiting) look();
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

  /** The first match in its standard output, or its standard error. */
  async saw(pattern: RegExp, where: "stdout" | "stderr" = "stdout"): Promise<RegExpExecArray> {
    const found = new Promise<RegExpExecArray>((resolve) => {
      const look = (): void => {
        const match = pattern.exec(this[where]);
        if (match !== null) resolve(match);
      };
      this.waiting.push(look);
      look();
    });
    const ended = this.exited.then(({ code, stderr }) => {
      throw new Error(`the command ended with ${code} before it said ${pattern}: ${stderr}`);
    });
    return Promise.race([found, ended]);
  }

  /** The URL in the line that says where the server listens. */
  async listening(): Promise<string> {
    const [, url = ""] = await this.saw(/ is listening on (http:\S+)\n/);
    return url;
  }
}

/** Runs a command to its end. */
export function headrace(t: Test, ...args: string[]): Promise<Outcome> {
  return new Command(t, args).exited;
}

/** Runs a command in a folder to its end. */
export function headraceIn(t: Test, options: CommandOptions, ...args: string[]): Promise<Outcome> {
  return new Command(t, args, options).exited;
}

/** `headrace serve …` on a free port. */
export async function serveCommand(t: Test, ...args: string[]): Promise<{ url: string; command: Command }> {
  const command = new Command(t, ["serve", ...args, "--port", "0"]);
  return { url: await command.listening(), command };
}
