/** A V2 server asked over HTTP. */
import { HeadraceError, InvalidArgumentError } from "../errors.js";
import {
  at,
  type Management,
  type ModelStatistics,
  readyModels,
  type ServedModel,
  statisticsOf,
  tensorsOf,
} from "./management.js";
import { tlsProblem } from "./tls-tunnel.js";

const PATIENCE_MILLIS = 30_000;

export class HttpManagement implements Management {
  /** @param base Such as `http://127.0.0.1:8000`, without a slash at its end. */
  constructor(
    private readonly base: string,
    private readonly headers: Readonly<Record<string, string>>,
  ) {}

  async describe(asked: string | undefined): Promise<ServedModel> {
    const server = await this.get("/v2");
    const name = asked ?? (await this.onlyModel());
    const path = `/v2/models/${encodeURIComponent(name)}`;
    const metadata = await this.get(path);
    if (metadata === undefined) {
      throw new HeadraceError("MODEL_NOT_FOUND", `${this.base} serves no model '${name}'`);
    }
    const config = await this.get(`${path}/config`);
    const version = { name: String(at(server, "name") ?? "unknown"), version: String(at(server, "version") ?? "") };
    return {
      name,
      inputs: tensorsOf(at(metadata, "inputs")),
      outputs: tensorsOf(at(metadata, "outputs")),
      stateful: (at(config, "sequence_batching") ?? undefined) !== undefined,
      server: server === undefined ? undefined : version,
    };
  }

  async statistics(name: string): Promise<ModelStatistics | undefined> {
    return statisticsOf(await this.get(`/v2/models/${encodeURIComponent(name)}/stats`));
  }

  close(): void {}

  private async onlyModel(): Promise<string> {
    const names = readyModels(await this.ask("/v2/repository/index", { method: "POST", body: "{}" }));
    const [only, second] = names;
    if (only !== undefined && second === undefined) return only;
    const which = only === undefined ? "the server does not say which models it has" : `one of ${names.join(", ")}`;
    throw new InvalidArgumentError(`which model? ${which}`, { path: "--model" });
  }

  private get(path: string): Promise<unknown> {
    return this.ask(path, {});
  }

  /** The JSON of an answer; undefined where the server has nothing there. */
  private async ask(path: string, init: RequestInit): Promise<unknown> {
    const url = this.base + path;
    const signal = AbortSignal.timeout(PATIENCE_MILLIS);
    let answer: Response;
    try {
      answer = await fetch(url, { ...init, signal, headers: this.headers });
    } catch (error) {
      const cause = error instanceof Error && error.cause instanceof Error ? error.cause : error;
      const why = cause instanceof Error ? tlsProblem(cause) : String(cause);
      throw new HeadraceError("UNAVAILABLE", `nobody answers at ${url}: ${why}`, { cause });
    }
    const text = await answer.text();
    if ([400, 404, 405, 501].includes(answer.status)) return undefined;
    if (!answer.ok) throw new HeadraceError("UNAVAILABLE", `${url} answers ${answer.status}: ${text.slice(0, 300)}`);
    try {
      return JSON.parse(text);
    } catch {
      throw new HeadraceError("UNAVAILABLE", `${url} answers with something else than JSON: ${text.slice(0, 100)}`);
    }
  }
}
