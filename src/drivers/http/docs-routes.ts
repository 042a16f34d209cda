/** The routes by which the server describes itself: GET /openapi.json and the page at GET /docs. */
import { toHeadraceError } from "../../errors.js";
import { encodeRestError } from "../../protocol/index.js";
import { SERVER } from "../../serving/server-metadata.js";
import { Asset, knownTags } from "./asset.js";
import { DocsPage } from "./docs-page.js";
import type { HttpListener } from "./listener.js";
import { openApiOf } from "./openapi-models.js";
import type { Router } from "./router.js";

export class DocsRoutes {
  private readonly page = new DocsPage();
  /** The description, and of which revision of the models it is. */
  private description: { readonly revision: number; readonly asset: Asset } | undefined;

  constructor(private readonly listener: HttpListener) {}

  register(router: Router): void {
    const serve = (pattern: string, asset: () => Promise<Asset>): void =>
      router.route(pattern, encodeRestError, {
        GET: (exchange, request) => {
          const known = knownTags(request);
          asset().then(
            (found) => found.send(exchange, known),
            (error: unknown) => exchange.error(toHeadraceError(error)),
          );
        },
      });
    serve("/openapi.json", () => this.openApi());
    serve("/docs", () => this.index());
    serve("/docs/start.js", () => this.page.start());
    serve("/docs/swagger-ui-bundle.js", () => this.page.bundle());
    serve("/docs/swagger-ui.css", () => this.page.style());
  }

  private async index(): Promise<Asset> {
    const [only, ...others] = this.listener.models.all();
    return this.page.index(only === undefined || others.length > 0 ? SERVER.name : only.name);
  }

  /** Written when it is first asked for, and again when the models have changed: most servers are never asked. */
  private async openApi(): Promise<Asset> {
    const { models } = this.listener;
    if (this.description?.revision !== models.revision) {
      const text = exactly(JSON.stringify(openApiOf(models.all().map(({ inference }) => inference))));
      this.description = { revision: models.revision, asset: new Asset("application/json", text) };
    }
    return this.description.asset;
  }
}

/** The limits of 64 bits, which JSON.stringify would write rounded. */
const WIDE_LIMITS: readonly (readonly [number, bigint])[] = [
  [-(2 ** 63), -(2n ** 63n)],
  [2 ** 63, 2n ** 63n - 1n],
  [2 ** 64, 2n ** 64n - 1n],
];

function exactly(json: string): string {
  return WIDE_LIMITS.reduce((text, [rounded, exact]) => text.replaceAll(JSON.stringify(rounded), String(exact)), json);
}
