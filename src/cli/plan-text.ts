/** What `netwallctl plan` says to people. */
import type { PlanChange, PlanFlow, PlanReport, ServicePlan } from '../control/api.ts';
import { visible } from '../policy/visible.ts';
import { type Paint, table } from './output.ts';

const PROTOCOLS = ['tcp', 'udp', 'icmp', 'other', 'any'] as const;

function portsText(ports: PlanChange['ports']): string {
  const texts = PROTOCOLS.flatMap((wanted) => {
    const spans = ports.filter(({ protocol }) => protocol === wanted);
    if (spans.length === 0) return [];
    const name = wanted === 'other' ? 'other protocols' : wanted;
    const all = spans.some(({ first, last }) => first === 0 && last === 65535);
    return [all ? name : `${name} ${spans.map(({ first, last }) => (first === last ? `${first}` : `${first}-${last}`)).join(',')}`];
  });
  return texts.join(', ');
}

const MOST_NAMED = 5;
const some = (names: readonly string[]) => (names.length > MOST_NAMED ? `${names.slice(0, MOST_NAMED).join(', ')} and ${names.length - MOST_NAMED} more` : names.join(', '));

function remarks({ kind, reason, private: use, except, names, principals }: PlanChange, sign: '+' | '-'): string[] {
  const found: string[] = [];
  if (except.length > 0) found.push(`not ${some(except)}`);
  if (names.length > 0) found.push(`address of ${some(names)}`);
  if (kind === 'anything') found.push(`${some(principals)} ${sign === '+' ? `${principals.length > 1 ? 'have' : 'has'} no policy any more` : `had no policy before`}`);
  else if (reason !== 'listed') found.push(`${sign === '+' ? 'no longer denied' : 'denied'}${reason === 'denied at networks' ? ' where it leads into an allowed network' : ''}`);
  if (use === 'too') found.push(sign === '+' ? 'may resolve to private addresses' : 'private addresses included');
  if (use === 'only') found.push(sign === '+' ? 'may now resolve to private addresses' : 'may no longer resolve to private addresses');
  return found;
}

function peerText({ kind, direction, to }: PlanChange, sign: '+' | '-'): string {
  if (kind === 'anything') return sign === '+' ? 'anything' : 'anything else';
  const text = kind === 'names at' ? `listed names at ${to}` : to;
  return direction === 'ingress' ? `from ${text}` : text;
}

/** Without place: `+ egress 10.2.0.0/16 tcp 443`. */
export function changeText(change: PlanChange, sign: '+' | '-'): string {
  const found = remarks(change, sign);
  const ports = change.kind === 'anything' ? '' : ` ${portsText(change.ports)}`;
  return `${sign} ${change.direction} ${peerText(change, sign)}${ports}${found.length === 0 ? '' : ` (${found.join('; ')})`}`;
}

const endpoint = ({ address, port }: PlanFlow['local']) => (address.includes(':') ? `[${address}]:${port}` : `${address}:${port}`);

export const flowText = ({ protocol, local, remote, uid, process }: PlanFlow): string =>
  `would end: ${protocol} ${endpoint(local)} → ${endpoint(remote)} (${process === null ? `uid ${uid}` : `${visible(process.name)}[${process.pid}]`})`;

const aspect = (name: string, { before, after }: { readonly before: string | null; readonly after: string | null }) => `${name}: ${before ?? 'none'} → ${after ?? 'none'}`;

/** What a mode means for all that is not listed. */
const UNLISTED = { enforce: 'what is not listed is refused', audit: 'what is not listed passes and is recorded', block: 'nothing passes' } as const;

/** What is new or gone needs no arrows. */
function heading({ service, change, formerly, mode, dns, principals }: ServicePlan, paint: Paint): string[] {
  const title = `${paint('bold', service)}: ${change}${formerly === null ? '' : `, formerly ${formerly}`}`;
  if (change !== 'changed') {
    const which = change === 'added' ? 'after' : 'before';
    return [`${title} (${[...(principals?.[which] ?? []), `mode ${mode?.[which]}`, `dns ${dns?.[which]}`].join(', ')})`];
  }
  const who = (texts: readonly string[]) => texts.join(', ') || 'nobody';
  return [
    title,
    ...(mode === null ? [] : [`  ${aspect('mode', mode)}${mode.after === null ? '' : ` (${UNLISTED[mode.after]})`}`]),
    ...(dns === null ? [] : [`  ${aspect('dns', dns)}`]),
    ...(principals === null ? [] : [`  ${aspect('principals', { before: who(principals.before), after: who(principals.after) })}`]),
  ];
}

function serviceText(plan: ServicePlan, paint: Paint): string {
  const rows = (changes: readonly PlanChange[], sign: '+' | '-') =>
    changes.map((change) => [`  ${paint(sign === '+' ? 'green' : 'red', changeText(change, sign))}`, paint('dim', `${visible(change.rule.file)}:${change.rule.line}`)]);
  const changes = [...rows(plan.allows, '+'), ...rows(plan.refuses, '-')];
  return [...heading(plan, paint), ...(changes.length === 0 ? [] : [table(changes)]), ...plan.ends.map((flow) => `  ${paint('yellow', flowText(flow))}`)].join('\n');
}

/** The notes are not in it: they go where errors go. */
export function planText({ services, unchanged }: PlanReport, paint: Paint): string {
  const rest = services.length > 0 && unchanged.length > 0 ? [`unchanged: ${unchanged.join(', ')}`] : [];
  return services.length === 0 ? 'no differences' : [...services.map((plan) => serviceText(plan, paint)), ...rest].join('\n\n');
}
