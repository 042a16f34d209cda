import fc from "fast-check";
import t from "tap";
import { suggestion } from "../../src/plugins/index.js";
import { nearest } from "../../src/plugins/nearest.js";

t.test("a word that is known is meant itself", async (t) => {
  fc.assert(
    fc.property(
      fc.uniqueArray(fc.string({ minLength: 1 }), { minLength: 1, selector: (s) => s.toLowerCase() }),
      (known) => known.every((word) => nearest(word, known) === word),
    ),
  );
  t.end();
});

t.test("one slip does not hide what was meant; another word altogether means nothing", async (t) => {
  const known = ["version", "pipeline", "maxStates", "use"];
  for (const [word, meant] of [
    ["verson", "version"],
    ["pipelines", "pipeline"],
    ["maxstates", "maxStates"],
    ["usse", "use"],
    ["USE", "use"],
    ["us", "use"],
  ] as const) {
    t.equal(nearest(word, known), meant, word);
  }
  for (const word of ["", "x", "threads", "drivers"]) t.equal(nearest(word, known), undefined, word);
  t.equal(suggestion("verson", known), "did you mean 'version'? (known: version, pipeline, maxStates, use)");
  t.equal(suggestion("threads", known), "known: version, pipeline, maxStates, use");
  t.equal(suggestion("threads", []), "there are none");
});
