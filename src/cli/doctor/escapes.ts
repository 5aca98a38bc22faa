/** Ways out of rules that go by uid and gid: groups, sudo, capabilities, sockets that root makes, jobs. Pure. */
import type { DoctorCheck } from '../../control/api.ts';
import { fine, finding, HIDDEN, notChecked, worst } from './finding.ts';
import { capabilityNames, POWERFUL_CAPABILITIES, POWERFUL_GROUPS } from './powers.ts';
import { gainsNothing, governor, type Subject } from './subjects.ts';
import { sudoRules } from './sudoers.ts';
import type { Survey } from './survey.ts';

const of = (subjects: readonly Subject[]) => subjects.map(({ label }) => label).join(', ');

function root({ services }: Pick<Survey, 'services'>): DoctorCheck {
  const governing = services.filter(({ kind, ids }) => kind === 'user' && ids.includes(0)).map(({ service }) => service);
  if (governing.length === 0) return fine('root', 'no policy is about root');
  return finding('root', 'warning', `${governing.join(', ')} governs root`, [], 'root can change the table and become anybody: such a policy keeps mistakes in, not an intruder.', 'run the service as a user of its own: User= or DynamicUser=yes in its unit');
}

function groups({ people }: Pick<Survey, 'people'>, subjects: readonly Subject[]): DoctorCheck {
  const id = 'groups';
  if (!people.ok) return notChecked(id, people.why);
  const { groupNames } = people.value;
  const found = subjects.flatMap(({ groups, label, service }) =>
    [...groups].flatMap((gid) => {
      const name = groupNames.get(gid) ?? '';
      const power = POWERFUL_GROUPS.get(name);
      return power === undefined || (service.kind === 'group' && service.ids.includes(gid)) ? [] : [{ power, name, line: `${label} is in ${name}: ${power.because}` }];
    }),
  );
  if (found.length === 0) return fine(id, 'no governed user is in a group with power over the host');
  return finding(id, worst(found.map(({ power }) => power.severity)), `governed users in ${[...new Set(found.map(({ name }) => name))].join(', ')}`, found.map(({ line }) => line), 'Membership outlives every policy: who is as good as root is not confined.', 'gpasswd -d USER GROUP, SupplementaryGroups= in the unit, then restart the service');
}

/** A file of one's own may be given to any group one is in, and be setgid: no program of others is needed. */
function groupPolicies(subjects: readonly Subject[]): DoctorCheck {
  const id = 'group-policies';
  const able = subjects.filter((subject) => subject.service.kind === 'group' && !gainsNothing(subject) && [...subject.groups].some((gid) => !subject.service.ids.includes(gid)));
  if (able.length === 0) return fine(id, 'nobody can leave a group that a policy governs');
  return finding(id, 'warning', 'users who can leave the group that a policy governs', able.map(({ label }) => `${label} is in other groups as well`), 'A policy for a group goes by the primary group. Whoever is in another one makes a program of that group, setgid, and runs it.', 'govern them by user, take them out of other groups, or NoNewPrivileges=yes in their unit');
}

function sudo({ sudoers, people }: Pick<Survey, 'sudoers' | 'people'>, subjects: readonly Subject[]): DoctorCheck {
  const id = 'sudoers';
  if (!sudoers.ok) return notChecked(id, sudoers.why);
  if (sudoers.value === null) return fine(id, 'there is no sudo');
  const groupNames = people.ok ? people.value.groupNames : new Map<number, string>();
  const rules = sudoRules(sudoers.value);
  const found = subjects.flatMap((subject) => {
    const { uid, name, groups, label } = subject;
    const keys = new Set(['ALL', `#${uid}`, ...(name === null ? [] : [name]), ...[...groups].flatMap((gid) => [`%#${gid}`, ...(groupNames.has(gid) ? [`%${groupNames.get(gid) ?? ''}`] : [])])]);
    return rules.filter(({ who }) => keys.has(who)).map((rule) => ({ severity: rule.everything && !rule.password && !gainsNothing(subject) ? ('critical' as const) : ('warning' as const), line: `${label}: ${rule.text}` }));
  });
  if (found.length === 0) return fine(id, 'sudo has no rule for a governed user');
  return finding(id, worst(found.map(({ severity }) => severity)), 'sudo has rules for governed users', found.map(({ line }) => line), 'What sudo starts is another user\'s, and not governed.', 'visudo, or NoNewPrivileges=yes in the unit');
}

function processes(survey: Pick<Survey, 'processes' | 'services'>): DoctorCheck {
  const id = 'process-capabilities';
  const governing = governor(survey.services);
  const found = survey.processes.governed.flatMap((process) => {
    const service = governing(process);
    // in a user namespace of its own it has every capability, over that namespace alone; root is the check "root"
    if (service === null || process.uid === 0 || process.sameUsers === false) return [];
    const names = capabilityNames(process.capabilities);
    return names.length === 0 ? [] : [{ names, sure: process.sameUsers === true, line: `${process.name}[${process.pid}] of ${service.service}: ${names.join(', ')}` }];
  });
  if (found.length === 0 && !survey.processes.complete) return notChecked(id, HIDDEN);
  if (found.length === 0) return fine(id, 'no process of a governed user has a capability that passes the wall');
  if (!found.some(({ sure }) => sure)) return notChecked(id, 'only root may look whether capabilities are those of a user namespace');
  const names = [...new Set(found.flatMap((process) => process.names))];
  const because = names.map((name) => `${name} ${POWERFUL_CAPABILITIES.get(name)?.because ?? ''}`).join('; ');
  return finding(id, 'critical', 'processes of governed users with capabilities that pass the wall', found.map(({ line }) => line), `${because}.`, 'in the unit: AmbientCapabilities= and CapabilityBoundingSet= without them, then restart it');
}

function units(survey: Pick<Survey, 'units'>): readonly DoctorCheck[] {
  const ids = { capabilities: 'unit-capabilities', sockets: 'socket-activation' };
  if (!survey.units.ok) return [notChecked(ids.capabilities, survey.units.why), notChecked(ids.sockets, survey.units.why)];
  const services = survey.units.value?.services ?? [];
  const capable = services.flatMap(({ unit, user, ambient }) => {
    const names = ambient.filter((name) => POWERFUL_CAPABILITIES.has(name));
    return names.length === 0 ? [] : [`${unit} (User=${user}): AmbientCapabilities=${names.join(' ')}`];
  });
  const activated = services.flatMap(({ unit, user, sockets }) => sockets.map((socket) => `${unit} (User=${user}) takes over ${socket}`));
  return [
    capable.length === 0
      ? fine(ids.capabilities, 'no unit of a governed user is given a capability that passes the wall')
      : finding(ids.capabilities, 'warning', 'units give governed users capabilities that pass the wall', capable, 'Every start of the unit has them.', 'systemctl edit UNIT, and take them out of AmbientCapabilities='),
    activated.length === 0
      ? fine(ids.sockets, 'no governed service takes over a socket from systemd')
      : finding(ids.sockets, 'warning', 'governed services take over sockets that root made', activated, 'A socket belongs to who made it: ingress does not decide who connects there, and what a datagram socket sends is root\'s.', 'let the service listen itself (systemctl disable --now UNIT.socket), or filter that port in another table'),
  ];
}

function jobs({ crontabs, atJobs }: Pick<Survey, 'crontabs' | 'atJobs'>, subjects: readonly Subject[]): DoctorCheck {
  const id = 'scheduled-jobs';
  if (!crontabs.ok) return notChecked(id, crontabs.why);
  const cron = subjects.filter(({ name }) => name !== null && crontabs.value.includes(name));
  const at = subjects.filter(({ uid }) => atJobs.ok && atJobs.value.includes(uid));
  if (cron.length + at.length === 0) return fine(id, 'no governed user has cron or at jobs');
  return finding(id, 'info', 'governed users have jobs of their own', [...(cron.length > 0 ? [`crontab: ${of(cron)}`] : []), ...(at.length > 0 ? [`at: ${of(at)}`] : [])], 'They are governed as well, but outside the sandbox of the unit: NoNewPrivileges= and InaccessiblePaths= do not hold there.', 'crontab -r -u USER; names in /etc/cron.deny and /etc/at.deny');
}

export const checkEscapes = (survey: Pick<Survey, 'services' | 'people' | 'sudoers' | 'processes' | 'units' | 'crontabs' | 'atJobs'>, subjects: readonly Subject[]): readonly DoctorCheck[] => [
  root(survey),
  groups(survey, subjects),
  groupPolicies(subjects),
  sudo(survey, subjects),
  processes(survey),
  ...units(survey),
  jobs(survey, subjects),
];
