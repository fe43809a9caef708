// Which blocks of the parsers an input reached, from V8's own block coverage: what makes an input worth keeping.
import { Session } from 'node:inspector';

export class Coverage {
  #session = new Session();
  #learned = new Set();
  #ours;

  /** `ours`: part of the URL of every script that counts. */
  constructor(ours) {
    this.#ours = ours;
    this.#session.connect();
    this.#post('Profiler.enable');
    this.#post('Profiler.startPreciseCoverage', { callCount: true, detailed: true });
  }

  get blocks() {
    return this.#learned.size;
  }

  /** Blocks that ran since the last question and that nobody learned before. */
  fresh() {
    const found = [];
    for (const { url, scriptId, functions } of this.#post('Profiler.takePreciseCoverage').result) {
      if (!url.includes(this.#ours)) continue;
      for (const { ranges } of functions) {
        for (const { startOffset, endOffset, count } of ranges) {
          const block = `${scriptId}:${startOffset}:${endOffset}`;
          if (count > 0 && !this.#learned.has(block)) found.push(block);
        }
      }
    }
    return found;
  }

  /** Whether anything ran since the last question that never had; from now on it is known. */
  learn() {
    const found = this.fresh();
    for (const block of found) this.#learned.add(block);
    return found.length > 0;
  }

  close() {
    this.#session.disconnect();
  }

  /** Inside one process the answer is there when `post` returns. */
  #post(method, parameters) {
    let answer;
    this.#session.post(method, parameters, (error, result) => {
      if (error !== null) throw new Error(`${method}: ${error.message}`);
      answer = result;
    });
    return answer;
  }
}
