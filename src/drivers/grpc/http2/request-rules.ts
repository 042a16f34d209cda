/** What the headers of a request must be (RFC 9113, section 8): one that breaks these rules is never looked at. */
import type { Header } from "./hpack-decoder.js";

const PSEUDO_HEADERS = [":method", ":scheme", ":path", ":authority"];
const REQUIRED = [":method", ":scheme", ":path"];
/** Those of HTTP/1.1's connections, which HTTP/2 has other means for. */
const CONNECTION_HEADERS = ["connection", "proxy-connection", "keep-alive", "transfer-encoding", "upgrade"];

/** Whether a request may have these headers. */
export function isRequest(headers: readonly Header[]): boolean {
  const pseudo = new Map<string, string>();
  let hasOthers = false;
  for (const [name, value] of headers) {
    if (!name.startsWith(":")) {
      if (!isField(name, value)) return false;
      hasOthers = true;
    } else if (hasOthers || pseudo.has(name) || !PSEUDO_HEADERS.includes(name)) {
      return false;
    } else if (!isValue(value)) {
      return false;
    } else {
      pseudo.set(name, value);
    }
  }
  return REQUIRED.every((name) => (pseudo.get(name) ?? "") !== "");
}

/** Whether these may follow a request. */
export function areTrailers(headers: readonly Header[]): boolean {
  return headers.every(([name, value]) => !name.startsWith(":") && isField(name, value));
}

function isField(name: string, value: string): boolean {
  if (name === "" || name !== name.toLowerCase() || CONNECTION_HEADERS.includes(name)) return false;
  return isValue(value) && (name !== "te" || value === "trailers");
}

/** What would end a line or a string for somebody further down is in no value (section 8.2.1). */
function isValue(value: string): boolean {
  return !/[\0\r\n]/.test(value);
}
