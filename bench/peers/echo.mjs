// The floor: a bare uWebSockets.js server. WebSocket `/echo` sends each frame back; `/ack?bytes=N` answers with N zero
// bytes, which is the traffic of a model with small outputs, as does POST `/ack?bytes=N` in V2's binary form. POST `/json`
// parses a JSON body and writes it out again. What it costs on this machine is the transport alone, so that Headrace's own
// share can be told apart.
//
//   node bench/peers/echo.mjs --port 8080

import uWS from "uWebSockets.js";
import { parseArgs } from "node:util";

const { values: options } = parseArgs({ options: { port: { type: "string", default: "8080" } } });

const MAX_FRAME_BYTES = 1 << 20;
const V2_HEADER = Buffer.from("{}");

uWS
  .App()
  .ws("/echo", {
    maxPayloadLength: MAX_FRAME_BYTES,
    message: (socket, message, isBinary) => {
      socket.send(message, isBinary);
    },
  })
  .ws("/ack", {
    maxPayloadLength: MAX_FRAME_BYTES,
    upgrade: (response, request, context) => {
      response.upgrade(
        { answer: new Uint8Array(Number(request.getQuery("bytes"))) },
        request.getHeader("sec-websocket-key"),
        request.getHeader("sec-websocket-protocol"),
        request.getHeader("sec-websocket-extensions"),
        context,
      );
    },
    message: (socket, _message, isBinary) => {
      socket.send(socket.getUserData().answer, isBinary);
    },
  })
  .post("/ack", (response, request) => {
    const answer = Buffer.concat([V2_HEADER, Buffer.alloc(Number(request.getQuery("bytes")))]);
    response.onAborted(() => {});
    response.onData((_chunk, isLast) => {
      if (!isLast) return;
      response.cork(() => {
        response.writeHeader("Inference-Header-Content-Length", String(V2_HEADER.length)).end(answer);
      });
    });
  })
  .post("/json", (response) => {
    let body = "";
    response.onAborted(() => {});
    response.onData((chunk, isLast) => {
      body += Buffer.from(chunk).toString();
      if (!isLast) return;
      const answer = JSON.stringify(JSON.parse(body));
      response.cork(() => {
        response.writeHeader("Content-Type", "application/json").end(answer);
      });
    });
  })
  .get("/ready", (response) => {
    response.end("ready");
  })
  .listen("127.0.0.1", Number(options.port), (token) => {
    if (!token) {
      console.error(`cannot listen on port ${options.port}`);
      process.exit(1);
    }
    console.log(`listening on ${options.port}`);
  });
