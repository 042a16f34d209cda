/** Following state ids, against a server that sends what the test says. */
import { once } from "node:events";
import t from "tap";
import type { WebSocket } from "ws";
import { HeadraceClient } from "../../src/client/index.js";
import { deferred } from "../support/cells.js";
import { webSocketServer } from "../support/web-socket-server.js";

t.test("a notice that nobody waited for holds up no result, and none comes before an older one", async (t) => {
  const connection = deferred<WebSocket>();
  const url = await webSocketServer(t, (socket) => connection.resolve(socket));
  const client = new HeadraceClient({ url, model: "m" });
  const subscription = client.subscribe("s", { format: "json" });
  await subscription.opened();
  const socket = await connection.promise;
  const step = (number: number) =>
    socket.send(
      JSON.stringify({
        model_name: "m",
        parameters: { sequence_id: "s", step: number },
        outputs: [{ name: "y", datatype: "INT64", shape: [1], data: [number] }],
      }),
    );
  step(1);
  socket.send(JSON.stringify({ sequence_id: "s", dropped: 3 }));
  step(5);
  step(6);
  // What comes before a pong has arrived.
  socket.ping();
  await once(socket, "pong");
  const taken: unknown[] = [];
  for (let i = 0; i < 3; ++i) {
    const { value } = await subscription.next();
    if (value?.type === "step") taken.push([value.step, value.dropped]);
  }
  t.same(taken, [
    [1, 0],
    [5, 3],
    [6, 0],
  ]);
  await subscription.return();
});
