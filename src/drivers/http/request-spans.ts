import { RequestSpan } from "../../serving/tracing.js";
import type { HttpRequest } from "../../transport/index.js";
import type { Exchange } from "./exchange.js";
import type { ModelEndpoint } from "./model-endpoint.js";

/** Traces a request for a model from here on. Must be called synchronously in the route's handler. */
export function beginSpan(exchange: Exchange, request: HttpRequest, endpoint: ModelEndpoint): void {
  const { name, version, parameters } = endpoint;
  const method = request.method;
  exchange.span = new RequestSpan({
    name: `${method} ${exchange.route}`,
    attributes: {
      "http.request.method": method,
      "http.route": exchange.route,
      "url.path": request.path,
      "url.scheme": parameters.tls === undefined ? "http" : "https",
      "headrace.model.name": name,
      "headrace.model.version": version,
    },
    fields: (field) => request.header(field),
  });
}
