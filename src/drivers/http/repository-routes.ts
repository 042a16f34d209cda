/** V2's repository API: which models there are, and loading and unloading them. */

import { InvalidArgumentError, serverStopping, toHeadraceError } from "../../errors.js";
import { encodeV2Error, parseJson, utf8Text } from "../../protocol/index.js";
import { repositoryControl, repositoryIndex } from "../../serving/repository.js";
import { shown } from "../../shown.js";
import type { HttpRequest } from "../../transport/index.js";
import type { Exchange } from "./exchange.js";
import type { HttpListener } from "./listener.js";
import type { Router } from "./router.js";

type Body = Readonly<Record<string, unknown>>;

export class RepositoryRoutes {
  constructor(private readonly listener: HttpListener) {}

  register(router: Router): void {
    router.route("/v2/repository/index", encodeV2Error, {
      POST: (exchange, request) => this.answer(exchange, request, (body) => this.index(body)),
    });
    for (const action of ["load", "unload"] as const) {
      router.route(`/v2/repository/models/:model/${action}`, encodeV2Error, {
        POST: (exchange, request) => {
          const name = decoded(request.parameter(0));
          this.answer(exchange, request, async (body) => {
            await repositoryControl(this.listener.repository)[action](name, objectOf(body.parameters, "parameters"));
            return {};
          });
        },
      });
    }
  }

  /** Reads the body, an object or nothing at all, and answers with what `work` gives. */
  private answer(exchange: Exchange, request: HttpRequest, work: (body: Body) => Promise<unknown>): void {
    if (this.listener.isDraining) throw serverStopping();
    const failed = (error: unknown): void => exchange.error(toHeadraceError(error));
    const done = async (body: Body): Promise<void> => {
      try {
        exchange.json(200, JSON.stringify(await work(body)));
      } catch (error) {
        failed(error);
      }
    };
    exchange.readBody(
      request,
      this.listener.parameters.maxBodyBytes,
      (body) => {
        try {
          const text = utf8Text(body, "body");
          void done(text.trim() === "" ? {} : objectOf(parseJson(text, "body"), "body"));
        } catch (error) {
          failed(error);
        }
      },
      failed,
    );
  }

  private index({ ready = false }: Body): Promise<unknown> {
    if (typeof ready !== "boolean") {
      throw new InvalidArgumentError(`expected true or false, got ${shown(ready)}`, { path: "ready" });
    }
    return repositoryIndex(this.listener.repository, this.listener.models, ready);
  }
}

/** Absent counts as empty. */
function objectOf(value: unknown, path: string): Body {
  if (value === undefined || value === null) return {};
  if (typeof value === "object" && !Array.isArray(value)) return value as Body;
  throw new InvalidArgumentError(`expected an object, got ${shown(value)}`, { path });
}

function decoded(name: string): string {
  try {
    return decodeURIComponent(name);
  } catch {
    // Not percent-encoding: then it is nobody's name as it stands.
    return name;
  }
}
