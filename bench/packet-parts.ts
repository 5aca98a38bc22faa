/** The packet path of netwalld in steps, each a table that has one part more than the one before: what each part costs. Pure. */
import { medianOf } from './comparison-table.ts';
import { type Figure, single } from './figures.ts';
import type { Series } from './outcome.ts';
import { server } from './packet-plan.ts';

const MARK = '0x20000000';
const hook = (name: string, type: 'filter' | 'nat', priority: number, ...rules: readonly string[]) => `chain ${name} {\ntype ${type} hook output priority ${priority}; policy accept;\n${rules.join('\n')}\n}`;

type Step = { readonly name: string; readonly before?: (uid: number) => readonly string[]; readonly rule?: string };

/** `before`: what stands in the table before the chain `output`; `rule`: what is added to that chain. */
const steps: readonly Step[] = [
  { name: 'connection tracking, and the direction of the flow', rule: 'ct direction reply accept' },
  { name: 'whose it is, and in which mode', before: (uid) => ['chain judge {\n}', `map modes {\ntypeof meta skuid : verdict\ncounter\nelements = { ${uid} : jump judge }\n}`], rule: 'meta skuid vmap @modes' },
  { name: 'the bit of the mark: set, asked by the guard, cleared', before: () => [hook('guard', 'filter', 5, `meta mark & ${MARK} != 0 accept`), hook('unmark', 'filter', 10, 'meta mark set meta mark & 0xdfffffff')], rule: `meta mark set meta mark | ${MARK}` },
  {
    name: 'which permission',
    before: (uid) => [`set permissions {\ntypeof meta skuid . ip daddr . meta l4proto . th dport\nflags timeout\ncounter\nelements = { ${uid} . ${server.address} . udp . ${server.sink} }\n}`],
    rule: 'meta skuid . ip daddr . meta l4proto . th dport @permissions accept',
  },
  { name: 'address translation, for DNS', before: () => [hook('dns', 'nat', -100, 'th dport != 53 accept')] },
  { name: 'zones of connection tracking, for DNS', before: () => [hook('dns_zone', 'filter', -300, 'th dport != 53 accept')] },
];

export const stepNames: readonly string[] = steps.map(({ name }) => name);

/** With the parts up to that name. */
export const stepText = (name: string, uid: number): string => {
  const some = steps.slice(0, stepNames.indexOf(name) + 1);
  const rules = some.flatMap(({ rule }) => (rule === undefined ? [] : [rule]));
  return ['table inet parts {', ...some.flatMap(({ before }) => before?.(uid) ?? []), hook('output', 'filter', 0, ...rules), '}', ''].join('\n');
};

/** Nanoseconds of each part, from datagrams per second: of nothing, of each step, of the whole. */
export const partsOf = (nothing: Series, parts: readonly Series[], whole: Series): Figure[] => {
  const all = [nothing, ...parts, whole].map((series) => ({ name: series.name, nanoseconds: 1e9 / medianOf(series) }));
  const costs = all.map(({ name, nanoseconds }, index) => single(`of a datagram: ${name}`, nanoseconds - (all[index - 1]?.nanoseconds ?? 0), 'ns'));
  return [...costs.slice(0, -1), single(`of a datagram: the rest of ${whole.name}`, costs.at(-1)?.value ?? Number.NaN, 'ns')];
};
