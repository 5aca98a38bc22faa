/** One difference between two policies, in the policies' own terms, and how pieces of it are put together. Pure. */
import type { Family, Interval } from '../net/address.ts';
import type { PortInterval } from '../net/rectangle.ts';
import type { DomainPattern } from '../policy/policy.ts';
import type { Rule } from '../policy/rule.ts';
import type { Confinement } from './confinement.ts';
import { isAllPorts, PROTOCOL_CLASSES, type ProtocolClass } from './protocol.ts';

export type ChangeSubject =
  /** Whatever is at these addresses. `names`: those by which alone they are meant; empty: a network of a rule. */
  | { readonly kind: 'addresses'; readonly family: Family; readonly addresses: Interval; readonly names: readonly string[] }
  /** What a name, or a name that a wildcard covers, leads to. `except`: listed names below the wildcard for which it is not so. */
  | { readonly kind: 'name'; readonly domain: DomainPattern; readonly except: readonly DomainPattern[] }
  /** What listed names lead to, as far as it is at these addresses. */
  | { readonly kind: 'names at'; readonly family: Family; readonly addresses: Interval };

/**
 * `listed`: an entry allows it on one side only. `denied`: an entry denies it on one side only. `denied at networks`: so it is of a name that no entry
 * lists, wherever it leads into a network that is allowed.
 */
export type Reason = 'listed' | 'denied' | 'denied at networks';

/** `only`: this is about special-use addresses of names and nothing else. `too`: about those as well. */
export type PrivateUse = 'only' | 'too' | null;

export type PortSpan = PortInterval & { readonly protocol: ProtocolClass | 'any' };

export type Change = {
  readonly direction: 'egress' | 'ingress';
  readonly subject: ChangeSubject;
  /** By protocol, then ascending, disjoint. */
  readonly ports: readonly PortSpan[];
  readonly reason: Reason;
  readonly private: PrivateUse;
  /** The entry that makes the difference, of either side. */
  readonly rule: Rule;
};

/** What a policy says, as far as its mode lets it. */
export type Effective = Pick<Confinement, 'allow' | 'implicit' | 'deny' | 'inbound' | 'addresses'>;

/** One class of one change. */
export type Piece = Omit<Change, 'ports'> & { readonly protocol: ProtocolClass; readonly ports: PortInterval };

function subjectKey(subject: ChangeSubject): string {
  switch (subject.kind) {
    case 'addresses':
      return `${subject.family} ${subject.addresses.first}-${subject.addresses.last} ${subject.names.join()}`;
    case 'names at':
      return `at ${subject.family} ${subject.addresses.first}-${subject.addresses.last}`;
    case 'name':
      return [subject.domain, ...subject.except].map(({ name, wildcard }) => `${wildcard ? '*.' : ''}${name}`).join();
    default:
      return subject satisfies never;
  }
}

function spans(pieces: readonly Piece[]): readonly PortSpan[] {
  const every = PROTOCOL_CLASSES.every((wanted) => pieces.some(({ protocol, ports }) => protocol === wanted && isAllPorts(ports)));
  if (every) return [{ protocol: 'any', first: 0, last: 65535 }];
  return PROTOCOL_CLASSES.flatMap((wanted) =>
    pieces
      .filter(({ protocol }) => protocol === wanted)
      .map(({ ports: { first, last } }) => ({ protocol: wanted, first, last }))
      .sort((a, b) => a.first - b.first),
  );
}

/** Pieces that differ in protocol and ports alone are one change. */
export function together(pieces: readonly Piece[]): readonly Change[] {
  const ranks = new Map<Rule, number>();
  const groups = new Map<string, [Piece, ...Piece[]]>();
  for (const piece of pieces) {
    const rank = ranks.get(piece.rule) ?? ranks.size;
    ranks.set(piece.rule, rank);
    const key = `${rank} ${piece.reason} ${piece.private} ${subjectKey(piece.subject)}`;
    const group = groups.get(key);
    if (group === undefined) groups.set(key, [piece]);
    else group.push(piece);
  }
  return [...groups.values()].map((group) => {
    const [{ direction, subject, reason, private: use, rule }] = group;
    return { direction, subject, ports: spans(group), reason, private: use, rule };
  });
}
