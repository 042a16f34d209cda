/** The page at /docs: Swagger UI over the server's own description, without anything from other hosts. */
import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { HeadraceError } from "../../errors.js";
import { Asset } from "./asset.js";
import type { AnswerHeaders } from "./exchange.js";

/** Only what this server has, and neither script nor style within the page. Swagger UI has its icons as data URLs. */
const POLICY: AnswerHeaders = [
  [
    "Content-Security-Policy",
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
  ],
  ["Referrer-Policy", "no-referrer"],
];

const START = `"use strict";
SwaggerUIBundle({
  url: "openapi.json",
  dom_id: "#docs",
  deepLinking: true,
  displayRequestDuration: true,
  tryItOutEnabled: true,
  defaultModelsExpandDepth: 0,
  // Swagger's own host would check the description otherwise.
  validatorUrl: null,
});
`;

/** Links are relative, so that the page also works below a proxy's path. */
function page(title: string): string {
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${escaped(title)}</title>
<link rel="icon" href="data:,">
<link rel="stylesheet" href="docs/swagger-ui.css">
</head>
<body>
<div id="docs"></div>
<noscript>This page needs JavaScript. The description itself is at <a href="openapi.json">openapi.json</a>.</noscript>
<script src="docs/swagger-ui-bundle.js"></script>
<script src="docs/start.js"></script>
</body>
</html>
`;
}

function escaped(text: string): string {
  return text.replace(/[&<>"]/g, (char) => `&#${char.charCodeAt(0)};`);
}

/** The page and its files, each read at its first request and then kept. */
export class DocsPage {
  private readonly made = new Map<string, Promise<Asset>>();

  index(title: string): Promise<Asset> {
    return this.asset(`title ${title}`, async () => new Asset("text/html; charset=utf-8", page(title), POLICY));
  }

  start(): Promise<Asset> {
    return this.asset("start.js", async () => new Asset("text/javascript; charset=utf-8", START));
  }

  bundle(): Promise<Asset> {
    return this.file("swagger-ui-bundle.js", "text/javascript; charset=utf-8");
  }

  style(): Promise<Asset> {
    return this.file("swagger-ui.css", "text/css; charset=utf-8");
  }

  private file(name: string, type: string): Promise<Asset> {
    return this.asset(name, async () => new Asset(type, await readFile(join(swaggerFolder(), name))));
  }

  private asset(name: string, make: () => Promise<Asset>): Promise<Asset> {
    const known = this.made.get(name);
    if (known !== undefined) return known;
    const made = make();
    this.made.set(name, made);
    // What could not be read may be there next time.
    made.catch(() => this.made.delete(name));
    return made;
  }
}

/** Beside this file where it was built (scripts/copy-swagger-ui.mjs), else the development dependency. */
function swaggerFolder(): string {
  const built = join(dirname(fileURLToPath(import.meta.url)), "swagger-ui");
  if (existsSync(built)) return built;
  try {
    return dirname(createRequire(import.meta.url).resolve("swagger-ui-dist/package.json"));
  } catch (cause) {
    const what = "the files of the page are not installed; build Headrace with `npm run build:ts`";
    throw new HeadraceError("UNIMPLEMENTED", `${what}. The description itself is at /openapi.json`, { cause });
  }
}
