/** Predictions that nobody waits for on their connection: submitted, then asked for by id. */
import { randomUUID } from "node:crypto";
import { HeadraceError, serverStopping, toHeadraceError } from "../../errors.js";
import type { Logger } from "../../log.js";
import { restError } from "../../protocol/index.js";
import type { Prediction, PredictOptions, RestrictedInferenceProcess } from "../../runtime/index.js";
import { checkPredictOptions } from "../../runtime/predict-options.js";
import { parseValues, valuesToJson } from "../../types/index.js";
import type { HttpParameters } from "./parameters.js";
import type { FinishedTask, TaskStore } from "./task-store.js";

/** How often tasks are looked through for those whose time is over; a question for one of them looks by itself. */
const SWEEP_MILLIS = 1000;

export interface TasksHost {
  readonly inference: RestrictedInferenceProcess;
  readonly store: TaskStore;
  readonly parameters: () => HttpParameters;
  readonly log: Logger | undefined;
}

interface PendingTask {
  readonly prediction: Prediction;
  /** Those who wait for the outcome; each is called once, with the answer's body or, where there is none, undefined. */
  readonly waiters: Set<(body: string | undefined) => void>;
}

export class Tasks {
  private readonly pending = new Map<string, PendingTask>();
  /** Finished tasks in the store. */
  private kept = 0;
  private lastFinished = 0;
  private sweeper: NodeJS.Timeout | undefined;
  private isClosed = false;
  private readonly counters = {
    submitted: 0,
    done: 0,
    failed: 0,
    /** Pending ones that were deleted. */
    cancelled: 0,
    /** Finished ones that were deleted. */
    forgotten: 0,
    /** Finished ones whose time was over. */
    expired: 0,
    /** Refused because there were too many. */
    refused: 0,
    /** Outcomes that the store did not take. */
    lost: 0,
  };

  constructor(private readonly host: TasksHost) {}

  get pendingCount(): number {
    return this.pending.size;
  }

  isPending(taskId: string): boolean {
    return this.pending.has(taskId);
  }

  /** Counters, and as of now: pending tasks, requests that wait for one of them, finished tasks that are kept. */
  stats(): Readonly<Record<string, number>> {
    let waiting = 0;
    for (const { waiters } of this.pending.values()) waiting += waiters.size;
    return { pending: this.pending.size, waiting, kept: this.kept, ...this.counters };
  }

  /**
   * Starts a prediction; resolves to its task's id.
   *
   * Throws INVALID_ARGUMENT for inputs that do not fit, RESOURCE_EXHAUSTED where `maxTasks` are there already, UNAVAILABLE.
   */
  async submit(inputs: Readonly<Record<string, unknown>>, options: PredictOptions): Promise<string> {
    // Only whether they fit: `predict` has its own form of them.
    parseValues(this.host.inference.inputs, inputs, "inputs");
    checkPredictOptions(options);
    if (this.isFull()) await this.sweep();
    if (this.isFull()) {
      this.counters.refused += 1;
      const most = this.host.parameters().maxTasks;
      const what = `there are ${most} tasks, pending or with a result that was not fetched and deleted (maxTasks)`;
      throw new HeadraceError("RESOURCE_EXHAUSTED", `${what}; try again later`);
    }
    if (this.isClosed) throw serverStopping();
    const taskId = randomUUID();
    // Steps of one state id run in the order of these calls.
    const task: PendingTask = { prediction: this.host.inference.begin(inputs, options), waiters: new Set() };
    this.pending.set(taskId, task);
    this.counters.submitted += 1;
    this.follow(taskId, task).catch((error: unknown) => this.failed(error));
    return taskId;
  }

  /**
   * What `GET /tasks/{id}` answers, undefined for a task that is not known.
   * @param waitMs How long a pending one may take to finish before it is called pending.
   * @param signal Stops waiting.
   */
  async find(taskId: string, waitMs: number, signal: AbortSignal): Promise<string | undefined> {
    const task = this.pending.get(taskId);
    if (task === undefined) return this.findKept(taskId);
    const outcome = waitMs > 0 ? await outcomeWithin(task, waitMs, signal) : undefined;
    return outcome ?? JSON.stringify({ taskId, status: "pending" });
  }

  /** Cancels a pending task, forgets a finished one; resolves to whether there was one. */
  async delete(taskId: string): Promise<boolean> {
    const task = this.pending.get(taskId);
    if (task !== undefined) {
      this.pending.delete(taskId);
      this.counters.cancelled += 1;
      task.prediction.cancel();
      return true;
    }
    // One whose time is over is no longer there, whether or not it has been swept.
    if ((await this.findKept(taskId)) === undefined) return false;
    return this.forget(taskId, "forgotten");
  }

  /** Forgets the finished tasks whose time is over. Never rejects: they are looked through again. */
  async sweep(): Promise<void> {
    try {
      const expired = await this.host.store.expire(Date.now() - this.ttlMillis());
      this.counters.expired += expired;
      this.lessKept(expired);
    } catch (error) {
      this.failed(error);
    }
  }

  /** Drops what is pending and forgets nothing else: the store goes with the driver, or outlives it. */
  close(): void {
    this.isClosed = true;
    clearInterval(this.sweeper);
    for (const { prediction, waiters } of this.pending.values()) {
      prediction.cancel();
      for (const wake of waiters) wake(undefined);
    }
    this.pending.clear();
  }

  private ttlMillis(): number {
    return this.host.parameters().taskTtlSeconds * 1000;
  }

  private isFull(): boolean {
    return this.pending.size + this.kept >= this.host.parameters().maxTasks;
  }

  /** From the prediction to its outcome in the store; meanwhile the task stays pending. */
  private async follow(taskId: string, task: PendingTask): Promise<void> {
    const finished = await this.outcome(taskId, task.prediction);
    try {
      if (this.pending.get(taskId) === task) await this.keep(finished);
    } finally {
      for (const wake of task.waiters) wake(finished.body);
    }
  }

  private async outcome(taskId: string, prediction: Prediction): Promise<FinishedTask> {
    let status: FinishedTask["status"] = "done";
    let body: string;
    try {
      const outputs = valuesToJson(this.host.inference.outputs, await prediction.outputs);
      body = JSON.stringify({ taskId, status, outputs });
    } catch (error) {
      status = "failed";
      body = JSON.stringify({ taskId, status, error: restError(toHeadraceError(error)) });
    }
    // A clock that was set back must not put tasks out of order.
    this.lastFinished = Math.max(this.lastFinished, Date.now());
    return { taskId, status, finishedAt: this.lastFinished, body };
  }

  private async keep(finished: FinishedTask): Promise<void> {
    const { taskId, status } = finished;
    const { store } = this.host;
    try {
      await store.put(finished);
    } catch (error) {
      this.counters.lost += 1;
      this.pending.delete(taskId);
      this.failed(error);
      return;
    }
    // Deleted while the store was at it.
    if (!this.pending.delete(taskId)) {
      await store.delete(taskId);
      return;
    }
    this.counters[status] += 1;
    this.kept += 1;
    this.sweeper ??= setInterval(() => this.sweep(), SWEEP_MILLIS).unref();
  }

  private async findKept(taskId: string): Promise<string | undefined> {
    const task = await this.host.store.get(taskId);
    if (task === undefined) return undefined;
    if (task.finishedAt > Date.now() - this.ttlMillis()) return task.body;
    await this.forget(taskId, "expired");
    return undefined;
  }

  private async forget(taskId: string, why: "forgotten" | "expired"): Promise<boolean> {
    if (!(await this.host.store.delete(taskId))) return false;
    this.counters[why] += 1;
    this.lessKept(1);
    return true;
  }

  private lessKept(count: number): void {
    this.kept = Math.max(0, this.kept - count);
    if (this.kept > 0) return;
    clearInterval(this.sweeper);
    this.sweeper = undefined;
  }

  private failed(error: unknown): void {
    this.host.log?.error({ err: error }, "the store of tasks failed");
  }
}

/** The body of the outcome, undefined where there is none in time. `signal` is for this question only. */
function outcomeWithin(task: PendingTask, waitMs: number, signal: AbortSignal): Promise<string | undefined> {
  return new Promise((resolve) => {
    const wake = (body: string | undefined): void => {
      task.waiters.delete(wake);
      clearTimeout(timer);
      resolve(body);
    };
    const giveUp = (): void => wake(undefined);
    const timer = setTimeout(giveUp, waitMs);
    signal.addEventListener("abort", giveUp, { once: true });
    task.waiters.add(wake);
  });
}
