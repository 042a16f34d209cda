/** Colours, only where a person looks: a terminal that has not been told otherwise (https://no-color.org). */
function paint(stream: NodeJS.WriteStream, code: number, text: string): string {
  return stream.isTTY && !process.env.NO_COLOR ? `\u001b[${code}m${text}\u001b[0m` : text;
}

export const red = (text: string): string => paint(process.stderr, 31, text);
/** For what is on stdout; `red` is for stderr. */
export const redOut = (text: string): string => paint(process.stdout, 31, text);
export const bold = (text: string): string => paint(process.stdout, 1, text);
export const dim = (text: string): string => paint(process.stdout, 2, text);
export const green = (text: string): string => paint(process.stdout, 32, text);

/** Columns as wide as their widest cell. */
export function table(rows: readonly (readonly string[])[], indent = "  "): string {
  const widths: number[] = [];
  for (const row of rows) for (const [i, cell] of row.entries()) widths[i] = Math.max(widths[i] ?? 0, cell.length);
  const line = (row: readonly string[]): string =>
    row
      .map((cell, i) => cell.padEnd(widths[i] ?? 0))
      .join("  ")
      .trimEnd();
  return rows.map((row) => `${indent}${line(row)}\n`).join("");
}
