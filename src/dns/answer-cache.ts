/** Answers by question, as long as their TTL says; bounded in number and in octets. The clock is an argument (milliseconds). */
import { RecentMap } from '../resolve/recent-map.ts';

export type CachedAnswer = {
  readonly bytes: Buffer;
  readonly storedAt: number;
  readonly expires: number;
};

const MOST_ANSWERS = 8192;
/** Larger answers are rare, and not worth the room of many others. */
const MOST_OCTETS = 4096;
/** What is worked out for an answer takes ten times its octets, once for each service: of those with many records fewer are kept. */
const LARGE_OCTETS = 1024;
const MOST_LARGE = 256;

export class AnswerCache<T extends CachedAnswer> {
  readonly #answers = new RecentMap<T>(MOST_ANSWERS);
  readonly #large = new RecentMap<T>(MOST_LARGE);

  get(key: string, now: number): T | null {
    const found = this.#answers.get(key) ?? this.#large.get(key);
    if (found === undefined) return null;
    if (found.expires > now) return found;
    this.#delete(key);
    return null;
  }

  put(key: string, answer: T): void {
    if (answer.expires <= answer.storedAt || answer.bytes.length > MOST_OCTETS) return;
    this.#delete(key);
    (answer.bytes.length > LARGE_OCTETS ? this.#large : this.#answers).set(key, answer);
  }

  #delete(key: string): void {
    this.#answers.delete(key);
    this.#large.delete(key);
  }

  clear(): void {
    this.#answers.clear();
    this.#large.clear();
  }

  get size(): number {
    return this.#answers.size + this.#large.size;
  }
}
