/** The page at /docs: everything it needs comes from this server, with the headers that a browser goes by. */
import t from "tap";
import { myPipeline } from "../../support/cells.js";
import { gruPipeline, serve } from "../../support/serve.js";

t.test("the page and its files are served, and name no other host", async (t) => {
  const { url } = await serve(t, myPipeline());
  const page = await fetch(`${url}/docs`);
  t.equal(page.status, 200);
  t.equal(page.headers.get("content-type"), "text/html; charset=utf-8");
  t.equal(page.headers.get("x-content-type-options"), "nosniff");
  const policy = page.headers.get("content-security-policy") ?? "";
  t.match(policy, /default-src 'none'/);
  t.match(policy, /connect-src 'self'/);
  t.notMatch(policy, /https?:|\*|unsafe/, "nothing from outside, nothing within the page");
  const html = await page.text();
  t.match(html, "<title>MyPipeline</title>");
  t.notMatch(html, /https?:\/\/|<script>|<style/);

  const links = [...html.matchAll(/(?:href|src)="([^"]+)"/g)].map(([, link = ""]) => link);
  const files = links.filter((link) => !link.startsWith("data:"));
  t.same(files, ["docs/swagger-ui.css", "openapi.json", "docs/swagger-ui-bundle.js", "docs/start.js"]);
  const types = new Map([
    ["css", "text/css; charset=utf-8"],
    ["js", "text/javascript; charset=utf-8"],
    ["json", "application/json"],
  ]);
  for (const file of files) {
    // As a browser resolves it from the page.
    const response = await fetch(new URL(file, page.url));
    t.equal(response.status, 200, file);
    t.equal(response.headers.get("content-type"), types.get(file.split(".").at(-1) ?? ""), file);
    t.equal(response.headers.get("x-content-type-options"), "nosniff", file);
    t.equal(response.headers.get("cache-control"), "no-cache", file);
    const body = await response.text();
    t.ok(body.length > 100, file);
    const etag = response.headers.get("etag") ?? "";
    const again = await fetch(new URL(file, page.url), { headers: { "if-none-match": etag } });
    t.equal(again.status, 304, file);
  }
});

t.test("the script opens this server's description, and asks no validator", async (t) => {
  const { url } = await serve(t, myPipeline());
  const script = await (await fetch(`${url}/docs/start.js`)).text();
  // Run as the browser would, with what the bundle defines.
  let options: Record<string, unknown> = {};
  new Function("SwaggerUIBundle", script)((given: Record<string, unknown>) => {
    options = given;
  });
  t.match(options, { url: "openapi.json", dom_id: "#docs", validatorUrl: null });
  t.match(await (await fetch(`${url}/docs`)).text(), '<div id="docs">');
  t.match(await (await fetch(`${url}/docs/swagger-ui-bundle.js`)).text(), "SwaggerUIBundle");
});

t.test("a name is text, not markup", async (t) => {
  const { url } = await serve(t, await gruPipeline({ name: "<b>&\"'" }));
  t.match(await (await fetch(`${url}/docs`)).text(), "<title>&#60;b&#62;&#38;&#34;'</title>");
});

t.test("files that are not the page's are not there", async (t) => {
  const { url } = await serve(t, myPipeline());
  for (const path of ["/docs/LICENSE", "/docs/swagger-ui.css.map", "/docs/"]) {
    t.equal((await fetch(url + path)).status, 404, path);
  }
});

t.test("a large file arrives whole on a slow connection too", async (t) => {
  const { url } = await serve(t, myPipeline());
  const bodies = await Promise.all(
    Array.from(
      { length: 8 },
      async () => (await (await fetch(`${url}/docs/swagger-ui-bundle.js`)).arrayBuffer()).byteLength,
    ),
  );
  t.equal(new Set(bodies).size, 1);
  t.ok((bodies[0] ?? 0) > 1_000_000);
});
