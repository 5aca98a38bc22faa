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

export class AnswerCache<T extends CachedAnswer> {
  readonly #answers = new RecentMap<T>(MOST_ANSWERS);

  get(key: string, now: number): T | null {
    const found = this.#answers.get(key);
    if (found === undefined) return null;
    if (found.expires > now) return found;
    this.#answers.delete(key);
    return null;
  }

  put(key: string, answer: T): void {
    if (answer.expires > answer.storedAt && answer.bytes.length <= MOST_OCTETS) this.#answers.set(key, answer);
  }

  clear(): void {
    this.#answers.clear();
  }

  get size(): number {
    return this.#answers.size;
  }
}
