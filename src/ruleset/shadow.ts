/**
 * What other tables may do to packets that a policy allows, from `nft -j list ruleset`. Every base chain on a hook has its say, so no other
 * table can let pass what ours refuses; but each can drop, and one that runs earlier can turn a packet elsewhere. Pure.
 */
import { guardName } from './guard.ts';
import type { Table } from './skeleton.ts';

type Json = { readonly [key: string]: unknown };
const isObject = (value: unknown): value is Json => typeof value === 'object' && value !== null && !Array.isArray(value);

type Chain = { readonly key: string; readonly table: string; readonly name: string; readonly hook: string | null; readonly type: string; readonly priority: number; readonly policy: 'accept' | 'drop' };

const HOOKS = new Set(['output', 'postrouting', 'input', 'prerouting']);
const FAMILIES = new Set(['inet', 'ip', 'ip6']);
/** Where our own queries are turned: an earlier one gets them first. */
const DNS_PRIORITY = -100;

function targets(expression: unknown): readonly string[] {
  if (!isObject(expression)) return [];
  const direct = ['jump', 'goto'].flatMap((verdict) => {
    const target = expression[verdict];
    return isObject(target) && typeof target['target'] === 'string' ? [target['target']] : [];
  });
  return [...direct, ...Object.values(expression).flatMap((value) => (Array.isArray(value) ? value.flatMap(targets) : targets(value)))];
}

/** Whether an expression, or a verdict map within it, has one of these. */
const has = (expression: unknown, words: ReadonlySet<string>): boolean =>
  Array.isArray(expression) ? expression.some((part) => has(part, words)) : isObject(expression) && Object.entries(expression).some(([key, value]) => words.has(key) || has(value, words));

const DROPS = new Set(['drop', 'reject']);
const TURNS = new Set(['redirect', 'dnat']);
const UNTRACKS = new Set(['notrack']);

/** A sentence for each base chain and what it does. */
export function shadows(listing: unknown, own: Table): readonly string[] {
  const objects = isObject(listing) && Array.isArray(listing['nftables']) ? listing['nftables'].filter(isObject) : [];
  const ours = new Set([`inet ${own.name}`, `inet ${guardName(own)}`]);
  const chains: Chain[] = [];
  const rules = new Map<string, unknown[]>();
  for (const object of objects) {
    const { chain, rule } = object;
    if (isObject(chain)) {
      const { family, table, name, hook, type, prio, policy } = chain;
      if (!FAMILIES.has(String(family)) || ours.has(`${String(family)} ${String(table)}`)) continue;
      chains.push({
        key: `${String(family)} ${String(table)} ${String(name)}`,
        table: `${String(family)} ${String(table)}`,
        name: String(name),
        hook: typeof hook === 'string' ? hook : null,
        type: String(type),
        priority: Number(prio ?? 0),
        policy: policy === 'drop' ? 'drop' : 'accept',
      });
    } else if (isObject(rule)) {
      const key = `${String(rule['family'])} ${String(rule['table'])} ${String(rule['chain'])}`;
      rules.set(key, [...(rules.get(key) ?? []), rule['expr']]);
    }
  }
  return chains.flatMap((chain) => {
    if (chain.hook === null || !HOOKS.has(chain.hook)) return [];
    const { table, name, hook, type, priority, policy } = chain;
    // everything that can be come to from here
    const reached = new Set<string>();
    const open = [chain.key];
    for (let key = open.pop(); key !== undefined; key = open.pop()) {
      if (reached.has(key)) continue;
      reached.add(key);
      open.push(...(rules.get(key) ?? []).flatMap((expression) => (Array.isArray(expression) ? expression.flatMap(targets) : [])).map((target) => `${table} ${target}`));
    }
    const does = (words: ReadonlySet<string>) => [...reached].some((key) => (rules.get(key) ?? []).some((expression) => has(expression, words)));
    const place = `table ${table}, chain ${name} (hook ${hook})`;
    const findings: string[] = [];
    if (type === 'filter' && policy === 'drop') findings.push(`${place} drops by default: what a policy allows must be accepted there as well`);
    else if (type === 'filter' && (hook === 'output' || hook === 'postrouting') && does(DROPS)) findings.push(`${place} has rules that drop or reject: they may refuse what a policy allows`);
    if (type === 'nat' && hook === 'output' && priority <= DNS_PRIORITY && does(TURNS)) findings.push(`${place} turns packets elsewhere, perhaps DNS queries before netwalld gets them`);
    if ((hook === 'output' || hook === 'prerouting') && does(UNTRACKS)) findings.push(`${place} turns connection tracking off: answers cannot be told from new flows`);
    return findings;
  });
}
