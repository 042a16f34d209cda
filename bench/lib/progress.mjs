/**
 * One line on a terminal that is overwritten as the work goes on; nothing where nobody watches.
 * @param {NodeJS.WriteStream} stream
 */
export function progressLine(stream) {
  const erase = "\r\u001b[K";
  if (!stream.isTTY) return { show() {}, clear() {} };
  return {
    /** @param {string} text */
    show(text) {
      stream.write(erase + text.slice(0, (stream.columns ?? 80) - 1));
    },
    clear() {
      stream.write(erase);
    },
  };
}
