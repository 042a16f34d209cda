/** The JSON of V2's statistics: integers of 64 bits as they are. */
import t from "tap";
import { modelStatistics, statisticsJson } from "../../src/serving/statistics.js";

t.test("no number is rounded, and each is an unsigned integer", async (t) => {
  const big = 2n ** 63n + 1n;
  const statistics = modelStatistics({
    name: "m",
    version: "3",
    requests: () => ({
      outcomes: { OK: big, INTERNAL: 2n, CANCELLED: 1n },
      durations: { counts: [big], nanos: big + 1n },
      failedNanos: 5n,
      inferences: big + 2n,
      lastMillis: 1_700_000_000_000,
      phases: { count: big, queueNanos: 1n, inputNanos: 2n, inferNanos: 3n, outputNanos: 4n },
      runs: [
        { rows: 1, runs: 7n, inputNanos: 1n, inferNanos: big, outputNanos: 0n },
        { rows: 8, runs: 2n, inputNanos: 1n, inferNanos: 9n, outputNanos: 0n },
      ],
    }),
  });
  const zero = '{"count":0,"ns":0}';
  t.equal(
    statisticsJson([statistics]),
    `{"model_stats":[{"name":"m","version":"3","last_inference":1700000000000,"inference_count":9223372036854775811,` +
      `"execution_count":9,"inference_stats":{"success":{"count":9223372036854775809,"ns":9223372036854775810},` +
      `"fail":{"count":3,"ns":5},"queue":{"count":9223372036854775809,"ns":1},` +
      `"compute_input":{"count":9223372036854775809,"ns":2},"compute_infer":{"count":9223372036854775809,"ns":3},` +
      `"compute_output":{"count":9223372036854775809,"ns":4},"cache_hit":${zero},"cache_miss":${zero}},"batch_stats":[` +
      `{"batch_size":1,"compute_input":{"count":7,"ns":1},"compute_infer":{"count":7,"ns":9223372036854775809},` +
      `"compute_output":{"count":7,"ns":0}},{"batch_size":8,"compute_input":{"count":2,"ns":1},` +
      `"compute_infer":{"count":2,"ns":9},"compute_output":{"count":2,"ns":0}}]}]}`,
  );
  t.equal(statisticsJson([]), '{"model_stats":[]}');
});
