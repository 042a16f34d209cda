/**
 * `fetch` with authorities and certificates of one's own. Node.js' own takes none without a package besides, so this is its https
 * module in the shape of `fetch`, as far as the client uses it. Nothing of Node.js is imported: the client loads in browsers too.
 */

import { HeadraceError } from "../errors.js";
import { joinBytes } from "../protocol/index.js";
import type { Fetch } from "./http.js";

/** TLS of a client; everything is PEM, as text or as the bytes of a file. */
export interface ClientTls {
  /** The authorities to trust instead of the platform's. */
  readonly ca?: string | Uint8Array;
  /** The client's certificate, where the server asks for one. */
  readonly cert?: string | Uint8Array;
  /** The certificate's private key. */
  readonly key?: string | Uint8Array;
  /** What the key is encrypted with. */
  readonly passphrase?: string;
  /** The name that the server's certificate is for. Default: the URL's host. */
  readonly serverName?: string;
}

/** As Node.js' tls module names them. */
export type TlsConnection = Omit<ClientTls, "serverName"> & { readonly servername?: string };

export function tlsConnection({ serverName, ...tls }: ClientTls): TlsConnection {
  return serverName === undefined ? tls : { ...tls, servername: serverName };
}

/** As much of Node.js' https module as the client uses. */
interface Https {
  readonly Agent: new (options: object) => object;
  request(url: string, options: object, answered: (answer: Answer) => void): Request;
}

interface Request {
  on(event: "error", listener: (error: Error) => void): unknown;
  end(body?: unknown): unknown;
}

interface Answer extends AsyncIterable<Uint8Array> {
  readonly statusCode?: number;
  readonly headers: Readonly<Record<string, string | readonly string[] | undefined>>;
}

interface NodeProcess {
  getBuiltinModule?(name: string): unknown;
}

/** Connections are kept for the next request. Throws UNIMPLEMENTED where there is no Node.js. */
export function tlsFetch(tls: TlsConnection): Fetch {
  const { process } = globalThis as { process?: NodeProcess };
  const https = process?.getBuiltinModule?.("node:https") as Https | undefined;
  if (https === undefined) throw new HeadraceError("UNIMPLEMENTED", "`tls` needs Node.js 20.16 or later");
  const agent = new https.Agent({ ...tls, keepAlive: true });
  return (url, { method, headers, body, signal }) =>
    new Promise((resolve, reject) => {
      const request = https.request(url, { method, headers, agent, signal: signal ?? undefined }, (answer) => {
        // What cannot be made a Response, such as one with a status above 599, fails as well.
        read(answer)
          .then((bytes) => responseOf(answer, bytes))
          .then(resolve, reject);
      });
      request.on("error", (error) => reject(signal?.aborted ? signal.reason : error));
      request.end(body ?? undefined);
    });
}

async function read(answer: Answer): Promise<Uint8Array<ArrayBuffer>> {
  const chunks: Uint8Array[] = [];
  let length = 0;
  for await (const chunk of answer) {
    chunks.push(chunk);
    length += chunk.byteLength;
  }
  return joinBytes(chunks, length) as Uint8Array<ArrayBuffer>;
}

function responseOf({ statusCode = 0, headers }: Answer, body: Uint8Array<ArrayBuffer>): Response {
  const pairs = Object.entries(headers).map(([name, value]): [string, string] => [name, String(value)]);
  return new Response(body.byteLength === 0 ? null : body, { status: statusCode, headers: pairs });
}
