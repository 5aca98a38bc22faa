/** Answers by question, as long as their TTL says; bounded in number and in octets, the longest unused go first. The clock is an argument. */
import type { Analysis } from './answer.ts';

export type CachedAnswer = { readonly analysis: Analysis; /** Milliseconds. */ readonly storedAt: number; readonly expires: number };

const MOST_ANSWERS = 8192;
const MOST_OCTETS = 8 * 1024 * 1024;

export class AnswerCache {
  readonly #answers = new Map<string, CachedAnswer>();
  #octets = 0;

  get(key: string, now: number): CachedAnswer | null {
    const found = this.#answers.get(key);
    if (found === undefined) return null;
    this.#answers.delete(key);
    if (found.expires <= now) {
      this.#octets -= found.analysis.message.bytes.length;
      return null;
    }
    this.#answers.set(key, found);
    return found;
  }

  /** `ttl` in seconds; 0 is not kept. */
  put(key: string, analysis: Analysis, ttl: number, now: number): CachedAnswer {
    const answer = { analysis, storedAt: now, expires: now + ttl * 1000 };
    this.delete(key);
    if (ttl <= 0) return answer;
    this.#answers.set(key, answer);
    this.#octets += analysis.message.bytes.length;
    for (const oldest of this.#answers.keys()) {
      if (this.#answers.size <= MOST_ANSWERS && this.#octets <= MOST_OCTETS) break;
      this.delete(oldest);
    }
    return answer;
  }

  delete(key: string): void {
    const found = this.#answers.get(key);
    if (found === undefined) return;
    this.#answers.delete(key);
    this.#octets -= found.analysis.message.bytes.length;
  }

  clear(): void {
    this.#answers.clear();
    this.#octets = 0;
  }

  get size(): number {
    return this.#answers.size;
  }
}
