// The result as tables for people.

const INTEGER = new Intl.NumberFormat("en-US", { maximumFractionDigits: 0 });
const PRECISE = new Intl.NumberFormat("en-US", { minimumFractionDigits: 1, maximumFractionDigits: 1 });

// Under a closed loop a server that gets less of its core than this shared it with somebody.
const BUSY_CPU_FRACTION = 0.9;

export function renderReport({ date, machine, options, figures, targets, commands }) {
  const sections = [
    renderMachine(date, machine, options),
    renderFigures(figures),
    renderTargets(targets),
    renderErrors(figures),
    renderCommands(figures, commands),
  ];
  return `${sections.filter((section) => section !== "").join("\n\n")}\n`;
}

function renderMachine(date, machine, options) {
  return [
    `${date}, commit ${machine.commit}`,
    `${machine.cpu}, ${machine.cores} cores, ${machine.kernel}, load ${PRECISE.format(machine.loadAverage)} at the start`,
    `Node ${machine.node}, ONNX Runtime ${machine.onnxruntime}, uWebSockets ${machine.uWebSockets}, Fastify ${machine.fastify}, grpc-js ${machine.grpcJs}`,
    `servers and bare loop on core ${options.serverCore}, generator on core ${options.clientCore}; medians of ` +
      `${options.repetitions} interleaved repetitions of ${options.seconds} s after ${options.warmup} s of warm-up`,
  ].join("\n");
}

function renderFigures(figures) {
  const rows = figures.map((figure) => [figure.id, ...figureCells(figure)]);
  const header = ["subject", "median", "min", "max", "unit", "p50 us", "server CPU", "generator busy", ""];
  return table(header, rows, [1, 2, 3, 5, 6, 7]);
}

function figureCells({ unit, value, latencyP50Us, serverCpuFraction, clientBusyFraction, saturated, error }) {
  if (error !== undefined) return ["FAILED", "", "", unit, "", "", "", "see below"];
  const format = (number) => (unit === "us" ? PRECISE : INTEGER).format(number);
  return [
    format(value.median),
    format(value.min),
    format(value.max),
    unit === "us" ? "us, p50" : unit,
    PRECISE.format(latencyP50Us.median),
    cpu(serverCpuFraction),
    cpu(clientBusyFraction),
    remark({ unit, serverCpuFraction, saturated }),
  ];
}

/** What makes a figure less than it seems. Latencies leave both sides idle, by design. */
function remark({ unit, serverCpuFraction, saturated }) {
  if (saturated) return "generator saturated: a lower bound";
  if (unit !== "us" && serverCpuFraction < BUSY_CPU_FRACTION) return "core not all its own: a lower bound";
  return "";
}

function cpu(fraction) {
  return fraction === undefined ? "" : `${INTEGER.format(100 * fraction)} %`;
}

function renderTargets(targets) {
  const rows = targets.map(({ title, goal, value, met }) => [title, goal, value ?? "not measured", verdict(met)]);
  return table(["target", "goal", "this run", ""], rows, [1, 2]);
}

function verdict(met) {
  if (met === undefined) return "";
  return met ? "pass" : "MISS";
}

function renderErrors(figures) {
  return figures
    .filter(({ error }) => error !== undefined)
    .map(({ id, error }) => `${id} failed: ${error}`)
    .join("\n");
}

function renderCommands(figures, commands) {
  const lines = figures.flatMap(({ id, title }) => [
    `  ${id}: ${title}`,
    ...commands[id].map((command) => `    ${command}`),
  ]);
  return `Commands:\n${lines.join("\n")}`;
}

/**
 * @param {string[]} header
 * @param {string[][]} rows
 * @param {number[]} right columns that are aligned to the right
 */
function table(header, rows, right) {
  const widths = header.map((name, column) => Math.max(name.length, ...rows.map((row) => row[column].length)));
  const line = (cells) =>
    cells
      .map((cell, column) => (right.includes(column) ? cell.padStart(widths[column]) : cell.padEnd(widths[column])))
      .join("  ")
      .trimEnd();
  return [line(header), line(widths.map((width) => "-".repeat(width))), ...rows.map(line)].join("\n");
}
