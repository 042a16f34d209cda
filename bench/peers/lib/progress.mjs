// What is being done and how long it still takes: one line that is overwritten on a terminal, a line now and then elsewhere.

import { progressLine } from "../../lib/progress.mjs";

// Before a server has been measured once: its start, its check and its end.
const GUESSED_SECONDS_AROUND = 6;

export class Progress {
  #stream;
  #line;

  /** @param {NodeJS.WriteStream} stream */
  constructor(stream) {
    this.#stream = stream;
    this.#line = progressLine(stream);
  }

  /** @param {string} text */
  show(text) {
    if (this.#stream.isTTY) this.#line.show(text);
    else this.tell(text);
  }

  /** For what must stay on the screen. */
  tell(text) {
    this.#line.clear();
    this.#stream.write(`${text}\n`);
  }

  clear() {
    this.#line.clear();
  }

  /**
   * Follows the measuring. What a server took in the repetition before is what it is expected to take in the next ones.
   * @param {import("./peers.mjs").Peer[]} peers
   * @param {import("./options.mjs").Options} options
   */
  plan(peers, { repetitions, seconds, warmup }) {
    const taken = new Map(peers.map((peer) => [peer, GUESSED_SECONDS_AROUND + peer.forms.length * (seconds + warmup)]));
    let current;
    return (repetition, peer) => {
      if (current !== undefined) taken.set(current.peer, (performance.now() - current.began) / 1000);
      current = { peer, began: performance.now() };
      const inThisRepetition = peers.slice(peers.indexOf(peer));
      const left = sum(inThisRepetition, taken) + (repetitions - repetition) * sum(peers, taken);
      this.show(`repetition ${repetition} of ${repetitions}: ${peer.id}, ${duration(left)} left`);
    };
  }
}

function sum(peers, taken) {
  return peers.reduce((seconds, peer) => seconds + taken.get(peer), 0);
}

function duration(seconds) {
  return seconds < 90 ? `${Math.ceil(seconds)} s` : `${Math.round(seconds / 60)} min`;
}
