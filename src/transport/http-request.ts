/** What the line of a field begins with, by its name: the same few are asked for with every request. */
const labels = new Map<string, string>();

function labelOf(name: string): string {
  const known = labels.get(name);
  if (known !== undefined) return known;
  const label = `\n${name}:`;
  labels.set(name, label);
  return label;
}

/**
 * The head of a request, as one text that is looked through when something is asked for: most of what a client sends nobody asks
 * for.
 */
export class HttpRequest {
  readonly method: string;
  /** As it was sent, percent-encoded, without the query. */
  readonly path: string;
  /** What a route's pattern has a name for, as they were sent, in the order of the path. Set by the router. */
  parameters: readonly string[] = [];
  private readonly search: string;
  private params: URLSearchParams | undefined;

  /** @param head  "METHOD /path query\n", then a line "name:value\n" for each field, with its name in lower case */
  constructor(private readonly head: string) {
    const path = head.indexOf(" ") + 1;
    const query = head.indexOf(" ", path) + 1;
    this.method = head.slice(0, path - 1);
    this.path = head.slice(path, query - 1);
    this.search = head.slice(query, head.indexOf("\n", query));
  }

  /** The value of the first field of a name in lower case; "" where there is none. */
  header(name: string): string {
    const label = labelOf(name);
    const at = this.head.indexOf(label);
    if (at < 0) return "";
    const from = at + label.length;
    return this.head.slice(from, this.head.indexOf("\n", from));
  }

  /** A part of the path that the route's pattern has a name for. */
  parameter(index: number): string {
    return this.parameters[index] ?? "";
  }

  /** A field of the query, decoded; undefined where there is none. */
  query(name: string): string | undefined {
    if (this.search === "") return undefined;
    this.params ??= new URLSearchParams(this.search);
    return this.params.get(name) ?? undefined;
  }

  /** All fields of the query of a name. */
  queryAll(name: string): string[] {
    this.params ??= new URLSearchParams(this.search);
    return this.params.getAll(name);
  }

  /** The client's address; "" behind a proxy. */
  get address(): string {
    return this.header(":address");
  }

  /** The source that a PROXY header named, in hexadecimal; "" where there was none. */
  get proxied(): string {
    return this.header(":proxied");
  }
}
