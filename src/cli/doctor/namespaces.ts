/** Where the table does not reach: other network namespaces, and who can send packets from one. Pure. */
import type { DoctorCheck } from '../../control/api.ts';
import { mayWrite } from '../../host/survey/processes.ts';
import { fine, finding, HIDDEN, notChecked } from './finding.ts';
import { governor, type Subject } from './subjects.ts';
import type { Survey } from './survey.ts';

function networks({ services, processes }: Pick<Survey, 'services' | 'processes'>): DoctorCheck {
  const id = 'network-namespaces';
  const governing = governor(services);
  const outside = processes.governed.filter((process) => process.sameNetwork === false && process.uid !== 0 && governing(process) !== null);
  const hidden = processes.governed.some(({ sameNetwork }) => sameNetwork === null);
  const line = ({ pid, name, uid, gid, interfaces }: (typeof outside)[number]) => `${name}[${pid}] of ${governing({ uid, gid })?.service ?? ''}: interfaces ${interfaces.join(', ') || 'unknown'}`;
  const connected = outside.filter(({ interfaces }) => interfaces.some((name) => name !== 'lo'));
  if (connected.length > 0) {
    return finding(id, 'warning', 'processes of governed users in other network namespaces', connected.map(line), 'Their packets do not pass the table of this namespace: there they are not confined.', 'run them in the host\'s network, or confine that namespace where it leaves the host (hook forward)');
  }
  if (hidden || !processes.complete) return notChecked(id, processes.complete ? 'only root may look' : HIDDEN);
  if (outside.length > 0) return finding(id, 'info', 'processes of governed users in network namespaces without a network', outside.map(line), 'With nothing but loopback they reach nobody, until somebody puts an interface there.', 'nothing, if it is meant (PrivateNetwork=yes)');
  return fine(id, processes.networks === null ? 'all processes of governed users are in this network namespace' : `all processes of governed users are in this network namespace (of ${processes.networks})`);
}

function engines({ engines }: Pick<Survey, 'engines'>, subjects: readonly Subject[]): DoctorCheck {
  const id = 'containers';
  if (!engines.ok) return notChecked(id, engines.why);
  if (engines.value.length === 0) return fine(id, 'no container engine');
  const why = 'Containers have networks of their own, which the table does not see.';
  const open = engines.value.flatMap((socket) => subjects.filter(({ uid, gid, groups }) => mayWrite({ uid, gid: gid ?? -1, groups: [...groups] }, socket)).map(({ label }) => `${label} may write to ${socket.path}`));
  const names = [...new Set(engines.value.map(({ engine }) => engine))];
  if (open.length > 0) return finding(id, 'critical', `governed users command ${names.join(', ')}`, open, `${why} Whoever may start one is root, in any network.`, 'take them out of the group of the socket, or InaccessiblePaths= with its path in their units');
  return finding(id, 'info', `${names.join(', ')} may run containers`, engines.value.map(({ path }) => path), why, 'confine container networks at the hook forward; netwalld governs what runs in the host\'s network');
}

function userNamespaces({ kernel }: Pick<Survey, 'kernel'>): DoctorCheck {
  const id = 'user-namespaces';
  if (!kernel.ok) return notChecked(id, kernel.why);
  if (!kernel.value.userNamespaces) return fine(id, 'users without privilege cannot make user namespaces');
  return finding(id, 'info', 'any user can make user namespaces', [], 'What leaves one through slirp4netns or pasta is sent by the same uid, and governed. But it opens much of the kernel, nftables included, to users without privilege.', 'if nothing needs it: sysctl -w user.max_user_namespaces=0, or RestrictNamespaces=yes in the units');
}

export const checkNamespaces = (survey: Pick<Survey, 'services' | 'processes' | 'engines' | 'kernel'>, subjects: readonly Subject[]): readonly DoctorCheck[] => [
  networks(survey),
  engines(survey, subjects),
  userNamespaces(survey),
];
