/** What stands before a listener's routes: who may use them, TLS, and where it may listen at all. */
import type { Logger } from "../../log.js";
import { Access, isProtected } from "../../serving/access.js";
import { checkBinding, isLoopback } from "../../serving/binding.js";
import type { AppTls } from "./app-pool.js";
import { Gate } from "./gate.js";
import type { ListenerParameters } from "./listener-parameters.js";
import { readTls, type TlsOptions } from "./tls.js";
import { TlsFront } from "./tls-front.js";

export class Entrance {
  readonly gate: Gate;
  /** Where clients show certificates. */
  readonly front: TlsFront | undefined;
  /** TLS of uWebSockets.js itself, where clients show none. */
  readonly appTls: AppTls | undefined;
  /** Where the front finds the listener. */
  innerPort = 0;

  private constructor(
    parameters: ListenerParameters,
    readonly access: Access,
  ) {
    const { tls, maxConnections } = parameters;
    if (tls?.caFile !== undefined) {
      const { requireClientCert = true } = tls;
      const port = (): number => this.innerPort;
      this.front = new TlsFront({ files: readTls(tls), requireClientCert, maxConnections, port });
    } else if (tls !== undefined) {
      this.appTls = appTls(tls);
    }
    this.gate = new Gate({ parameters, access, front: this.front });
  }

  /** Throws INVALID_ARGUMENT where a file does not fit, and where others would reach a server that anybody may use. */
  static async open(parameters: ListenerParameters, log: Logger | undefined): Promise<Entrance> {
    const { host, insecure, tls } = parameters;
    const options = parameters;
    const verifiesCertificates = tls?.caFile !== undefined;
    checkBinding(host, isProtected(options, verifiesCertificates), insecure);
    if (tls === undefined && isProtected(options, false) && !isLoopback(host)) {
      log?.warn({ host }, "tokens go over the network in clear text: give it tls, or keep a proxy with TLS before it");
    }
    const access = await Access.open({ options, verifiesCertificates, log });
    try {
      return new Entrance(parameters, access);
    } catch (error) {
      access.close();
      throw error;
    }
  }

  close(): void {
    this.access.close();
    this.front?.stopListening();
  }
}

function appTls(tls: TlsOptions): AppTls {
  const { fingerprint, passphrase } = readTls(tls);
  const options = {
    key_file_name: tls.keyFile,
    cert_file_name: tls.certFile,
    ...(passphrase === undefined ? {} : { passphrase }),
  };
  return { options, fingerprint };
}
