/** Which pattern a path fits. */
import t from "tap";
import { Router } from "../../src/transport/index.js";

function routerOf(...patterns: string[]): Router<string> {
  const router = new Router<string>();
  for (const pattern of patterns) router.add(pattern, pattern);
  return router;
}

t.test("a path fits a pattern segment by segment", async (t) => {
  const router = routerOf("/v2", "/v2/models/:model", "/v2/models/:model/infer", "/v2/models/:model/versions/:version");
  const found = (path: string) => router.find(path);
  t.same(found("/v2"), { value: "/v2", parameters: [] });
  t.same(found("/v2/models/gru"), { value: "/v2/models/:model", parameters: ["gru"] });
  t.same(found("/v2/models/gru/infer"), { value: "/v2/models/:model/infer", parameters: ["gru"] });
  t.same(found("/v2/models/a%2Fb/versions/2"), {
    value: "/v2/models/:model/versions/:version",
    parameters: ["a%2Fb", "2"],
  });
  for (const path of [
    "",
    "/",
    "/v2/",
    "/V2",
    "/v2/models",
    "/v2/models/",
    "/v2/models//infer",
    "//v2",
    "/v2/models/gru/infer/",
  ])
    t.equal(found(path), undefined, path);
});

t.test("of several that fit the first one wins, with names or without", async (t) => {
  t.equal(routerOf("/models/stats", "/models/:model").find("/models/stats")?.value, "/models/stats");
  t.equal(routerOf("/models/:model", "/models/stats").find("/models/stats")?.value, "/models/:model");
  t.equal(routerOf("/:a/x", "/y/:b").find("/y/x")?.value, "/:a/x");
});

t.test("what a segment is named like on every object is nobody's", async (t) => {
  const router = routerOf("/a/:b");
  for (const path of ["__proto__", "constructor", "/toString"]) t.equal(router.find(path), undefined, path);
  t.same(router.find("/a/__proto__")?.parameters, ["__proto__"]);
});
