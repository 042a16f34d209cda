import { createHash } from "node:crypto";
import type { HttpRequest } from "../../transport/index.js";
import type { AnswerHeaders, Exchange } from "./exchange.js";

/** Something that is the same for everybody and changes with the server only: kept in memory, revalidated by its ETag. */
export class Asset {
  private readonly bytes: Uint8Array;
  private readonly etag: string;
  private readonly headers: AnswerHeaders;

  /** @param headers  more of them, for every answer */
  constructor(
    private readonly type: string,
    content: string | Uint8Array,
    headers: AnswerHeaders = [],
  ) {
    this.bytes = typeof content === "string" ? Buffer.from(content) : content;
    this.etag = `"${createHash("sha256").update(this.bytes).digest("base64url").slice(0, 22)}"`;
    this.headers = [
      ["ETag", this.etag],
      // Kept, and asked for each time whether it is still the same: nobody sees the files of the version before.
      ["Cache-Control", "no-cache"],
      ["X-Content-Type-Options", "nosniff"],
      ...headers,
    ];
  }

  /** @param known  the request's If-None-Match, which is to be read before the handler returns */
  send(exchange: Exchange, known: string): void {
    const tags = known.split(",").map((tag) => tag.trim().replace(/^W\//, ""));
    if (tags.includes(this.etag) || known === "*") exchange.empty(304, this.headers);
    else exchange.answer(200, this.type, this.bytes, this.headers);
  }
}

export function knownTags(request: HttpRequest): string {
  return request.header("if-none-match");
}
