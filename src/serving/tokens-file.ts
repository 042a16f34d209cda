/** The file of `tokensFile`: a list of clients with tokens in JSON or YAML, read again when it changes. */
import { type Stats, unwatchFile, watchFile } from "node:fs";
import { readFile, stat } from "node:fs/promises";
import { parseDocument } from "yaml";
import { InvalidArgumentError, toHeadraceError } from "../errors.js";
import { fileError } from "../file-error.js";
import type { Logger } from "../log.js";
import { fields, type KnownToken, knownTokens } from "./access-options.js";

/** How often the file is looked at. Watching for events misses files that are replaced through links, as secrets in clusters are. */
const POLL_MILLIS = 1000;
/** Read by others than the owner and the group. */
const OTHERS_READ = 0o004;

export class TokensFile {
  /** One read after the other: what was read first must not come last. */
  private reading: Promise<void> = Promise.resolve();

  private constructor(
    private readonly path: string,
    private readonly log: Logger | undefined,
    private readonly found: (tokens: readonly KnownToken[]) => void,
  ) {}

  /**
   * @param found Given the tokens, now and whenever the file has changed to something that is in order; a file that is gone or
   *   wrong is told in the log, and the tokens stay as they are.
   */
  static async open(
    path: string,
    log: Logger | undefined,
    found: (tokens: readonly KnownToken[]) => void,
  ): Promise<TokensFile> {
    const file = new TokensFile(path, log, found);
    // Before it is read, so that a change in between is seen.
    watchFile(path, { interval: POLL_MILLIS, persistent: false }, file.changed);
    try {
      await file.readNext();
      return file;
    } catch (error) {
      file.close();
      throw error;
    }
  }

  close(): void {
    unwatchFile(this.path, this.changed);
  }

  private readonly changed = (now: Stats, before: Stats): void => {
    if (now.mtimeMs === before.mtimeMs && now.ino === before.ino && now.size === before.size) return;
    this.readNext().then(
      () => this.log?.info({ file: this.path }, "tokens were read again"),
      (error: unknown) => this.log?.error({ err: error }, "the tokens stay as they were"),
    );
  };

  private readNext(): Promise<void> {
    const read = this.reading.then(() => this.read());
    this.reading = read.catch(() => {});
    return read;
  }

  private async read(): Promise<void> {
    const text = await this.text();
    try {
      const { value, isPlain } = parse(text);
      this.found(knownTokens(value, "tokens"));
      if (isPlain) await this.warnWhereOpen();
    } catch (error) {
      const { message } = toHeadraceError(error);
      // Without the cause: it may have the text, and the text has tokens.
      throw new InvalidArgumentError(message, { path: `tokensFile ${this.path}` });
    }
  }

  private async text(): Promise<string> {
    try {
      return await readFile(this.path, "utf8");
    } catch (error) {
      throw fileError("tokensFile", error);
    }
  }

  private async warnWhereOpen(): Promise<void> {
    const { mode } = await stat(this.path);
    if ((mode & OTHERS_READ) === 0) return;
    this.log?.warn({ file: this.path }, "everybody on this machine can read the tokens: chmod o-r, or use tokenSha256");
  }
}

/** JSON is YAML too. */
function parse(text: string): { value: unknown; isPlain: boolean } {
  const document = parseDocument(text, { prettyErrors: false, stringKeys: true });
  const [problem] = document.errors;
  if (problem !== undefined) throw new InvalidArgumentError(`neither JSON nor YAML (${problem.code})`);
  // No aliases: they could make billions of a few lines.
  const json: unknown = document.toJS({ maxAliasCount: 0 });
  const value = Array.isArray(json) ? json : fields(json, ["tokens"], "the file").tokens;
  const isPlain = Array.isArray(value) && value.some((entry) => entry?.token !== undefined);
  return { value, isPlain };
}
