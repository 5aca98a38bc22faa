/** Which entries of a policy list a name: in time that does not grow with the number of entries. */
import type { LinkedPolicy, Rule } from '../policy/rule.ts';

type Index = { readonly exact: ReadonlyMap<string, readonly Rule[]>; readonly below: ReadonlyMap<string, readonly Rule[]> };

const NONE: readonly Rule[] = [];

function indexOf(rules: readonly Rule[]): Index {
  const index = { exact: new Map<string, Rule[]>(), below: new Map<string, Rule[]>() };
  for (const rule of rules) {
    if (rule.target.kind !== 'domain') continue;
    const { name, wildcard } = rule.target.domain;
    const map = wildcard ? index.below : index.exact;
    const list = map.get(name);
    if (list === undefined) map.set(name, [rule]);
    else list.push(rule);
  }
  return index;
}

function find({ exact, below }: Index, host: string): readonly Rule[] {
  const found = exact.get(host) ?? NONE;
  if (below.size === 0) return found;
  const wild: Rule[] = [];
  for (let dot = host.indexOf('.'); dot >= 0; dot = host.indexOf('.', dot + 1)) wild.push(...(below.get(host.slice(dot + 1)) ?? NONE));
  return wild.length === 0 ? found : [...found, ...wild];
}

const everyPort = ({ ports }: Rule) => ports.some(({ protocol }) => protocol === 'any');

export type NameMatcher = {
  /** The allow entries that list a name (ASCII lower case, no final dot); empty: it is not listed. */
  readonly allowing: (host: string) => readonly Rule[];
  /** The deny entry that refuses a name altogether, at every port; null: there is none. */
  readonly denying: (host: string) => Rule | null;
  /** The deny entries that list a name, be it for some ports only: its addresses are not open at those, as soon as they are known. */
  readonly deniedBy: (host: string) => readonly Rule[];
  /** Listed by itself, be it to be denied, and not by a wildcard alone: it is resolved ahead, and the address book has its addresses. */
  readonly isExact: (host: string) => boolean;
};

type Entries = Pick<LinkedPolicy, 'allow' | 'deny'>;
const matchers = new WeakMap<Entries, NameMatcher>();

export function nameMatcher(linked: Entries): NameMatcher {
  const before = matchers.get(linked);
  if (before !== undefined) return before;
  const [allow, deny] = [indexOf(linked.allow), indexOf(linked.deny)];
  const matcher: NameMatcher = {
    allowing: (host) => find(allow, host),
    denying: (host) => find(deny, host).find(everyPort) ?? null,
    deniedBy: (host) => find(deny, host),
    isExact: (host) => allow.exact.has(host) || deny.exact.has(host),
  };
  matchers.set(linked, matcher);
  return matcher;
}
