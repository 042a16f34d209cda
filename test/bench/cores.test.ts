/** Which CPUs may be asked for. */
import t from "tap";
import { planCores } from "../../src/bench/cores.js";

t.test("CPUs that are not there are refused by the option that asks for them", (t) => {
  const cores = [0, 1, 3];
  const wrong: [object, RegExp][] = [
    [{ generator: "99" }, /^--generator-core: expected some of the CPUs 0, 1, 3, got '99'$/],
    [{ server: "0-2" }, /^--server-cores: expected some of the CPUs 0, 1, 3, got '0-2'$/],
    [{ server: "0,0-4000000000" }, /^--server-cores: expected some of the CPUs/],
    [{ server: "3-0" }, /^--server-cores: expected some of the CPUs/],
    [{ server: "all" }, /^--server-cores: expected CPUs such as 0 or 0,2-3, got 'all'$/],
    [{ generator: "" }, /^--generator-core: expected CPUs such as/],
  ];
  for (const [asked, message] of wrong) {
    t.throws(() => planCores(asked, cores), { code: "INVALID_ARGUMENT", message });
  }
  t.doesNotThrow(() => planCores({ server: "0-1,3", generator: "3" }, cores));
  t.doesNotThrow(() => planCores({ server: "99" }, []), "where the system does not tell");
  t.same(planCores(false, cores), {});
  t.end();
});
