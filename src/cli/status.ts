/** `netwallctl status`: the state at a glance. */
import type { NameReport, ServiceReport, StatusReport } from '../control/api.ts';
import { remainingText } from './grants.ts';
import { bytesText, type Colour, type Paint, table } from './output.ts';

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

function who({ uids, gids }: ServiceReport): string {
  const ids = [...uids.map((id) => `uid ${id}`), ...gids.map((id) => `gid ${id}`)];
  return ids.length > 3 ? `${ids.slice(0, 3).join(' ')} …` : ids.join(' ') || '–';
}

function nameLines({ name, state, addresses, guarded, expiresInSeconds, error }: NameReport, paint: Paint): string[] {
  const when = expiresInSeconds === null ? '' : `, again in ${expiresInSeconds} s`;
  const lines = [`    ${name}  ${coloured(paint, state)}${when}  ${addresses.join(' ')}`.trimEnd()];
  if (guarded.length > 0) lines.push(`      ${paint('yellow', `not admitted: ${guarded.join(' ')}`)}`);
  if (error !== null) lines.push(`      ${paint('yellow', error)}`);
  return lines;
}

function overview(services: readonly ServiceReport[], paint: Paint): string {
  const rows = services.map((service) => [
    service.service,
    coloured(paint, service.state),
    service.mode,
    who(service),
    service.names.length === 0 ? '–' : `${service.names.filter(({ state }) => state === 'resolved').length}/${service.names.length}`,
    `${service.counters.packets}`,
    bytesText(service.counters.bytes),
    service.counters.deniedPackets > 0 ? paint('red', `${service.counters.deniedPackets}`) : '0',
  ]);
  return table([['SERVICE', 'STATE', 'MODE', 'WHO', 'NAMES', 'PACKETS', 'BYTES', 'DENIED'].map((title) => paint('bold', title)), ...rows]);
}

function dnsLines({ dns }: ServiceReport, paint: Paint): string[] {
  if (dns.mode !== 'filtered') return [`  dns: ${dns.mode}`];
  const { queries = 0, answered = 0, refused = 0, failed = 0, lastError = null, refusedNames = [] } = dns;
  const lines = [`  dns: filtered, ${queries} queries, ${answered} answered, ${refused} refused, ${failed} failed`];
  if (refusedNames.length > 0) lines.push(`    not listed: ${paint('red', refusedNames.map(({ name, count }) => (count > 1 ? `${name} (${count}×)` : name)).join(' '))}`);
  if (lastError !== null) lines.push(`    last error: ${paint('yellow', lastError)}`);
  return lines;
}

function details(service: ServiceReport, paint: Paint): string[] {
  const message = service.message === null ? [] : [`  ${paint('yellow', service.message)}`];
  return [...message, `  ${service.source.file}:${service.source.line}`, ...dnsLines(service, paint), ...service.names.flatMap((name) => nameLines(name, paint))];
}

/** For all services, or for one of them in detail. */
export function statusText(status: StatusReport, one: string | null, paint: Paint): string {
  const services = one === null ? status.services : status.services.filter(({ service }) => service === one);
  const open = status.drift.open.length;
  const lines = [
    `netwalld ${status.version}: ${coloured(paint, status.state)}, generation ${status.generation}, ${status.services.length} services, ` +
      `${open === 0 ? 'no drift' : paint('yellow', `${open} drifts open`)}, ${status.drift.repaired} repaired`,
  ];
  if (status.message !== null) lines.push(paint('red', status.message));
  if (status.guard.state === 'failed') lines.push(paint('yellow', `no guard: ${status.guard.message ?? ''}`));
  if (status.trial !== null) lines.push(paint('yellow', `on trial until ${new Date(status.trial.until).toLocaleString('sv-SE')}: ${status.trial.files.join(', ')}`));
  for (const { id, service, to, ports, remainingSeconds, reason } of status.grants) {
    if (one === null || one === service) lines.push(paint('yellow', `grant ${id}: ${service} may reach ${to} at ${ports.join(', ')} for another ${remainingText(remainingSeconds)} (${reason})`));
  }
  for (const { service, until } of status.learning) lines.push(paint('yellow', `${service} may do what it likes until ${new Date(until).toLocaleString('sv-SE')}: it is watched (netwallctl learn)`));
  lines.push('', overview(services, paint));
  for (const service of services) {
    if (one === null && service.message === null) continue;
    lines.push('', paint('bold', service.service), ...details(service, paint));
  }
  const shown = status.drift.open.filter(({ service }) => one === null || service === one);
  if (shown.length > 0) lines.push('', paint('bold', 'Open drift'), ...shown.map(({ kind, detail }) => `  ${kind}: ${detail}`));
  return lines.join('\n');
}
