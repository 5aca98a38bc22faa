/** `netwallctl resolve`: a name is looked up now, whatever is known of it. */
import type { LookUp, Resolver } from '../host/resolver.ts';
import { formatAddress } from '../net/address.ts';
import { nameMatcher } from '../resolve/name-matcher.ts';
import type { ServiceState } from './desired.ts';

export type LookUpNowOptions = {
  readonly services: () => readonly ServiceState[];
  readonly resolver: Pick<Resolver, 'again' | 'entry'>;
  readonly lookUp: LookUp;
  /** Why the last look-up of a listed name failed. */
  readonly errorOf: (name: string) => string | null;
  /** Answers that are kept for services are not given again. */
  readonly forget: () => void;
  /** Resolves when what is known is enforced. */
  readonly enforce: () => Promise<void>;
};

/** `services`: those that list the name. A name that none lists by itself is asked for, and changes nothing. */
export type LookedUp = { readonly name: string; readonly services: readonly string[]; readonly addresses: readonly string[]; readonly error: string | null };

export async function lookUpNow(name: string, options: LookUpNowOptions): Promise<LookedUp> {
  const services = options.services().filter(({ entry }) => entry.linked !== null && nameMatcher(entry.linked).allowing(name).length > 0).map(({ entry }) => entry.service);
  options.forget();
  if (await options.resolver.again(name)) {
    await options.enforce();
    return { name, services, addresses: options.resolver.entry(name).current.map(formatAddress), error: options.errorOf(name) };
  }
  const outcomes = await Promise.all([options.lookUp(name, 'A'), options.lookUp(name, 'AAAA')]);
  const addresses = outcomes.flatMap((outcome) => (outcome.kind === 'addresses' ? outcome.addresses : [])).map(formatAddress);
  const failures = outcomes.flatMap((outcome) => (outcome.kind === 'failure' ? [outcome.reason] : outcome.kind === 'nxdomain' ? ['NXDOMAIN'] : []));
  return { name, services, addresses, error: addresses.length > 0 ? null : (failures[0] ?? 'no addresses (NODATA)') };
}
