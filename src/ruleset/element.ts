/** Elements of the kernel's sets: the one form in which the desired and the observed ruleset are compared. */
import type { KernelMode } from './skeleton.ts';

/** An element of one of the policy sets of the skeleton. */
export type Element = {
  /** Set or map of the skeleton, e.g. `user_egress4`. */
  readonly set: string;
  /** The key as nft writes it, numeric ids and ports, protocol names: `1001 . 140.82.112.6 . tcp . 443`. Unique in its set. */
  readonly key: string;
  /** For a verdict map: where the packets go. */
  readonly mode: KernelMode | null;
  /** For a map to ports: the port. */
  readonly port?: number;
  /** Seconds until the kernel drops the element by itself should nobody renew it; null: permanent. */
  readonly timeout: number | null;
  /** Milliseconds of the daemon's monotonic clock, when it is to be gone at the latest: the timeout it is given ends then. Omitted: no such time. */
  readonly until?: number;
  /** What a reader of `nft list` sees; no part of an element's identity. */
  readonly comment: string | null;
};

/** Packets and bytes an element has matched. */
export type Counter = { readonly packets: number; readonly bytes: number };

/** An element as the kernel holds it. */
export type ObservedElement = Element & {
  /** Seconds left of `timeout`; null: permanent. */
  readonly expires: number | null;
  readonly counter: Counter | null;
};

/** Identity of an element in its table. */
export const elementId = (element: Pick<Element, 'set' | 'key'>): string => `${element.set} ${element.key}`;

/**
 * An id as nft is to read it. It takes what it reads for a name first (getpwnam), and where NSS knows a user called "1001" the element would be that user's.
 * No name begins with a tab, which strtoul skips; nss-systemd refuses that at once, whereas for "+1001" it asks around.
 */
export const writtenId = (id: number | string): string => `"\t${id}"`;

/** A key with the id that it begins with. */
export const writtenKey = (key: string): string => key.replace(/^\d+/, writtenId);

/** The same, the id as a range of one. */
export const writtenRange = (key: string): string => key.replace(/^\d+/, (id) => `${writtenId(id)}-${writtenId(id)}`);

/** Same content, whatever the counters, the time left and the comment. */
export function sameElement(a: Element, b: Element): boolean {
  return a.set === b.set && a.key === b.key && a.mode === b.mode && a.port === b.port && (a.timeout === null) === (b.timeout === null) && a.until === b.until;
}

/** The timeout to give an element now, in seconds. */
export function timeoutAt({ timeout, until }: Element, now: number): number | null {
  return timeout === null || until === undefined ? timeout : Math.max(1, Math.min(timeout, Math.ceil((until - now) / 1000)));
}

/** Listings are in whole seconds, and a large transaction takes some. */
const LATE_SECONDS = 5;

/** As observed, with the end that is desired of it, where the kernel will keep that. */
export function withEnd(observed: ObservedElement, desired: Element | undefined, now: number): ObservedElement {
  if (desired?.until === undefined || observed.expires === null) return observed;
  return observed.expires <= Math.max(1, (desired.until - now) / 1000) + LATE_SECONDS ? { ...observed, until: desired.until } : observed;
}

/** nft allows 128 bytes of comment and has no escape for a quote. */
const MAX_COMMENT = 120;
export function elementComment(text: string): string {
  return text.replaceAll(/[^ !#-[\]-~]/g, '?').slice(0, MAX_COMMENT);
}
