/**
 * Look-ups that are no DNS packets of the service's own: another program asks for it, and the query leaves as that program's. Pure.
 *
 * nss-resolve(8) asks systemd-resolved over varlink, /run/systemd/resolve/io.systemd.Resolve; org.freedesktop.resolve1(5) does the same over
 * D-Bus. With nscd(8), or unscd, glibc itself asks the daemon before it looks into nsswitch.conf.
 */
import type { DoctorCheck } from '../../control/api.ts';
import { fine, finding, notChecked } from './finding.ts';
import { governor } from './subjects.ts';
import type { Governed, Survey } from './survey.ts';

const RESOLVED = '/run/systemd/resolve/io.systemd.Resolve';
const BUS = '/run/dbus/system_bus_socket';

type Asks = { readonly who: string; readonly anywhere: boolean };
/** `anywhere`: any name, by DNS; otherwise only neighbours, by multicast. */
const SOCKETS: Readonly<Record<string, Asks>> = {
  [RESOLVED]: { who: 'systemd-resolved', anywhere: true },
  '/run/nscd/socket': { who: 'nscd', anywhere: true },
  '/run/avahi-daemon/socket': { who: 'avahi', anywhere: false },
};
/** To be looked for on the host, and in each service's own view of it. */
export const NAME_SOCKETS: readonly string[] = [...Object.keys(SOCKETS), BUS];

/** Without `[NOTFOUND=return]` and the like; nsswitch.conf(5). Null: the file says nothing, and glibc asks DNS and files. */
export function hostModules(text: string): readonly string[] | null {
  const line = /^\s*hosts:(.*)$/m.exec(text.replaceAll(/#.*$/gm, ''))?.[1];
  return line === undefined ? null : line.replaceAll(/\[[^\]]*\]/g, ' ').split(/\s+/).filter(Boolean);
}

const isConfined = ({ dns, mode }: Governed) => mode !== 'block' && dns !== 'system';
const list = (services: readonly string[]) => (services.length > 6 ? `${services.slice(0, 6).join(', ')} and ${services.length - 6} more` : services.join(', '));

/** What processes of a service can connect to; where it has none, what anybody can. Null: its processes are not for us to look into. */
function reachable({ services, processes, nameSockets }: Pick<Survey, 'services' | 'processes' | 'nameSockets'>): ReadonlyMap<string, readonly string[] | null> {
  const governing = governor(services);
  const seen = new Map<string, Set<string> | null>();
  for (const process of processes.governed) {
    const service = governing(process)?.service;
    if (service === undefined) continue;
    const sockets = seen.get(service);
    if (process.sockets === null) seen.set(service, sockets ?? null);
    else seen.set(service, new Set([...(sockets ?? []), ...process.sockets]));
  }
  return new Map(
    services.filter(isConfined).map(({ service }) => {
      const sockets = seen.get(service);
      return [service, sockets === undefined ? nameSockets : sockets === null ? null : [...sockets]];
    }),
  );
}

function sockets(survey: Pick<Survey, 'services' | 'processes' | 'nameSockets'>): DoctorCheck {
  const id = 'resolver-sockets';
  const reach = reachable(survey);
  if (reach.size === 0) return fine(id, 'no service relies on its DNS being filtered');
  const resolvedRuns = survey.nameSockets.includes(RESOLVED);
  const by = new Map<string, { readonly anywhere: boolean; readonly services: string[] }>();
  for (const [service, paths] of reach) {
    for (const path of paths ?? []) {
      const asks = path === BUS ? (resolvedRuns ? { who: 'systemd-resolved, through D-Bus', anywhere: true } : null) : SOCKETS[path];
      if (asks === undefined || asks === null) continue;
      const key = `${asks.who} (${path})`;
      const known = by.get(key) ?? { anywhere: asks.anywhere, services: [] };
      known.services.push(service);
      by.set(key, known);
    }
  }
  const hidden = [...reach.values()].includes(null) && survey.nameSockets.some((path) => path !== BUS);
  if (by.size === 0 && hidden) return notChecked(id, 'only root may look which sockets are in reach of services');
  if (by.size === 0) return fine(id, 'no other program looks names up for confined services');
  const anywhere = [...by.values()].some((asks) => asks.anywhere);
  const paths = [...by.keys()].map((key) => `-${/\((.*)\)/.exec(key)?.[1] ?? ''}`);
  return finding(
    id,
    anywhere ? 'warning' : 'info',
    'other programs look names up for confined services',
    [...by].map(([who, { services }]) => `${who} can be asked by: ${list(services)}`),
    anywhere ? 'Such queries leave as another user\'s and are not filtered: any name can be asked for, and data carried out in names.' : 'It asks the neighbours, by multicast.',
    `in the units of these services: InaccessiblePaths=${paths.join(' ')}`,
  );
}

function modules({ services, nsswitch, nameSockets }: Pick<Survey, 'services' | 'nsswitch' | 'nameSockets'>): DoctorCheck {
  const id = 'nsswitch';
  if (!nsswitch.ok) return notChecked(id, nsswitch.why);
  const hosts = hostModules(nsswitch.value ?? '') ?? [];
  const confined = services.filter(isConfined).map(({ service }) => service);
  const resolve = hosts.includes('resolve');
  const local = hosts.filter((name) => /^mdns|^wins$/.test(name));
  if (confined.length === 0 || (!resolve && local.length === 0)) return fine(id, 'names are looked up by files and DNS');
  const works = resolve && nameSockets.some((path) => path === RESOLVED || path === BUS);
  return finding(
    id,
    works ? 'warning' : 'info',
    `hosts are looked up by ${[...(resolve ? ['nss-resolve'] : []), ...local].join(', ')}`,
    [`/etc/nsswitch.conf: hosts: ${hosts.join(' ')}`, `services with filtered or no DNS: ${list(confined)}`],
    resolve
      ? 'nss-resolve has systemd-resolved ask: the query is not the service\'s own, so it is not filtered, and what a listed name resolves to may not be open yet when it connects.'
      : 'These modules ask the neighbours by multicast or broadcast; the query is not filtered.',
    'in /etc/nsswitch.conf: hosts: files dns',
  );
}

export const checkNameServices = (survey: Pick<Survey, 'services' | 'processes' | 'nameSockets' | 'nsswitch'>): readonly DoctorCheck[] => [modules(survey), sockets(survey)];
