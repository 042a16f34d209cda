/** The model directory on disk. Nothing outside of it is ever read: every path is checked with its links resolved. */
import { open, readdir, realpath, stat } from "node:fs/promises";
import { join, relative, resolve, sep } from "node:path";
import { HeadraceError, InvalidArgumentError, toHeadraceError } from "../errors.js";
import { fileError } from "../file-error.js";
import { shown } from "../shown.js";
import { configError } from "./config-error.js";
import { isFileName } from "./model-config.js";

const CONFIG_FILE = "config.pbtxt";
/** Many times what any configuration has. */
const MAX_CONFIG_BYTES = 1 << 20;
/** A positive integer in digits, as on the wire. */
const VERSION = /^[1-9]\d{0,14}$/;
const MAX_NAME = 255;

/** A model's folder, its links resolved. */
export interface ModelFolder {
  readonly name: string;
  readonly path: string;
  /** The folders of its versions that could be served, lowest first. */
  readonly versions: readonly string[];
  /** The text of its config.pbtxt, if there is one. */
  readonly config: string | undefined;
}

export class ModelDirectory {
  private constructor(
    /** As the user said it. */
    readonly label: string,
    /** Absolute, links resolved. */
    private readonly root: string,
  ) {}

  /** @throws HeadraceError NOT_FOUND, INVALID_ARGUMENT where it is no directory. */
  static async open(path: string): Promise<ModelDirectory> {
    try {
      const root = await realpath(resolve(path));
      if ((await stat(root)).isDirectory()) return new ModelDirectory(path, root);
    } catch (error) {
      throw fileError(path, error);
    }
    throw new InvalidArgumentError("is no directory", { path });
  }

  /** The names of the folders in it, those whose names begin with "." left out. */
  async names(): Promise<string[]> {
    const entries = await readdir(this.root, { withFileTypes: true }).catch((error) => {
      throw fileError(this.label, error);
    });
    const folders = entries.filter((entry) => entry.isDirectory() || entry.isSymbolicLink());
    const names = folders.map(({ name }) => name).filter((name) => isModelName(name) && !name.startsWith("."));
    const found = await Promise.all(names.map(async (name) => ((await isFolder(join(this.root, name))) ? [name] : [])));
    return found.flat().sort();
  }

  /** @throws HeadraceError INVALID_ARGUMENT, MODEL_NOT_FOUND, MODEL_INVALID */
  async model(name: string): Promise<ModelFolder> {
    if (!isModelName(name)) {
      throw new InvalidArgumentError(`${shown(name)} is no name of a model: it is that of a folder`, { path: "name" });
    }
    const path = join(this.root, name);
    if (!(await isFolder(path))) {
      const message = `failed to load '${name}': there is no such folder in the model directory`;
      throw new HeadraceError("MODEL_NOT_FOUND", message);
    }
    const real = await this.inside(path, name);
    const entries = await readdir(real);
    const numbered = entries.filter((entry) => VERSION.test(entry));
    const folders = await Promise.all(
      numbered.map(async (entry) => ((await isFolder(join(real, entry))) ? [entry] : [])),
    );
    const versions = folders.flat().sort((a, b) => Number(a) - Number(b));
    return { name, path: real, versions, config: await this.config(real, name) };
  }

  /** A file of a version of a model; absolute. Throws MODEL_INVALID where it is not there, or somewhere else. */
  async file({ name, path }: ModelFolder, version: string, file: string): Promise<string> {
    const label = `${name}/${version}/${file}`;
    const real = await this.inside(join(path, version, file), label);
    if ((await stat(real)).isFile()) return real;
    throw configError(label, "is no file");
  }

  /** An error whose message does not say where on the server's disk the directory is: clients are told of it. */
  withoutRoot(error: unknown): HeadraceError {
    const { code, message } = toHeadraceError(error);
    return new HeadraceError(code, message.replaceAll(this.root + sep, ""), { cause: error });
  }

  /** What changes when a version's files do: their names, sizes and times. */
  async print({ path }: ModelFolder, version: string): Promise<string> {
    const folder = join(path, version);
    const entries = (await readdir(folder)).sort();
    const prints = entries.map(async (entry) => {
      // A link to nowhere is no file of the model.
      const found = await stat(join(folder, entry), { bigint: true }).catch(() => undefined);
      return [entry, found?.size, found?.mtimeNs, found?.ino, found?.dev].join(" ");
    });
    return (await Promise.all(prints)).join("\n");
  }

  private async config(folder: string, name: string): Promise<string | undefined> {
    const path = join(folder, CONFIG_FILE);
    const label = configLabel(name);
    const isThere = await stat(path).then(
      () => true,
      (error: NodeJS.ErrnoException) => {
        if (error.code === "ENOENT") return false;
        throw fileError(label, error);
      },
    );
    if (!isThere) return undefined;
    const file = await open(await this.inside(path, label));
    try {
      const { size } = await file.stat();
      if (size > MAX_CONFIG_BYTES) throw configError(label, `has ${size} bytes; at most ${MAX_CONFIG_BYTES} are read`);
      return new TextDecoder("utf-8", { fatal: true }).decode(await file.readFile());
    } catch (error) {
      throw error instanceof TypeError ? configError(label, "is not UTF-8") : fileError(label, error);
    } finally {
      await file.close();
    }
  }

  /** The path with its links resolved. Throws MODEL_INVALID where that is outside. */
  private async inside(path: string, label: string): Promise<string> {
    const real = await realpath(path).catch((error: NodeJS.ErrnoException) => {
      throw error.code === "ENOENT" ? configError(label, "is not there") : fileError(label, error);
    });
    const way = relative(this.root, real);
    if (way !== "" && way !== ".." && !way.startsWith(`..${sep}`)) return real;
    throw configError(label, "leads out of the model directory, and nothing is read from there");
  }
}

export function configLabel(name: string): string {
  return `${name}/${CONFIG_FILE}`;
}

function isModelName(name: string): boolean {
  // A name goes into paths of the server too; control characters and half surrogate pairs would get nowhere.
  return isFileName(name) && name.length <= MAX_NAME && !/[\p{Cc}\p{Surrogate}]/u.test(name);
}

async function isFolder(path: string): Promise<boolean> {
  return stat(path).then(
    (found) => found.isDirectory(),
    () => false,
  );
}
