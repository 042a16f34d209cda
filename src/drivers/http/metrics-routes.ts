/** What is told of the models in numbers: `GET /metrics` for Prometheus, and V2's statistics. */
import { encodeRestError, encodeV2Error } from "../../protocol/index.js";
import { METRIC_TYPES, metricFormat, metricText } from "../../serving/metric-text.js";
import { metricFamilies } from "../../serving/metrics.js";
import { modelStatistics, statisticsJson } from "../../serving/statistics.js";
import type { AnswerHeaders, Exchange } from "./exchange.js";
import type { HttpListener } from "./listener.js";
import { listenerFamilies } from "./listener-metrics.js";
import type { ModelEndpoint } from "./model-endpoint.js";
import type { Handler, Router } from "./router.js";

const AS_OF_NOW: AnswerHeaders = [["Cache-Control", "no-store"]];

export class MetricsRoutes {
  constructor(private readonly listener: HttpListener) {}

  register(router: Router): void {
    const { models } = this.listener;
    router.route("/metrics", encodeRestError, {
      GET: (exchange, request) => {
        const format = metricFormat(request.header("accept"));
        const families = [...metricFamilies(models.all()), ...listenerFamilies(this.listener.counters())];
        exchange.answer(200, METRIC_TYPES[format], metricText(families, format), [...AS_OF_NOW, ["Vary", "Accept"]]);
      },
    });
    const stats = (pattern: string, handler: Handler): void => router.route(pattern, encodeV2Error, { GET: handler });
    stats("/v2/models/stats", (exchange) => answerStatistics(exchange, models.all()));
    stats("/v2/models/:model/stats", (exchange, request) => {
      answerStatistics(exchange, models.versions(request.parameter(0)));
    });
    stats("/v2/models/:model/versions/:version/stats", (exchange, request) => {
      answerStatistics(exchange, [models.find(request.parameter(0), request.parameter(1))]);
    });
  }
}

function answerStatistics(exchange: Exchange, endpoints: readonly ModelEndpoint[]): void {
  exchange.json(200, statisticsJson(endpoints.map(({ inference }) => modelStatistics(inference))), AS_OF_NOW);
}
