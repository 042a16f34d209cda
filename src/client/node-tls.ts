/**
 * `fetch` with authorities and certificates of one's own. Node.js' own takes none without a package besides, so this is its https
 * module in the shape of `fetch`, as far as the client uses it. Nothing of Node.js is imported: the client loads in browsers too.
 */

import type { IncomingMessage } from "node:http";
import type { Agent, AgentOptions, RequestOptions } from "node:https";
import { HeadraceError } from "../errors.js";
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

/** Connections are kept for the next request. Throws UNIMPLEMENTED where there is no Node.js. */
export function tlsFetch(tls: TlsConnection): Fetch {
  const { getBuiltinModule } = (globalThis as { process?: Partial<NodeJS.Process> }).process ?? {};
  const https = getBuiltinModule?.("node:https");
  if (https === undefined) throw new HeadraceError("UNIMPLEMENTED", "`tls` needs Node.js 20.16 or later");
  const agent: Agent = new https.Agent({ ...(tls as AgentOptions), keepAlive: true });
  return (url, { method, headers, body, signal }) =>
    new Promise((resolve, reject) => {
      const options = { method, headers, agent, signal } as RequestOptions;
      const request = https.request(url, options, (answer) => {
        read(answer).then((bytes) => resolve(responseOf(answer, bytes)), reject);
      });
      request.on("error", (error) => reject(signal?.aborted ? signal.reason : error));
      request.end(body);
    });
}

async function read(answer: IncomingMessage): Promise<Uint8Array<ArrayBuffer>> {
  const chunks: Uint8Array[] = [];
  let length = 0;
  for await (const chunk of answer as AsyncIterable<Uint8Array>) {
    chunks.push(chunk);
    length += chunk.byteLength;
  }
  const whole = new Uint8Array(length);
  let at = 0;
  for (const chunk of chunks) {
    whole.set(chunk, at);
    at += chunk.byteLength;
  }
  return whole;
}

function responseOf({ statusCode = 0, headers }: IncomingMessage, body: Uint8Array<ArrayBuffer>): Response {
  const pairs = Object.entries(headers).map(([name, value]): [string, string] => [name, String(value)]);
  return new Response(body.byteLength === 0 ? null : body, { status: statusCode, headers: pairs });
}
