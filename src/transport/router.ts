/**
 * Finds what a path is for. Patterns are paths in which a segment may be a name, such as `/v2/models/:model/infer`; where several
 * fit, the one that was added first wins.
 */
interface Entry<T> {
  readonly segments: readonly string[];
  readonly order: number;
  readonly value: T;
}

/** What a path was found to be for. */
export interface Found<T> {
  readonly value: T;
  /** The segments that the pattern has names for. */
  readonly parameters: readonly string[];
}

export class Router<T> {
  /** Patterns without names, by themselves. */
  private readonly exact = new Map<string, Entry<T>>();
  /** Those with names, by their number of segments. */
  private readonly named = new Map<number, Entry<T>[]>();
  private count = 0;
  /** What patterns without names were found to be for: not searched for again. */
  private readonly known = new Map<string, Found<T>>();

  add(pattern: string, value: T): void {
    this.known.clear();
    const segments = pattern.split("/");
    const entry = { segments, order: this.count++, value };
    if (!segments.some((segment) => segment.startsWith(":"))) {
      if (!this.exact.has(pattern)) this.exact.set(pattern, entry);
      return;
    }
    const others = this.named.get(segments.length);
    if (others === undefined) this.named.set(segments.length, [entry]);
    else others.push(entry);
  }

  find(path: string): Found<T> | undefined {
    const known = this.known.get(path);
    if (known !== undefined) return known;
    const exact = this.exact.get(path);
    const found = this.search(path, exact);
    // As many as there are patterns, and not one more for each path that somebody asks for.
    if (found !== undefined && exact !== undefined) this.known.set(path, found);
    return found;
  }

  private search(path: string, exact: Entry<T> | undefined): Found<T> | undefined {
    const segments = path.split("/");
    for (const entry of this.named.get(segments.length) ?? []) {
      if (exact !== undefined && exact.order < entry.order) break;
      const parameters = matched(entry.segments, segments);
      if (parameters !== undefined) return { value: entry.value, parameters };
    }
    return exact === undefined ? undefined : { value: exact.value, parameters: [] };
  }
}

function matched(pattern: readonly string[], segments: readonly string[]): string[] | undefined {
  const parameters: string[] = [];
  for (const [index, expected] of pattern.entries()) {
    const segment = segments[index] ?? "";
    if (expected.startsWith(":")) {
      // A name stands for something.
      if (segment === "") return undefined;
      parameters.push(segment);
    } else if (segment !== expected) return undefined;
  }
  return parameters;
}
