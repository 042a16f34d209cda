/** HTTP and WebSocket over sockets that native threads read and write; what they do not answer themselves comes here. */
export { HttpRequest } from "./http-request.js";
export { HttpResponse } from "./http-response.js";
export { listenError } from "./listen-error.js";
export type { InferCounts, RawOptions } from "./native-model.js";
export { NativeModel } from "./native-model.js";
export { Router } from "./router.js";
export { type ServerHandlers, TransportServer } from "./server.js";
export { Topics } from "./topics.js";
export { type MessageHandler, WebSocket, type WebSocketLimits } from "./web-socket.js";
