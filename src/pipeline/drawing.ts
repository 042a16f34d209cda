import { basename } from "node:path";
import { bug } from "../errors.js";
import { type AnyValueType, MODEL_TENSOR, type Types } from "../types/index.js";
import { stateOf } from "./description.js";
import type { PipelineGraph } from "./graph.js";
import { portKey } from "./graph.js";
import { namedPorts, type PortRef } from "./ports.js";

/** Dark text on light fills; the head of a box says what it is, in a colour and in words. */
const COLOURS = {
  text: "#1f2933",
  muted: "#52606d",
  line: "#7b8794",
  body: "#ffffff",
  function: "#d9eafd",
  onnx: "#dff3e4",
  end: "#e8eaed",
  state: "#fff1cc",
} as const;

/** Graphviz knows the widths of Helvetica's letters, and names a fallback in the SVG; a list of fonts it would guess. */
const FONT = "Helvetica";

/** One box: its ports left and right, with ids that are safe whatever the names hold. */
interface Box {
  readonly id: string;
  /** The ref of a cell; undefined for source and sink. */
  readonly ref?: string;
  readonly title: string;
  readonly subtitle: string;
  readonly colour: string;
  readonly inputs: readonly DrawnPort[];
  readonly outputs: readonly DrawnPort[];
  /** What the box remembers, if anything. */
  readonly state?: string | undefined;
}

interface DrawnPort {
  readonly id: string;
  readonly name: string;
  readonly type: AnyValueType;
}

/** A pipeline in Graphviz' DOT language, from left to right, with a virtual source and a virtual sink. */
export function pipelineToDot(pipeline: PipelineGraph): string {
  const places = new Map<string, string>();
  const cells = pipeline.order.map((ref, i) => cellBox(pipeline, ref, `cell${i}`, places));
  const ends = Object.entries(pipeline.inputs).map(([name, { type }], i) => ({ id: `out${i}`, name, type }));
  const sinks = Object.entries(pipeline.outputs).map(([name, { type }], i) => ({ id: `in${i}`, name, type }));
  const plain = { subtitle: "", colour: COLOURS.end };
  const boxes: Box[] = [
    { id: "source", title: "source", ...plain, inputs: [], outputs: ends },
    ...cells,
    { id: "sink", title: "sink", ...plain, inputs: sinks, outputs: [] },
  ];
  const at = (side: "in" | "out", ref: PortRef) => places.get(side + portKey(ref)) ?? "";
  const edges = [
    ...Object.values(pipeline.inputs).flatMap(({ targets }, i) =>
      targets.map((target) => `source:out${i}:e -> ${at("in", target)}:w`),
    ),
    ...pipeline.edges.map(({ from, to }) => `${at("out", from)}:e -> ${at("in", to)}:w`),
    ...Object.values(pipeline.outputs).map(({ source }, i) => `${at("out", source)}:e -> sink:in${i}:w`),
  ];
  return `digraph pipeline {
  graph [rankdir=LR, bgcolor="white", pad=0.3, nodesep=0.4, ranksep=0.9, fontname="${FONT}", fontsize=16,
    fontcolor="${COLOURS.text}", labelloc=t, labeljust=l, label=<<B>${escapeHtml(pipeline.name)}</B>>];
  node [shape=plain, fontname="${FONT}", fontsize=12, fontcolor="${COLOURS.text}"];
  edge [color="${COLOURS.line}", penwidth=1.4, arrowsize=0.7];
${groupedBoxes(pipeline, boxes).join("\n")}
${edges.map((edge) => `  ${edge};`).join("\n")}
}
`;
}

/** The boxes, those of a nested pipeline within a frame that names it. */
function groupedBoxes(pipeline: PipelineGraph, boxes: readonly Box[]): string[] {
  const nested = Object.keys(pipeline.nested);
  const drawn = (group: string | undefined, indent: string): string[] => {
    const ofGroup = (ref: string | undefined): boolean => innermost(ref, nested) === group;
    const inside = boxes
      .filter(({ ref }) => ofGroup(ref))
      .map((box) => `${indent}${box.id} [label=<${boxLabel(box)}>];`);
    for (const [index, ref] of nested.entries()) {
      if (innermost(ref, nested) !== group) continue;
      const name = pipeline.nested[ref]?.name ?? "";
      const label = `<B>${escapeHtml(ref)}</B> ${small(`pipeline · ${name}`)}`;
      inside.push(`${indent}subgraph cluster_${index} {`);
      inside.push(`${indent}  graph [style="rounded,dashed", color="${COLOURS.line}", fontsize=12, label=<${label}>];`);
      inside.push(...drawn(ref, `${indent}  `), `${indent}}`);
    }
    return inside;
  };
  return drawn(undefined, "  ");
}

/** The nested pipeline that a cell is in, the innermost one; undefined: it is the pipeline's own. */
function innermost(ref: string | undefined, nested: readonly string[]): string | undefined {
  const around = nested.filter((group) => ref?.startsWith(`${group}/`));
  return around.sort((a, b) => b.length - a.length)[0];
}

/** The SVG of a graph in DOT. Graphviz is loaded on first use: most servers never draw. */
export async function renderSvg(dot: string): Promise<string> {
  const { instance } = await import("@viz-js/viz");
  return (await instance()).renderString(dot, { format: "svg" });
}

/** @param places Where to note the place of each port in the drawing, for the edges. */
function cellBox(pipeline: PipelineGraph, ref: string, id: string, places: Map<string, string>): Box {
  const definition = pipeline.cells[ref];
  if (definition === undefined) throw bug(`The pipeline has no cell "${ref}"`);
  const named = namedPorts(definition);
  const draw = (side: "in" | "out", types: Types, connected: readonly PortRef[]) => {
    // Ports of the model that the cell does not name are known by their connections only.
    const names = connected.filter(({ cell }) => cell === ref).map(({ port }) => port);
    return [...new Set([...Object.keys(types), ...names])].map((name, i) => {
      places.set(side + portKey({ cell: ref, port: name }), `${id}:${side}${i}`);
      return { id: `${side}${i}`, name, type: types[name] ?? MODEL_TENSOR };
    });
  };
  const { edges, inputs, outputs } = pipeline;
  const targets = [...Object.values(inputs).flatMap((input) => input.targets), ...edges.map(({ to }) => to)];
  const sources = [...Object.values(outputs).map(({ source }) => source), ...edges.map(({ from }) => from)];
  const isModel = definition.kind === "onnx";
  return {
    id,
    ref,
    title: ref,
    subtitle: isModel ? `ONNX · ${basename(definition.model)}` : `function · ${definition.name}`,
    colour: isModel ? COLOURS.onnx : COLOURS.function,
    inputs: draw("in", named.inputs, targets),
    outputs: draw("out", named.outputs, sources),
    state: stateOf(definition).join(", ") || undefined,
  };
}

function boxLabel(box: Box): string {
  const rows = Array.from({ length: Math.max(box.inputs.length, box.outputs.length) }, (_, i) => {
    const cells = [portCell(box.inputs[i], "LEFT"), portCell(box.outputs[i], "RIGHT")];
    return `<TR>${cells.join("")}</TR>`;
  });
  const subtitle = box.subtitle === "" ? "" : `<BR/>${small(box.subtitle)}`;
  const state = box.state === undefined ? "" : `<HR/><TR><TD COLSPAN="2">${badge(`⟳ state: ${box.state}`)}</TD></TR>`;
  return [
    `<TABLE BORDER="1" CELLBORDER="0" CELLSPACING="0" CELLPADDING="6" STYLE="ROUNDED" COLOR="${COLOURS.line}" BGCOLOR="${box.colour}">`,
    `<TR><TD COLSPAN="2"><B>${escapeHtml(box.title)}</B>${subtitle}</TD></TR><HR/>`,
    ...rows,
    state,
    "</TABLE>",
  ].join("");
}

function portCell(port: DrawnPort | undefined, align: "LEFT" | "RIGHT"): string {
  if (port === undefined) return "<TD></TD>";
  const end = `<BR ALIGN="${align}"/>`;
  const text = `${escapeHtml(port.name)}${end}${small(port.type.label)}${end}`;
  return `<TD PORT="${port.id}" ALIGN="${align}" BALIGN="${align}">${text}</TD>`;
}

/** A table of its own: the fill of a plain cell would stick out of the round corners of the box. */
function badge(text: string): string {
  const table = `<TABLE BORDER="0" CELLBORDER="0" CELLPADDING="4" STYLE="ROUNDED" BGCOLOR="${COLOURS.state}">`;
  return `${table}<TR><TD>${small(text)}</TD></TR></TABLE>`;
}

function small(text: string): string {
  return `<FONT POINT-SIZE="10" COLOR="${COLOURS.muted}">${escapeHtml(text)}</FONT>`;
}

/**
 * Text for a label. XML's own characters become entities, and control characters, which XML forbids, a replacement.
 * Graphviz reads `\N` and its like even here, so a backslash is doubled.
 */
function escapeHtml(text: string): string {
  const printable = text.replace(/\p{Cc}|\p{Cs}|[\ufffe\uffff]/gu, "\ufffd").replaceAll("\\", "\\\\");
  return printable.replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`);
}
