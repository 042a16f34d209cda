/** Where the outcomes of finished tasks are kept until somebody has fetched them or their time is over. */

/** A task that is over. */
export interface FinishedTask {
  readonly taskId: string;
  readonly status: "done" | "failed";
  /** When it finished: milliseconds since 1970, never less than those of a task that was put before. */
  readonly finishedAt: number;
  /** What `GET /tasks/{id}` answers, as JSON. */
  readonly body: string;
}

/**
 * Keeps finished tasks for one driver; pending ones are the driver's own. A subclass of HttpDriver brings another one by
 * overriding `makeTaskStore`. A method that rejects fails the request that asked for it; a `put` that rejects loses the
 * outcome, which is logged and counted.
 *
 * ```ts
 * class DurableHttpDriver extends HttpDriver {
 *   protected override makeTaskStore(): TaskStore { return new MyTaskStore(); }
 * }
 * await proc.addDriver("web", DurableHttpDriver, { port: 8000 });
 * ```
 */
export interface TaskStore {
  /** Keeps the outcome of a task. Tasks are put in the order in which they finish, each id once. */
  put(task: FinishedTask): Promise<void>;
  /** The outcome of a task; undefined where it is not known, or no longer. */
  get(taskId: string): Promise<FinishedTask | undefined>;
  /** Resolves to whether there was one. */
  delete(taskId: string): Promise<boolean>;
  /** Forgets the tasks that finished at `time` or before; resolves to how many. */
  expire(time: number): Promise<number>;
}

/** The default: in memory, gone with the driver. */
export class MemoryTaskStore implements TaskStore {
  /** The oldest first, because that is the order in which they are put. */
  private readonly tasks = new Map<string, FinishedTask>();

  async put(task: FinishedTask): Promise<void> {
    this.tasks.set(task.taskId, task);
  }

  async get(taskId: string): Promise<FinishedTask | undefined> {
    return this.tasks.get(taskId);
  }

  async delete(taskId: string): Promise<boolean> {
    return this.tasks.delete(taskId);
  }

  async expire(time: number): Promise<number> {
    let expired = 0;
    for (const { taskId, finishedAt } of this.tasks.values()) {
      if (finishedAt > time) break;
      this.tasks.delete(taskId);
      expired += 1;
    }
    return expired;
  }
}
