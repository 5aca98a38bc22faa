/**
 * Random policies and packets: what `verdict()` says is what the real kernel does with the ruleset that `compile` makes.
 * The two share no code beyond the rules themselves, so that a mistake would have to be made twice.
 *
 * DIFFERENTIAL_SEED=N begins at another round, DIFFERENTIAL_ROUNDS=N runs more or fewer of them; each round has a seed of its
 * own, and a failure says which.
 */
import test from 'ava';
import { formatAddress } from '../../src/net/address.ts';
import { explain, type Question } from '../../src/control/explain.ts';
import { compileService, type PrincipalRuleset } from '../../src/ruleset/compile.ts';
import type { Confinement } from '../../src/ruleset/confinement.ts';
import { type Element, elementId, type ObservedElement } from '../../src/ruleset/element.ts';
import { elementMet } from '../../src/ruleset/element-match.ts';
import { readElements } from '../../src/ruleset/listing.ts';
import { protocolClass, protocolName } from '../../src/ruleset/protocol.ts';
import { POLICY_SETS } from '../../src/ruleset/skeleton.ts';
import { transactionText } from '../../src/ruleset/transaction.ts';
import { type Packet, type Verdict, verdict } from '../../src/ruleset/verdict.ts';
import { dice } from './dice.ts';
import { type Drawn, drawPacket, drawPolicies } from './draw.ts';
import { batchOf } from './flow.ts';
import { type Fate, type Rig, startRig } from './rig.ts';

const FIRST_SEED = Number(process.env['DIFFERENTIAL_SEED'] ?? 20_000);
const ROUNDS = Number(process.env['DIFFERENTIAL_ROUNDS'] ?? 100);
const PACKETS = 250;
const EPERM = 1;

/** One packet with all that was said of it. */
type Case = {
  readonly drawn: Drawn;
  /** As conntrack saw it: `none` is a packet that belongs to no flow. */
  readonly tracked: 'original' | 'reply' | 'none';
  readonly packet: Packet;
  readonly said: Verdict;
  /** Outbound by its policy, inbound to conntrack, which cannot know who began: to a single listed address and port it passes. */
  readonly underWay: boolean;
};

const principal = ({ kind }: Confinement, { uid, gid }: Packet) => `${kind === 'user' ? uid : gid}`;

const elementsFor = (rulesets: readonly PrincipalRuleset[], confinement: Confinement, packet: Packet): readonly Element[] =>
  rulesets.find((ruleset) => ruleset.principal === `${confinement.kind} ${principal(confinement, packet)}`)?.elements ?? [];

const isListed = ({ action, audited, confinement }: Verdict) => confinement !== null && action === 'accept' && !audited;

/** What has no handshake may be a flow of the service's own that conntrack met in the middle; null: this one is none. */
function saidUnderWay(policies: readonly Confinement[], packet: Packet, rulesets: readonly PrincipalRuleset[]): Verdict | null {
  if (packet.direction !== 'reply' || packet.protocol === 6 || isListed(verdict(policies, packet))) return null;
  const outbound = verdict(policies, { ...packet, direction: 'original' });
  const { confinement } = outbound;
  if (confinement === null || !isListed(outbound)) return null;
  const { remote, protocol, remotePort } = packet;
  const met = elementMet(elementsFor(rulesets, confinement, packet), { remote, protocol, port: remotePort, inbound: false });
  return met?.set === `${confinement.kind}_egress${remote.family}` ? { ...outbound, inbound: true } : null;
}

function describeCase({ drawn, tracked, packet, said }: Case): string {
  const { begun, flags, firstFlags, icmpType } = drawn;
  const { uid, gid, remote, protocol, remotePort, localPort } = packet;
  const policy = said.confinement === null ? 'nobody' : `${said.confinement.service} (${said.confinement.mode})`;
  return [
    `packet ${drawn.index}: uid ${uid} gid ${gid} to ${formatAddress(remote)} protocol ${protocol} port ${remotePort} from port ${localPort},`,
    `begun ${begun}, flags ${flags} after ${firstFlags}, ICMP type ${icmpType}, conntrack: ${tracked};`,
    `verdict: ${said.action} by ${policy}, ${said.rule?.text ?? 'no rule'}`,
  ].join(' ');
}

/** What the kernel did otherwise than `verdict()` said, or than the rig meant. */
function disagreements(cases: readonly Case[], fate: Fate): string[] {
  return cases.flatMap((one) => {
    const { drawn, tracked, said } = one;
    const { index, begun } = drawn;
    const wrong: string[] = [];
    const accepted = said.action === 'accept';
    if (fate.left.has(index) !== accepted) wrong.push(`the kernel ${accepted ? 'refused' : 'accepted'} it`);
    if (begun !== 'by-echo') {
      if (!fate.reached.has(index)) wrong.push('the rig did not send it');
      if ((fate.errno.get(index) ?? 0) !== (accepted ? 0 : EPERM)) wrong.push(`its sender was told errno ${fate.errno.get(index) ?? 0}`);
      if ((tracked === 'reply') !== (begun === 'by-peer')) wrong.push('conntrack sees another flow than was meant');
    }
    return wrong.map((what) => `${what}: ${describeCase(one)}`);
  });
}

const plain = (elements: Iterable<Element>) =>
  [...elements].map(({ set, key, mode, timeout, comment }) => JSON.stringify([set, key, mode, timeout, comment])).toSorted();

/** The kernel, read back, holds exactly what was compiled. */
function readBack(desired: readonly Element[], observed: readonly ObservedElement[]): string[] {
  const policy = new Set(POLICY_SETS);
  const [wanted, found] = [plain(desired), plain(observed.filter(({ set }) => policy.has(set)))];
  const [inWanted, inFound] = [new Set(wanted), new Set(found)];
  return [
    ...wanted.filter((element) => !inFound.has(element)).map((element) => `not in the kernel: ${element}`),
    ...found.filter((element) => !inWanted.has(element)).map((element) => `foreign in the kernel: ${element}`),
  ];
}

/** The element in which a refused or audited packet is recorded, by `elementId`. */
function recordOf({ tracked, packet, said }: Case, confinement: Confinement): string {
  const { remote, protocol, localPort, remotePort } = packet;
  const key = [principal(confinement, packet), formatAddress(remote), protocolName(protocol)];
  const set = (what: string) => `${said.confinement?.kind}_${what}${remote.family}`;
  const wanted = protocolClass(protocol, remote.family);
  if (wanted !== 'tcp' && wanted !== 'udp') return elementId({ set: set('denied_proto'), key: key.join(' . ') });
  return tracked === 'reply'
    ? elementId({ set: set('denied_ingress'), key: [...key, localPort].join(' . ') })
    : elementId({ set: set('denied'), key: [...key, remotePort].join(' . ') });
}

/** What gates, refusals and records must have counted. */
function expectedCounts(cases: readonly Case[]): Map<string, number> {
  const counts = new Map<string, number>();
  const count = (id: string) => counts.set(id, (counts.get(id) ?? 0) + 1);
  for (const one of cases) {
    const { confinement, action, audited } = one.said;
    if (confinement === null) continue;
    const key = principal(confinement, one.packet);
    count(elementId({ set: `${confinement.kind}_mode`, key }));
    if (action === 'accept' && !audited) continue;
    count(elementId({ set: `${confinement.kind}_refused`, key }));
    count(recordOf(one, confinement));
  }
  return counts;
}

function miscounts(cases: readonly Case[], observed: readonly ObservedElement[]): string[] {
  const expected = expectedCounts(cases);
  const counted = observed.filter(({ set }) => /_(mode|refused|denied.*)$/.test(set));
  const found = new Map(counted.map((element) => [elementId(element), element.counter?.packets ?? 0]));
  return [...new Set([...expected.keys(), ...found.keys()])]
    .filter((id) => (expected.get(id) ?? 0) !== (found.get(id) ?? 0))
    .map((id) => `counted ${found.get(id) ?? 'nothing'} instead of ${expected.get(id) ?? 0}: ${id}`);
}

const NAMED: Readonly<Record<string, string>> = { '4 6': 'tcp', '6 6': 'tcp', '4 17': 'udp', '6 17': 'udp', '4 1': 'icmp', '6 58': 'icmp' };

/** A packet as a question to `explain`, which asks about the first one of a flow; null: it is none. */
function questionOf({ tracked, packet, said, underWay }: Case): Question | null {
  const { uid, remote, protocol, syn, remotePort, localPort } = packet;
  const name = NAMED[`${remote.family} ${protocol}`];
  if (uid === null || name === undefined || (protocol === 6 && !syn) || underWay) return null;
  const who = said.confinement?.kind === 'group' ? said.confinement.service : `${uid}`;
  const host = remote.family === 4 ? formatAddress(remote) : `[${formatAddress(remote)}]`;
  const inbound = tracked === 'reply';
  return { who, destination: `${host}${name === 'icmp' ? '' : `:${inbound ? localPort : remotePort}`}/${name}`, inbound, offline: false };
}

/** Where `explain` says otherwise than the kernel did, or points at an element that has nothing to do with it. */
function misexplained(cases: readonly Case[], fate: Fate, policies: readonly Confinement[], rulesets: readonly PrincipalRuleset[]): { readonly asked: number; readonly faults: string[] } {
  let asked = 0;
  const faults = cases.flatMap((one) => {
    const question = questionOf(one);
    if (question === null) return [];
    asked += 1;
    const answer = explain(question, policies, () => [], null);
    const said = answer.ok ? answer.report.verdict : answer.error;
    const left = fate.left.has(one.drawn.index);
    if ((said === 'refuse') === left || !answer.ok) return [`explain says "${said}" to ${question.destination}, the kernel ${left ? 'accepted' : 'refused'} it: ${describeCase(one)}`];
    const { confinement } = one.said;
    if (confinement === null || confinement.mode === 'block') return [];
    const { remote, protocol, remotePort, localPort } = one.packet;
    const met = elementMet(elementsFor(rulesets, confinement, one.packet), { remote, protocol, port: question.inbound ? localPort : remotePort, inbound: question.inbound });
    return (met !== null) === (said === 'allow') ? [] : [`explain says "${said}", and the element is ${met?.key ?? 'none'}: ${describeCase(one)}`];
  });
  return { asked, faults };
}

/** What a case is an example of. */
function examplesOf(one: Case, policies: readonly Confinement[]): string[] {
  const { drawn, tracked, packet, said } = one;
  const { confinement, rule, action, audited } = said;
  if (drawn.begun === 'by-echo') return ['answers of the kernel itself'];
  if (confinement === null) return ['governed by nobody'];
  const outcome = audited ? 'audited' : `${action}ed`.replace('ee', 'e');
  const family = `IPv${packet.remote.family}`;
  const found = [`${protocolClass(packet.protocol, packet.remote.family)}, ${family}, ${tracked === 'reply' ? 'inbound' : 'outbound'}: ${outcome}`];
  found.push(`${confinement.kind}, ${confinement.mode}: ${outcome}`);
  if (packet.protocol === 6) found.push(`TCP ${packet.syn ? 'SYN' : 'without SYN'}, ${tracked}: ${outcome}`);
  const allowed = action === 'accept' && !audited;
  if (allowed && rule !== null) {
    if (tracked !== 'reply' && confinement.inbound.includes(rule)) found.push('under way outbound by what may come in');
    if (tracked === 'reply' && !confinement.inbound.includes(rule)) found.push(`under way inbound by what may go out, ${packet.protocol === 6 ? 'with' : 'without'} a handshake`);
    if (rule.target.kind === 'domain') found.push(`by a name, ${family}`);
    if (rule.private && rule.target.kind === 'domain') found.push('by a name that may be private');
    if (confinement.implicit.includes(rule)) found.push('to a nameserver');
  }
  if (!allowed && rule !== null) found.push(`denied by a ${rule.target.kind}`);
  if (!allowed && confinement.allow.some(({ target }) => target.kind === 'domain' && confinement.addresses.get(target.domain.name)?.some(({ value }) => value === packet.remote.value))) {
    found.push('refused at an address of a name');
  }
  if (confinement.kind === 'user') {
    const group = verdict(policies, { ...packet, uid: null });
    if (group.confinement !== null && group.action !== action) found.push('user before group, which would have said otherwise');
  }
  return found;
}

async function runRound(rig: Rig, seed: number): Promise<{ faults: string[]; asked: number; cases: Case[]; policies: readonly Confinement[]; elements: number }> {
  const chance = dice(seed);
  const policies = drawPolicies(chance);
  const rulesets = policies.flatMap((policy) => compileService(policy, { addressTimeout: 600 }));
  const elements = rulesets.flatMap((ruleset) => [...ruleset.elements, ...ruleset.gate]);
  const drawn = Array.from({ length: PACKETS }, (_, index) => drawPacket(chance, policies, index + 1));
  await rig.reset();
  await rig.namespace.apply(transactionText({ name: 'netwall', mark: 0x2000_0000 }, [{ do: 'rebuild' }, { do: 'add', elements }]));
  const fate = await rig.run(batchOf(drawn));
  const observed = readElements(JSON.parse(await rig.namespace.nft('-n', '-j', 'list', 'table', 'inet', 'netwall')));
  const cases = drawn.map((one): Case => {
    const tracked = fate.reply.has(one.index) ? 'reply' : fate.original.has(one.index) ? 'original' : 'none';
    const packet: Packet = { ...one.packet, direction: tracked === 'reply' ? 'reply' : 'original' };
    const underWay = saidUnderWay(policies, packet, rulesets);
    return { drawn: one, tracked, packet, said: underWay ?? verdict(policies, packet), underWay: underWay !== null };
  });
  const explained = misexplained(cases, fate, policies, rulesets);
  const faults = [...disagreements(cases, fate), ...explained.faults, ...readBack(elements, observed), ...miscounts(cases, observed)];
  return { faults, asked: explained.asked, cases, policies, elements: elements.length };
}

/** Least share of all packets, in percent; a category that is not here may be as rare as it is. */
const LEAST: Readonly<Record<string, number>> = {
  'answers of the kernel itself': 1,
  'governed by nobody': 1,
  'by a name, IPv4': 0.5,
  'by a name, IPv6': 0.5,
  'refused at an address of a name': 1,
  'to a nameserver': 0.5,
  'under way inbound by what may go out, with a handshake': 0.2,
  'under way inbound by what may go out, without a handshake': 0.1,
  'under way outbound by what may come in': 0.2,
  'user before group, which would have said otherwise': 1,
  'user, enforce: refused': 5,
  'user, audit: audited': 2,
  'user, block: refused': 2,
  'group, enforce: refused': 1,
  'group, audit: audited': 0.5,
  'tcp, IPv4, inbound: accepted': 0.2,
  'tcp, IPv4, inbound: refused': 0.2,
  'tcp, IPv4, outbound: accepted': 0.2,
  'tcp, IPv4, outbound: refused': 0.2,
  'tcp, IPv6, inbound: accepted': 0.2,
  'tcp, IPv6, inbound: refused': 0.2,
  'tcp, IPv6, outbound: accepted': 0.2,
  'tcp, IPv6, outbound: refused': 0.2,
  'udp, IPv4, inbound: accepted': 0.2,
  'udp, IPv4, inbound: refused': 0.2,
  'udp, IPv4, outbound: accepted': 0.2,
  'udp, IPv4, outbound: refused': 0.2,
  'udp, IPv6, inbound: accepted': 0.2,
  'udp, IPv6, inbound: refused': 0.2,
  'udp, IPv6, outbound: accepted': 0.2,
  'udp, IPv6, outbound: refused': 0.2,
  'icmp, IPv4, inbound: accepted': 0.2,
  'icmp, IPv4, inbound: refused': 0.2,
  'icmp, IPv4, outbound: accepted': 0.2,
  'icmp, IPv4, outbound: refused': 0.2,
  'icmp, IPv6, inbound: accepted': 0.2,
  'icmp, IPv6, inbound: refused': 0.2,
  'icmp, IPv6, outbound: accepted': 0.2,
  'icmp, IPv6, outbound: refused': 0.2,
  'other, IPv4, inbound: accepted': 0.2,
  'other, IPv4, inbound: refused': 0.2,
  'other, IPv4, outbound: accepted': 0.2,
  'other, IPv4, outbound: refused': 0.2,
  'other, IPv6, inbound: accepted': 0.2,
  'other, IPv6, inbound: refused': 0.2,
  'other, IPv6, outbound: accepted': 0.2,
  'other, IPv6, outbound: refused': 0.2,
};

test('what the policies say of a packet is what the kernel does with it', async (t) => {
  t.timeout(30_000 + ROUNDS * 3000);
  const rig = await startRig();
  t.teardown(() => rig.namespace.remove());
  const examples = new Map<string, number>();
  let [pairs, asked, elements] = [0, 0, 0];
  for (let round = 0; round < ROUNDS; round += 1) {
    const seed = FIRST_SEED + round;
    const result = await runRound(rig, seed);
    if (result.faults.length > 0) {
      return t.fail([`${result.faults.length} faults; again: DIFFERENTIAL_SEED=${seed} DIFFERENTIAL_ROUNDS=1`, ...result.faults.slice(0, 10)].join('\n'));
    }
    pairs += result.cases.length;
    asked += result.asked;
    elements += result.elements;
    for (const one of result.cases) for (const example of examplesOf(one, result.policies)) examples.set(example, (examples.get(example) ?? 0) + 1);
  }
  t.log(`${pairs} packets under ${ROUNDS} sets of policies, ${elements} elements; ${asked} of them explained`);
  t.true(asked > pairs / 4);
  t.is(pairs, ROUNDS * PACKETS);
  for (const [example, percent] of ROUNDS < 50 ? [] : Object.entries(LEAST)) {
    const share = ((examples.get(example) ?? 0) / pairs) * 100;
    t.true(share >= percent, `${example}: only ${share.toFixed(2)} % of the packets`);
  }
  return undefined;
});
