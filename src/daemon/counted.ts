/** What the kernel has counted. */
import { HostError } from '../host/host-error.ts';
import type { Nft } from '../host/nft.ts';
import { type Counter, type Element, elementId, type ObservedElement } from '../ruleset/element.ts';
import { ListingError, readElements, readElementsOf } from '../ruleset/listing.ts';

const isPermission = (set: string) => /_(egress|ingress)/.test(set);

/** Packets and bytes of every principal's gate and refusals, by element id. Throws HostError. */
export async function gateCounters(nft: Nft, principals: readonly string[]): Promise<ReadonlyMap<string, Counter>> {
  const kinds = (['user', 'group'] as const).filter((kind) => principals.some((principal) => principal.startsWith(kind)));
  const listings = await Promise.all(kinds.flatMap((kind) => [nft.listSet('map', `${kind}_mode`), nft.listSet('set', `${kind}_refused`)]));
  const elements = listings.flatMap((listing) => (listing === null ? [] : readElements(listing)));
  return new Map(elements.flatMap((element) => (element.counter === null ? [] : [[elementId(element), element.counter] as const])));
}

/**
 * What principals may reach and who may reach them, with what each element has counted. Lists one after the other the sets they have
 * elements in. Throws HostError.
 */
export async function countedPermissions(nft: Nft, held: readonly { readonly principal: string; readonly elements: readonly Element[] }[]): Promise<readonly ObservedElement[]> {
  const sets = new Map<string, Set<number>>();
  for (const { principal, elements } of held) {
    for (const { set } of elements) {
      if (!isPermission(set)) continue;
      const ids = sets.get(set) ?? new Set();
      sets.set(set, ids.add(Number(principal.split(' ')[1])));
    }
  }
  const found: ObservedElement[] = [];
  for (const [set, ids] of sets) {
    const listing = (await nft.listSetText(set)) ?? '';
    try {
      found.push(...readElementsOf(listing, ids));
    } catch (error) {
      if (!(error instanceof ListingError)) throw error;
      throw new HostError('nft list', error.message, { cause: error });
    }
  }
  return found;
}
