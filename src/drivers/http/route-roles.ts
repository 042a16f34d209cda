/** What each route needs a client to be allowed. A route that is not here is not served: see `roleOf`. */
import { bug } from "../../errors.js";
import type { NeededRole } from "../../serving/client-gate.js";

/** By method and pattern, without a version: versions of a model have the role of the model. WebSockets are WS. */
export const ROUTE_ROLES: Readonly<Record<string, NeededRole>> = {
  "GET /health/live": "health",
  "GET /health/ready": "health",
  "GET /v2/health/live": "health",
  "GET /v2/health/ready": "health",
  "GET /v2/models/:model/ready": "health",

  "POST /predict": "predict",
  "POST /models/:model/predict": "predict",
  "POST /tasks": "predict",
  "POST /models/:model/tasks": "predict",
  "GET /tasks/:id": "predict",
  "DELETE /tasks/:id": "predict",
  "POST /v2/models/:model/infer": "predict",
  "POST /v2/models/:model/generate": "predict",
  "POST /v2/models/:model/generate_stream": "predict",
  "WS /v2/models/:model/stream": "predict",
  "WS /v2/models/:model/subscribe": "predict",

  "GET /v2": "read",
  "GET /v2/models/:model": "read",
  "GET /v2/models/:model/config": "read",
  "GET /v2/models/:model/stats": "read",
  "GET /v2/models/stats": "read",
  "POST /v2/repository/index": "read",
  "GET /metrics": "read",
  "GET /openapi.json": "read",
  "GET /docs": "read",
  "GET /docs/start.js": "read",
  "GET /docs/swagger-ui-bundle.js": "read",
  "GET /docs/swagger-ui.css": "read",

  "POST /v2/repository/models/:model/load": "admin",
  "POST /v2/repository/models/:model/unload": "admin",
};

const VERSION = /\/versions\/:version(?=\/|$)/;

export function roleOf(method: string, pattern: string): NeededRole {
  const route = `${method} ${pattern.replace(VERSION, "")}`;
  const role = Object.hasOwn(ROUTE_ROLES, route) ? ROUTE_ROLES[route] : undefined;
  if (role === undefined) throw bug(`the route ${route} has no role in ROUTE_ROLES`);
  return role;
}
