/** Whatever a file looks like: what was asked for is allowed afterwards and nothing else, and every other line is as it was. */
import test from 'ava';
import * as fc from 'fast-check';
import { type Address, maxValue, parseAddress } from '../../src/net/address.ts';
import { addPermission } from '../../src/policy/edit.ts';
import { parsePolicyFile } from '../../src/policy/parse.ts';
import type { Permission } from '../../src/policy/permission.ts';
import type { Destination, Policy, PortMatch } from '../../src/policy/policy.ts';
import { formatProblem, hasErrors } from '../../src/policy/problem.ts';
import { type Groups, linkPolicy } from '../../src/policy/rule.ts';
import { confine, type Confinement } from '../../src/ruleset/confinement.ts';
import { type Packet, verdict } from '../../src/ruleset/verdict.ts';
import { destinations, policy, ports, sources } from './arbitrary.ts';
import { formatted } from './formatted.ts';

const PATH = 'a.yaml';
const NO_GROUPS: Groups = new Map();
const at = { file: PATH, line: 0, column: 0 };

/** What a person would say of it. */
function withPermission(policy: Policy, { direction, destinations, ports, private: isPrivate }: Permission): Policy {
  const listed = destinations.map((value): Destination => ({ ...value, at }));
  if (direction === 'egress') return { ...policy, egress: { ...policy.egress, allow: [...policy.egress.allow, { to: listed, ports, private: isPrivate, at }] } };
  return { ...policy, ingress: { allow: [...policy.ingress.allow, { from: listed.length === 0 ? null : listed, ports, at }] } };
}

const everyDestination = ({ egress, ingress }: Policy) => [...egress.allow.flatMap(({ to }) => to), ...egress.deny.flatMap(({ to }) => to), ...ingress.allow.flatMap(({ from }) => from ?? [])];

function address(text: string): Address {
  const parsed = parseAddress(text);
  if (!parsed.ok) throw new Error(parsed.fault);
  return parsed.value;
}

/** Each name has an address of its own. */
function addressesOf(names: readonly string[]): ReadonlyMap<string, readonly Address[]> {
  return new Map([...new Set(names)].map((name, index) => [name, [address(`45.64.${index >> 8}.${index & 255}`)]]));
}

/** One packet at each edge of what any entry says, within it and without. */
function packets(policy: Policy, addresses: ReadonlyMap<string, readonly Address[]>): readonly Packet[] {
  const remotes = everyDestination(policy).flatMap((destination): readonly Address[] => {
    if (destination.kind === 'domain') return addresses.get(destination.domain.name) ?? [];
    if (destination.kind === 'group') return [];
    const { family, first, last } = destination.network;
    return [first - 1n, first, last, last + 1n].filter((value) => value >= 0n && value <= maxValue(family)).map((value) => ({ family, value }));
  });
  const matches: readonly PortMatch[] = [...policy.egress.allow, ...policy.egress.deny, ...policy.ingress.allow].flatMap(({ ports }) => ports);
  const numbers = [...new Set(matches.flatMap(({ first, last }) => [first - 1, first, last, last + 1]))].filter((port) => port >= 0 && port <= 65535);
  return remotes.flatMap((remote) =>
    ([6, 17, remote.family === 4 ? 1 : 58, 47] as const).flatMap((protocol) =>
      numbers.flatMap((port) =>
        (['original', 'reply'] as const).map((direction): Packet => ({ uid: 1, gid: null, remote, protocol, remotePort: port, localPort: port, direction, syn: true })),
      ),
    ),
  );
}

function confined(policy: Policy, addresses: ReadonlyMap<string, readonly Address[]>): readonly Confinement[] {
  const { linked } = linkPolicy({ ...policy, mode: 'enforce', kind: 'user' }, NO_GROUPS);
  return [confine(linked, { ids: [1], nameservers: [], addresses })];
}

/** How many lines of one text are not in the other, in their order. */
function lostLines(before: string, after: string): number {
  const [old, now] = [before.split('\n'), after.split('\n')];
  let row: readonly number[] = now.map(() => 0);
  for (const line of old) {
    const next: number[] = [];
    now.forEach((other, index) => next.push(line === other ? (row[index - 1] ?? 0) + 1 : Math.max(row[index] ?? 0, next[index - 1] ?? 0)));
    row = next;
  }
  return old.length - (row.at(-1) ?? 0);
}

test('an edit says exactly what was asked for, and leaves every other line as it was', (t) => {
  const outcomes = new Map<string, number>();
  const cases = policy.chain((policy) =>
    fc.record({
      policy: fc.constant({ ...policy, egress: { ...policy.egress, allow: policy.egress.allow.map((entry) => ({ ...entry, private: false })) } }),
      direction: fc.constantFrom('egress' as const, 'ingress' as const),
      to: fc.oneof(destinations(policy.dns === 'filtered'), fc.constantFrom(...policy.egress.allow.map(({ to }) => to), ...policy.egress.deny.map(({ to }) => to), [{ kind: 'group' as const, name: 'g', at }])),
      from: fc.oneof(sources, fc.constant([]), fc.constantFrom(...policy.ingress.allow.map(({ from }) => from ?? []), [])),
      ports: fc.oneof(ports, fc.constantFrom(...[...policy.egress.allow, ...policy.ingress.allow].map(({ ports }) => ports), [{ protocol: 'tcp' as const, first: 443, last: 443 }])),
      isPrivate: fc.boolean(),
    }),
  );
  fc.assert(
    fc.property(cases, fc.gen(), ({ policy, direction, to, from, ports, isPrivate }, gen) => {
      const text = formatted(policy, (bound) => gen(fc.nat, bound - 1));
      const before = parsePolicyFile(PATH, text);
      t.false(hasErrors(before.problems), `${text}\n${before.problems.map((problem) => formatProblem(problem, text)).join('\n')}`);
      const asked: Permission = { direction, destinations: direction === 'egress' ? to : from, ports, private: isPrivate && direction === 'egress' };
      const edited = addPermission({ path: PATH, text, service: policy.service, permission: asked, comment: null, groups: NO_GROUPS });
      outcomes.set(edited.kind, (outcomes.get(edited.kind) ?? 0) + 1);
      t.true(['edited', 'allowed', 'denied'].includes(edited.kind), `${text}\n${JSON.stringify(edited, (_key, value: unknown) => (typeof value === 'bigint' ? `${value}` : value))}`);
      const wanted = withPermission(policy, asked);
      const addresses = addressesOf(everyDestination(wanted).flatMap((one) => (one.kind === 'domain' ? [one.domain.name] : [])));
      const result = parsePolicyFile(PATH, edited.kind === 'edited' ? edited.text : text);
      t.false(hasErrors(result.problems));
      const [found] = result.policies;
      if (found === undefined) return t.fail('no policy');
      if (edited.kind === 'denied') return t.true(policy.egress.deny.length > 0);
      const [expected, actual] = [confined(wanted, addresses), confined(found, addresses)];
      const all = packets(wanted, addresses);
      const stride = Math.ceil(all.length / 400);
      const samples = all.filter((_packet, index) => index % stride === 0);
      for (const packet of samples) {
        const action = verdict(expected, packet).action;
        if (verdict(actual, packet).action !== action) return t.fail(`${action} expected: ${packet.protocol} ${packet.remote.value} ${packet.remotePort} ${packet.direction}\n${text}\n---\n${edited.kind === 'edited' ? edited.text : ''}`);
      }
      if (edited.kind === 'edited') t.true(lostLines(text, edited.text) <= 1, `${text}\n----\n${edited.text}`);
      return undefined;
    }),
    { numRuns: 400 },
  );
  for (const kind of ['edited', 'allowed', 'denied']) t.true((outcomes.get(kind) ?? 0) > 0, kind);
});
