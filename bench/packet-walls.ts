/** What others would write for users who may reach one server, as iptables or nft rules. Pure. */
import { permitted, server } from './packet-plan.ts';

/** For iptables-restore: a user after the other is asked for, whoever it is leaves for a chain of its own. */
export const iptablesText = (uids: readonly number[]): string =>
  [
    '*filter',
    ':OUTPUT ACCEPT',
    ...uids.map((uid) => `:u${uid} -`),
    ...uids.map((uid) => `-A OUTPUT -m owner --uid-owner ${uid} -j u${uid}`),
    ...uids.flatMap((uid) => [...permitted.map(([protocol, port]) => `-A u${uid} -d ${server.address} -p ${protocol} --dport ${port} -j ACCEPT`), `-A u${uid} -j REJECT`]),
    'COMMIT',
    '',
  ].join('\n');

const table = (chains: readonly (readonly [name: string, rules: readonly string[]])[]): string =>
  ['table inet wall {', ...chains.flatMap(([name, rules]) => [`chain ${name} {`, ...rules, '}']), '}', ''].join('\n');

const base = 'type filter hook output priority filter; policy accept;';

/** The same as nft rules; `established`: flows that have begun are not judged again, whatever changes. */
export const linearText = (uids: readonly number[], { established = false } = {}): string =>
  table([
    ...uids.map((uid) => [`u${uid}`, [...permitted.map(([protocol, port]) => `ip daddr ${server.address} ${protocol} dport ${port} accept`), 'reject']] as const),
    ['output', [base, ...(established ? ['ct state established accept'] : []), ...uids.map((uid) => `meta skuid ${uid} goto u${uid}`)]],
  ]);

/** The least: who began may go on, one user may begin, nobody else. */
export const establishedText = (uid: number): string =>
  table([['output', [base, 'ct state established accept', `meta skuid ${uid} ip daddr ${server.address} th dport { ${server.sink}, ${server.echo} } accept`, 'reject']]]);

/** By somebody who knows sets: outbound only, no DNS, no record of what is refused, no counters. */
export const setText = (uids: readonly number[]): string =>
  [
    'table inet wall {',
    'set governed { type uid; }',
    'set allowed { typeof meta skuid . ip daddr . meta l4proto . th dport; }',
    `chain output {\n${base}\nmeta skuid . ip daddr . meta l4proto . th dport @allowed accept\nmeta skuid @governed reject\n}`,
    '}',
    `add element inet wall governed { ${uids.join(', ')} }`,
    ...uids.map((uid) => `add element inet wall allowed { ${permitted.map(([protocol, port]) => `${uid} . ${server.address} . ${protocol} . ${port}`).join(', ')} }`),
    '',
  ].join('\n');
