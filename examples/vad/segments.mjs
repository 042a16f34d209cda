/**
 * Speech segments from a sequence of probabilities, by the rules of Silero's `get_speech_timestamps`: hysteresis between
 * two thresholds, short gaps bridged, short bursts dropped, and a little padding.
 */

/**
 * @typedef {object} SegmentOptions
 * @property {number} [threshold] Speech begins at this probability. Default 0.5.
 * @property {number} [endThreshold] Speech ends below this one. Default threshold - 0.15, at least 0.01.
 * @property {number} [minSpeechMs] Shorter segments are dropped. Default 250.
 * @property {number} [minSilenceMs] Shorter gaps do not end a segment. Default 100.
 * @property {number} [padMs] Added at both ends, without overlaps. Default 30.
 *
 * @typedef {{ start: number, end: number }} Segment In seconds.
 */

/**
 * @param {Iterable<number>} probabilities One per step.
 * @param {number} stepMs Milliseconds of audio per step.
 * @param {SegmentOptions} [options]
 * @returns {Segment[]}
 */
export function speechSegments(probabilities, stepMs, options = {}) {
  const { threshold = 0.5, minSpeechMs = 250, minSilenceMs = 100, padMs = 30 } = options;
  const endThreshold = options.endThreshold ?? Math.max(threshold - 0.15, 0.01);
  const found = [];
  let start;
  let silenceSince;
  let now = 0;
  const finish = (end) => {
    if (end - start > minSpeechMs) found.push({ start, end });
    start = silenceSince = undefined;
  };
  for (const probability of probabilities) {
    if (probability >= threshold) {
      start ??= now;
      silenceSince = undefined;
    } else if (probability < endThreshold && start !== undefined) {
      silenceSince ??= now;
      if (now - silenceSince >= minSilenceMs) finish(silenceSince);
    }
    now += stepMs;
  }
  if (start !== undefined) finish(now);
  return pad(found, padMs, now);
}

/** Where two segments are closer than both paddings, they share the gap. */
function pad(segments, padMs, totalMs) {
  return segments.map(({ start, end }, index) => {
    const previous = segments[index - 1];
    const next = segments[index + 1];
    const before = previous === undefined ? start : (start - previous.end) / 2;
    const after = next === undefined ? totalMs - end : (next.start - end) / 2;
    return { start: (start - Math.min(padMs, before)) / 1000, end: (end + Math.min(padMs, after)) / 1000 };
  });
}
