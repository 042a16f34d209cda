/** What stands before a listener's routes: who may use them, TLS, and where it may listen at all. */
import type { Logger } from "../../log.js";
import type { Access } from "../../serving/access.js";
import { openAccess } from "../../serving/access-parameters.js";
import { readTls } from "../../serving/tls.js";
import { Gate } from "./gate.js";
import type { ListenerParameters } from "./listener-parameters.js";
import { TlsFront } from "./tls-front.js";

export class Entrance {
  readonly gate: Gate;
  /** Where there is TLS. */
  readonly front: TlsFront | undefined;
  /** Where the front finds the listener. */
  innerPort = 0;

  private constructor(
    parameters: ListenerParameters,
    readonly access: Access,
  ) {
    const { tls, maxConnections } = parameters;
    if (tls !== undefined) {
      const { caFile, requireClientCert = true } = tls;
      const clientCert = caFile === undefined ? "none" : requireClientCert ? "required" : "optional";
      const port = (): number => this.innerPort;
      this.front = new TlsFront({ files: readTls(tls), clientCert, maxConnections, port });
    }
    this.gate = new Gate({ parameters, access, front: this.front });
  }

  /** Throws INVALID_ARGUMENT where a file does not fit, and where others would reach a server that anybody may use. */
  static async open(parameters: ListenerParameters, log: Logger | undefined): Promise<Entrance> {
    const access = await openAccess(parameters, log);
    try {
      return new Entrance(parameters, access);
    } catch (error) {
      access.close();
      throw error;
    }
  }

  close(): void {
    this.access.close();
    this.front?.close();
  }
}
