import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { connect as connectTls } from "node:tls";
import t, { type Test } from "tap";
import { GrpcDriver } from "../../src/drivers/grpc/index.js";
import { HttpDriver } from "../../src/drivers/http/index.js";
import { Authority } from "../support/certificates.js";
import { gruPipeline, start } from "../support/serve.js";

async function connected(t: Test, socket: Socket, event: string): Promise<Socket> {
  t.teardown(() => socket.destroy());
  await once(socket, event);
  return socket;
}

const drivers = [
  ["http", HttpDriver],
  ["grpc", GrpcDriver as unknown as typeof HttpDriver],
] as const;

for (const [name, driver] of drivers) {
  t.test(`${name}: a client that does not shake hands goes when the driver stops`, async (t) => {
    const authority = new Authority(t);
    const { keyFile, certFile } = authority.server();
    const process = await start(t, await gruPipeline());
    const options = { port: 0, tls: { keyFile, certFile } };
    const served = await process.addDriver("secure", driver, options);
    const { port } = served.getService(name).taggedAddresses.lan;
    const silent = await connected(t, connect(port, "127.0.0.1"), "connect");
    // The server has accepted the first when it has shaken hands with the second.
    await connected(
      t,
      connectTls({ port, host: "127.0.0.1", ca: authority.ca, ALPNProtocols: ["h2", "http/1.1"] }),
      "secureConnect",
    );
    const gone = once(silent, "close");
    silent.on("error", () => {});
    silent.resume();
    await served.stop({ timeoutMs: 1 });
    await gone;
  });
}
