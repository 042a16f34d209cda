/** What is found in the head of a request. */
import t from "tap";
import { HttpRequest } from "../../src/transport/index.js";

const requestOf = (line: string, ...fields: string[]) =>
  new HttpRequest([line, ":address:127.0.0.1", ...fields, ""].join("\n"));

t.test("the request line", async (t) => {
  const request = requestOf("POST /v2/models/a%20b/infer raw=x&raw=y%20z&empty=");
  t.equal(request.method, "POST");
  t.equal(request.path, "/v2/models/a%20b/infer");
  t.equal(request.query("raw"), "x");
  t.same(request.queryAll("raw"), ["x", "y z"]);
  t.equal(request.query("empty"), "");
  t.equal(request.query("nothing"), undefined);
  const plain = requestOf("GET / ");
  t.equal(plain.path, "/");
  t.equal(plain.query("raw"), undefined);
  t.same(plain.queryAll("raw"), []);
});

t.test("fields by name, the first of several", async (t) => {
  const request = requestOf(
    "GET / host:q",
    "host:example.org:80",
    "x-two:1",
    "x-two:2",
    "x-empty:",
    "x-text:host:not-this",
  );
  t.equal(request.header("host"), "example.org:80");
  t.equal(request.header("x-two"), "1");
  t.equal(request.header("x-empty"), "");
  t.equal(request.header("ost"), "", "no part of a name is the name");
  t.equal(request.header("x-none"), "");
  t.equal(request.address, "127.0.0.1");
  t.equal(request.proxied, "");
});
