/** What a diff says against what `verdict` does, and rewritings that change nothing. */
import * as fc from 'fast-check';
import test from 'ava';
import { addressInNetwork, formatAddress, type Network, networkAt } from '../../src/net/address.ts';
import { specialUse } from '../../src/net/special.ts';
import type { PortMatch } from '../../src/policy/policy.ts';
import type { Rule } from '../../src/policy/rule.ts';
import { matchesDomain } from '../../src/resolve/domain-pattern.ts';
import type { Confinement } from '../../src/ruleset/confinement.ts';
import { protocolClass } from '../../src/ruleset/protocol.ts';
import type { Change } from '../../src/ruleset/semantic-change.ts';
import { semanticDiff } from '../../src/ruleset/semantic-diff.ts';
import { type Packet, verdict } from '../../src/ruleset/verdict.ts';
import { type Dice, dice } from '../kernel/dice.ts';
import { drawPacket, drawPolicies } from '../kernel/draw.ts';

const seeds = fc.integer({ min: 0, max: 0x7fff_ffff });

/** One user policy. */
function draw(random: Dice): Confinement {
  const [first] = drawPolicies(random);
  if (first === undefined) throw new Error('drawPolicies draws at least one policy');
  return first;
}

/** Another version of a policy: entries gone, entries new, some denied, some names with other addresses. */
function edit(random: Dice, policy: Confinement): Confinement {
  const other = draw(random);
  const mix = (a: readonly Rule[], b: readonly Rule[]) => [...random.some(a, Math.max(0, a.length - 2), a.length), ...random.some(b, 0, 2)];
  return {
    ...policy,
    mode: random.chance(0.8) ? policy.mode : other.mode,
    allow: mix(policy.allow, other.allow),
    implicit: random.chance(0.7) ? policy.implicit : other.implicit,
    deny: mix(policy.deny, other.deny),
    inbound: mix(policy.inbound, other.inbound),
  };
}

/** As wildcards are drawn by nobody else: a name becomes one that covers it. */
function widen(random: Dice, policy: Confinement): Confinement {
  const wider = (rule: Rule): Rule => {
    if (rule.target.kind === 'network' || !random.chance(0.4)) return rule;
    return { ...rule, target: { kind: 'domain', domain: { name: rule.target.domain.name.replace(/^[^.]+\./, ''), wildcard: true } } };
  };
  return { ...policy, allow: policy.allow.map(wider), deny: policy.deny.map(wider) };
}

const listed = (policy: Confinement, packet: Packet) => {
  const { action, audited } = verdict([policy], packet);
  return action === 'accept' && !audited;
};

function namesOf(policies: readonly Confinement[], { remote }: Packet): string[] {
  return policies.flatMap(({ addresses }) => [...addresses].flatMap(([name, list]) => (list.some((one) => formatAddress(one) === formatAddress(remote)) ? [name] : [])));
}

/** Whether a change is about a packet. */
function isAbout({ direction, subject, ports }: Change, packet: Packet, names: readonly string[]): boolean {
  if ((direction === 'ingress') !== (packet.direction === 'reply')) return false;
  const wanted = protocolClass(packet.protocol, packet.remote.family);
  const port = direction === 'ingress' ? packet.localPort : packet.remotePort;
  const portless = wanted === 'icmp' || wanted === 'other';
  if (!ports.some(({ protocol, first, last }) => protocol === 'any' || (protocol === wanted && (portless || (first <= port && port <= last))))) return false;
  if (subject.kind === 'name') return names.some((name) => matchesDomain(subject.domain, name) && !subject.except.some((one) => matchesDomain(one, name)));
  const { family, value } = packet.remote;
  return subject.family === family && subject.addresses.first <= value && value <= subject.addresses.last && (subject.kind === 'addresses' || names.length > 0);
}

const rounds = (from: number, to: number, random: Dice, policies: readonly [Confinement, Confinement]) =>
  Array.from({ length: to - from }, (_, index): Packet => {
    const { packet } = drawPacket(random, [policies[index % 2 === 0 ? 0 : 1]], from + index);
    return { ...packet, uid: policies[0].ids[0] ?? null, gid: null, syn: true };
  });

test('verdict differs exactly where the diff says', (t) => {
  let [changed, told] = [0, 0];
  fc.assert(
    fc.property(seeds, (seed) => {
      const random = dice(seed);
      const before = widen(random, draw(random));
      const after = widen(random, random.chance(0.85) ? edit(random, before) : { ...draw(random), ids: before.ids, addresses: before.addresses });
      const { allows, refuses } = semanticDiff(before, after);
      for (const packet of rounds(0, 60, random, [before, after])) {
        const names = namesOf([before, after], packet);
        const [was, is] = [listed(before, packet), listed(after, packet)];
        const what = () => `seed ${seed}: ${formatAddress(packet.remote)} ${packet.protocol} ${packet.remotePort} ${packet.localPort} ${packet.direction} ${was} → ${is}`;
        const about = (changes: readonly Change[]) => changes.filter((change) => isAbout(change, packet, names));
        for (const [changes, mine, otherwise, gone] of [[about(allows), is && !was, after, before], [about(refuses), was && !is, before, after]] as const) {
          if (mine) changed += 1;
          if (mine && changes.length === 0) throw new Error(`nothing is said of it: ${what()}`);
          for (const { subject, reason } of changes) {
            told += 1;
            const exact = subject.kind === 'addresses' && (names.length === 0 || subject.names.length > 0);
            if (exact && !mine) throw new Error(`it is said, and not so: ${what()}`);
            // an address of the name may be denied or of special use on one side, and allowed by another entry on the other
            const [there, here] = [verdict([otherwise], packet), verdict([gone], packet)];
            if (!mine && subject.kind === 'name' && reason !== 'denied at networks' && there.rule === null && specialUse(packet.remote) === null && !(here.action === 'accept')) throw new Error(`no entry is the cause: ${what()}`);
          }
        }
      }
    }),
    { numRuns: 300, includeErrorInReport: true },
  );
  t.true(changed > 1000, `${changed} packets changed`);
  t.true(told > 1000, `${told} were told of`);
});

test('no two lines of networks say the same of a packet', (t) => {
  fc.assert(
    fc.property(seeds, (seed) => {
      const random = dice(seed);
      const before = draw(random);
      const after = edit(random, before);
      const { allows, refuses } = semanticDiff(before, after);
      for (const packet of rounds(0, 30, random, [before, after])) {
        // those of addresses that names lead to say what these do not know: that a denied name leads there
        const networks = [...allows, ...refuses].filter((change) => change.subject.kind === 'addresses' && change.subject.names.length === 0 && isAbout(change, packet, []));
        if (networks.length > 1) throw new Error(`seed ${seed}: ${networks.length} lines are about ${formatAddress(packet.remote)}`);
      }
    }),
    { numRuns: 150, includeErrorInReport: true },
  );
  t.pass();
});

function halves(network: Network): Network[] {
  const bits = network.family === 4 ? 32 : 128;
  if (network.prefix === bits) return [network];
  const low = networkAt({ family: network.family, value: network.first }, network.prefix + 1);
  return [low, networkAt({ family: network.family, value: low.last + 1n }, network.prefix + 1)];
}

function splitPorts(random: Dice, match: PortMatch): PortMatch[] {
  if (match.protocol === 'any' || match.protocol === 'icmp' || match.first === match.last) return [match];
  const middle = match.first + random.below(match.last - match.first);
  return [{ ...match, first: middle + 1 }, { ...match, last: middle }];
}

/** The same rules written otherwise. */
function rewrite(random: Dice, rules: readonly Rule[]): Rule[] {
  const again = rules.flatMap((rule): Rule[] => {
    const { target } = rule;
    const targets = target.kind === 'network' && random.chance(0.5) ? halves(target.network).map((network): Rule['target'] => ({ kind: 'network', network })) : [target];
    const ports = random.chance(0.5) ? rule.ports.flatMap((match) => splitPorts(random, match)) : rule.ports;
    const apart = random.chance(0.5) ? ports.map((match) => [match]) : [ports];
    return targets.flatMap((one) => apart.map((some): Rule => ({ ...rule, target: one, ports: some })));
  });
  const doubled = [...again, ...random.some(again, 0, 2)];
  return random.some(doubled, doubled.length, doubled.length);
}

test('the same policy written otherwise has no differences', (t) => {
  fc.assert(
    fc.property(seeds, (seed) => {
      const random = dice(seed);
      const before = widen(random, draw(random));
      const after = { ...before, allow: rewrite(random, before.allow), deny: rewrite(random, before.deny), inbound: rewrite(random, before.inbound) };
      t.deepEqual(semanticDiff(before, after), { allows: [], refuses: [] });
    }),
    { numRuns: 300 },
  );
});

test('what is allowed one way is refused the other way', (t) => {
  fc.assert(
    fc.property(seeds, (seed) => {
      const random = dice(seed);
      const before = widen(random, draw(random));
      const after = edit(random, before);
      const [there, back] = [semanticDiff(before, after), semanticDiff(after, before)];
      t.deepEqual([there.allows, there.refuses], [back.refuses, back.allows]);
    }),
    { numRuns: 50 },
  );
});

test('ten thousand names and networks are compared in a moment', (t) => {
  const at = { file: '/etc/netwall.d/many.yaml', line: 1, column: 1 };
  const ports: readonly PortMatch[] = [{ protocol: 'tcp', first: 443, last: 443 }];
  const count = 10_000;
  const numbers = Array.from({ length: count }, (_, index) => index);
  const names = numbers.map((index): Rule => ({ target: { kind: 'domain', domain: { name: `n${index}.example.com`, wildcard: false } }, ports, private: false, at, text: `n${index}.example.com` }));
  const networks = numbers.map((index): Rule => ({ target: { kind: 'network', network: networkAt({ family: 4, value: 0x2d40_0000n + BigInt(index) * 16n }, 29) }, ports, private: false, at, text: `${index}` }));
  const base = { service: 'many', kind: 'user' as const, ids: [1001], mode: 'enforce' as const, dns: { mode: 'none' as const, port: null, at }, implicit: [], deny: [], inbound: [] };
  const addresses = new Map(numbers.map((index) => [`n${index}.example.com`, [{ family: 4 as const, value: 0x2d40_0000n + BigInt(index) * 16n + 9n }]]));
  const before: Confinement = { ...base, allow: [...names, ...networks], addresses };
  const after: Confinement = { ...before, allow: [...names.slice(5), ...networks.slice(5)] };
  const start = performance.now();
  const { allows, refuses } = semanticDiff(before, after);
  t.is(allows.length, 0);
  t.is(refuses.length, 10);
  t.true(refuses.every(({ subject }) => subject.kind === 'name' || (subject.kind === 'addresses' && networks.some(({ target }) => target.kind === 'network' && addressInNetwork({ family: 4, value: subject.addresses.first }, target.network)))));
  t.true(performance.now() - start < 30_000);
});
