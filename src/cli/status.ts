/** `netwallctl status`: the state at a glance. */
import type { DestinationReport, NameReport, ServiceReport, StatusReport } from '../control/api.ts';
import { remainingText } from './grants.ts';
import { bytesText, type Colour, type Look, oneLine, type Paint, table } from './output.ts';
import { type Clock, spanText } from './time.ts';

const STATE_COLOURS: Readonly<Record<string, Colour>> = {
  enforcing: 'green',
  active: 'green',
  resolved: 'green',
  starting: 'yellow',
  pending: 'yellow',
  stale: 'yellow',
  degraded: 'red',
  rejected: 'red',
  failed: 'red',
};
const coloured = (paint: Paint, state: string) => paint(STATE_COLOURS[state] ?? 'dim', state);
const bold = (paint: Paint, titles: readonly string[]) => titles.map((title) => paint('bold', title));
const indented = (text: string, by: string) => text.replaceAll(/^/gm, by);
const counted = (count: number, what: string) => `${count} ${what}${count === 1 ? '' : 's'}`;
const span = (seconds: number) => spanText(seconds * 1000);

const MOST_IDS = 3;
function who({ uids, gids }: Pick<ServiceReport, 'uids' | 'gids'>, most = MOST_IDS): string {
  const ids = [...uids.map((id) => `uid ${id}`), ...gids.map((id) => `gid ${id}`)];
  return ids.length > most ? `${ids.slice(0, most).join(' ')} …` : ids.join(' ') || '–';
}

/** When an address that its name's latest answers do not give any more was last given. */
function addressesText({ addresses, ages = [], lastSeenSecondsAgo }: NameReport): string {
  const old = new Map(ages.filter(({ secondsAgo }) => secondsAgo > (lastSeenSecondsAgo ?? 0) + 1).map(({ address, secondsAgo }) => [address, secondsAgo]));
  return addresses.map((address) => (old.has(address) ? `${address} (${span(old.get(address) ?? 0)} ago)` : address)).join(' ');
}

function nameLines(name: NameReport, paint: Paint): string[] {
  const { state, guarded, lastSeenSecondsAgo, nextLookUpInSeconds, error } = name;
  const seen = lastSeenSecondsAgo === null ? '' : `, seen ${span(lastSeenSecondsAgo)} ago`;
  const next = nextLookUpInSeconds === null ? '' : `, again in ${span(nextLookUpInSeconds)}`;
  const lines = [`    ${name.name}  ${coloured(paint, state)}${seen}${next}  ${addressesText(name)}`.trimEnd()];
  if (guarded.length > 0) lines.push(`      ${paint('yellow', `not admitted: ${guarded.join(' ')}`)}`);
  if (error !== null) lines.push(`      ${paint('yellow', oneLine(error))}`);
  return lines;
}

/** The last thing that went wrong with a service, if it still matters. */
const errorOf = ({ message, dns, names }: ServiceReport): string => oneLine(message ?? names.find(({ error }) => error !== null)?.error ?? dns.lastError ?? '–');

const TITLES = ['SERVICE', 'STATE', 'MODE', 'WHO', 'NAMES', 'PACKETS', 'BYTES', 'DENIED'];
const WIDE_TITLES = ['DNS', 'SOURCE', 'LAST ERROR'];

function overview(services: readonly ServiceReport[], look: Look): string {
  const { paint, wide } = look;
  const rows = services.map((service) => [
    service.service,
    coloured(paint, service.state),
    service.mode,
    who(service, wide ? Number.POSITIVE_INFINITY : MOST_IDS),
    service.names.length === 0 ? '–' : `${service.names.filter(({ state }) => state === 'resolved').length}/${service.names.length}`,
    `${service.counters.packets}`,
    bytesText(service.counters.bytes),
    service.counters.deniedPackets > 0 ? paint('red', `${service.counters.deniedPackets}`) : '0',
    ...(wide ? [service.dns.mode, `${service.source.file}:${service.source.line}`, errorOf(service)] : []),
  ]);
  return table([bold(paint, [...TITLES, ...(wide ? WIDE_TITLES : [])]), ...rows], look, { drop: [3, 6, 4, 5, 2], shrink: [0] });
}

function dnsLines({ dns }: ServiceReport, paint: Paint, clock: Clock): string[] {
  if (dns.mode !== 'filtered') return [`  dns: ${dns.mode}`];
  const { queries = 0, answered = 0, refused = 0, failed = 0, lastError = null, refusedNames = [] } = dns;
  const lines = [`  dns: filtered, ${queries} queries, ${answered} answered, ${refused} refused, ${failed} failed`];
  const last = refusedNames.at(-1);
  if (last !== undefined) {
    const names = refusedNames.map(({ name, count }) => oneLine(count > 1 ? `${name} (${count}×)` : name)).join(' ');
    lines.push(`    not listed: ${paint('red', names)}, the last one ${clock(last.lastSeen)}`);
  }
  if (lastError !== null) lines.push(`    last error: ${paint('yellow', oneLine(lastError))}`);
  return lines;
}

export const portText = ({ protocol, port }: Pick<DestinationReport, 'protocol' | 'port'>): string => (port === null ? protocol : `${port}/${protocol}`);
export const arrow = ({ direction }: Pick<DestinationReport, 'direction'>): string => (direction === 'out' ? '→' : '←');

function destinationTable(destinations: readonly DestinationReport[], look: Look): string {
  const rows = destinations.map((destination) => [`${arrow(destination)} ${destination.to}`, portText(destination), `${destination.packets}`, bytesText(destination.bytes)]);
  const narrowed = { ...look, columns: look.columns === null ? null : look.columns - 4 };
  return indented(table([bold(look.paint, ['DESTINATION', 'PORT', 'PACKETS', 'BYTES']), ...rows], narrowed, { drop: [3, 2], shrink: [0], right: [2, 3] }), '    ');
}

function details(service: ServiceReport, look: Look, clock: Clock): string[] {
  const { paint } = look;
  const { match, mode, source, message, names, destinations } = service;
  const lines = message === null ? [] : [`  ${paint('yellow', oneLine(message))}`];
  lines.push(`  ${source.file}:${source.line}`, `  match: ${match.kind} ${match.names.join(', ')} (${who(service, Number.POSITIVE_INFINITY)}), mode: ${mode}`);
  lines.push(...dnsLines(service, paint, clock), ...names.flatMap((name) => nameLines(name, paint)));
  if (destinations === null) lines.push(`  ${paint('yellow', 'the kernel does not say what went where')}`);
  else if (destinations !== undefined && destinations.length > 0) lines.push('  what went where:', destinationTable(destinations, look));
  return lines;
}

/** For all services, or for one of them in detail. */
export function statusText(status: StatusReport, one: string | null, look: Look, clock: Clock): string {
  const { paint } = look;
  const services = one === null ? status.services : status.services.filter(({ service }) => service === one);
  const open = status.drift.open.length;
  const lines = [
    `netwalld ${status.version}: ${coloured(paint, status.state)}, generation ${status.generation}, ${counted(status.serviceCount, 'service')}, ` +
      `${open === 0 ? 'no drift' : paint('yellow', `${counted(open, 'drift')} open`)}, ${status.drift.repaired} repaired`,
  ];
  if (status.message !== null) lines.push(paint('red', oneLine(status.message)));
  if (status.guard.state === 'failed') lines.push(paint('yellow', `no guard: ${oneLine(status.guard.message ?? '')}`));
  else if (look.wide) lines.push(`guard: ${status.guard.state}`);
  if (status.trial !== null) lines.push(paint('yellow', `on trial, over ${clock(status.trial.until)}: ${status.trial.files.join(', ')}`));
  for (const { id, service, to, ports, remainingSeconds, reason } of status.grants) {
    if (one === null || one === service) lines.push(paint('yellow', `grant ${id}: ${service} may reach ${to} at ${ports.join(', ')} for another ${remainingText(remainingSeconds)} (${reason})`));
  }
  for (const { service, until } of status.learning) lines.push(paint('yellow', `${service} may do what it likes, over ${clock(until)}: it is watched (netwallctl learn)`));
  const { last } = status.drift;
  if (look.wide && last !== null) lines.push(`last drift: ${last.kind}, ${clock(last.lastSeen)}: ${oneLine(last.detail)}`);
  lines.push('', overview(services, look));
  for (const service of services) {
    if (one === null && service.message === null) continue;
    lines.push('', paint('bold', service.service), ...details(service, look, clock));
  }
  const shown = status.drift.open.filter(({ service }) => one === null || service === one);
  if (shown.length > 0) lines.push('', paint('bold', 'Open drift'), ...shown.map(({ kind, detail, firstSeen }) => `  ${kind}, ${clock(firstSeen)}: ${oneLine(detail)}`));
  return lines.join('\n');
}
