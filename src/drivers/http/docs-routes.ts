/** The routes by which the server describes itself: GET /openapi.json and the page at GET /docs. */
import { toHeadraceError } from "../../errors.js";
import { encodeRestError } from "../../protocol/index.js";
import type { RestrictedInferenceProcess } from "../../runtime/index.js";
import { Asset, knownTags } from "./asset.js";
import { DocsPage } from "./docs-page.js";
import { openApi } from "./openapi.js";
import type { Router } from "./router.js";

export class DocsRoutes {
  private readonly page: DocsPage;
  private description: Promise<Asset> | undefined;

  constructor(private readonly inference: RestrictedInferenceProcess) {
    this.page = new DocsPage(inference.name);
  }

  register(router: Router): void {
    const serve = (pattern: string, asset: () => Promise<Asset>): void =>
      router.route(pattern, encodeRestError, {
        GET: (exchange, request) => {
          const known = knownTags(request);
          asset().then(
            (found) => found.send(exchange, known),
            (error: unknown) => exchange.error(toHeadraceError(error), encodeRestError),
          );
        },
      });
    serve("/openapi.json", () => this.openApi());
    serve("/docs", () => this.page.index());
    serve("/docs/start.js", () => this.page.start());
    serve("/docs/swagger-ui-bundle.js", () => this.page.bundle());
    serve("/docs/swagger-ui.css", () => this.page.style());
  }

  /** Written when it is first asked for: most servers are never asked. */
  private openApi(): Promise<Asset> {
    this.description ??= Promise.resolve().then(
      () => new Asset("application/json", JSON.stringify(openApi(this.inference))),
    );
    return this.description;
  }
}
