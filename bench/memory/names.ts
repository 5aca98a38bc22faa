/** Made-up names that age as real ones do. Pure. */
import type { Zone } from '../../test/e2e/dns-server.ts';

/** Seconds; what short-lived and long-lived names of the real internet have. */
const TTLS = [30, 60, 60, 120, 300] as const;

export const nameOf = (index: number): string => `n${index}.example.com`;

const ttlOf = (index: number): number => TTLS[index % TTLS.length] ?? 60;

const addressesOf = (index: number, turn: number): string[] => {
  const at = (index * 3 + turn) % 65_536;
  return [`45.65.${at >> 8}.${at & 255}`, `2a0e:5000::${turn + 1}:${index.toString(16)}`];
};

/**
 * `fresh`: whole TTLs. `cached`: as a resolver answers that has had the names for some time, each with what is left of its TTL, so that from the
 * first minute on as many run out as at any later time. `moving`: other addresses at each answer.
 */
export const zoneOf = (count: number, state: 'cached' | 'fresh' | 'moving'): Zone =>
  Object.fromEntries(
    Array.from({ length: count }, (_, index) => {
      const whole = ttlOf(index);
      // steps of seven hundredths go through twenty shares of each TTL
      const ttl = state === 'cached' ? Math.max(1, Math.ceil((whole * ((index * 7) % 100)) / 100)) : whole;
      return [nameOf(index), state === 'moving' ? { rotate: [0, 1, 2].map((turn) => addressesOf(index, turn)), ttl } : { addresses: addressesOf(index, 0), ttl }];
    }),
  );
