/** Child processes of a measurement. None outlives this process: their standard input ends with it. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { HeadraceError } from "../errors.js";

const running = new Set<ChildProcess>();

process.once("exit", () => {
  for (const child of running) child.kill("SIGKILL");
});

/** How long a server may take to stop before it is killed. */
const STOP_MILLIS = 5000;

/** The last of what a program said before it failed. */
const KEPT_CHARACTERS = 2000;

export class Child {
  private errors = "";
  readonly ended: Promise<number>;

  private constructor(private readonly process: ChildProcess) {
    running.add(process);
    process.stderr?.setEncoding("utf8").on("data", (text: string) => {
      this.errors = (this.errors + text).slice(-KEPT_CHARACTERS);
    });
    // Of a program that has ended, which `ended` tells.
    process.stdin?.on("error", () => undefined);
    this.ended = new Promise((resolve) => {
      process.once("close", (status) => {
        running.delete(process);
        resolve(status ?? 1);
      });
    });
  }

  /** @throws UNAVAILABLE where the program cannot be started. */
  static async start([program, ...args]: readonly [string, ...string[]]): Promise<Child> {
    const process = spawn(program, args, { stdio: "pipe" });
    const child = new Child(process);
    try {
      await once(process, "spawn");
    } catch (cause) {
      throw new HeadraceError("UNAVAILABLE", `cannot start ${program}: ${String(cause)}`, { cause });
    }
    return child;
  }

  get pid(): number {
    return this.process.pid ?? 0;
  }

  /** What it said on its error output last. */
  get complaint(): string {
    return this.errors.trim();
  }

  /** Lines of its output, until it closes. */
  onLine(listener: (line: string) => void): void {
    if (this.process.stdout !== null) createInterface({ input: this.process.stdout }).on("line", listener);
  }

  /** Writes to its standard input. */
  tell(text: string): void {
    this.process.stdin?.write(text);
  }

  /** Asks it to stop, and kills it where it does not. */
  async stop(): Promise<void> {
    if (!running.has(this.process)) return;
    this.process.kill("SIGTERM");
    const timer = setTimeout(() => this.process.kill("SIGKILL"), STOP_MILLIS);
    await this.ended;
    clearTimeout(timer);
  }
}
