/** Whom the policies govern, as people and processes of this host. Pure. */
import type { Inspected } from '../../host/survey/processes.ts';
import type { Governed, Survey } from './survey.ts';

export type Subject = {
  readonly service: Governed;
  /** Null: a group's process without an account. */
  readonly uid: number;
  readonly gid: number | null;
  /** Of the account and of all its processes. */
  readonly groups: ReadonlySet<number>;
  readonly name: string | null;
  readonly processes: readonly Inspected[];
  /** For messages: `webapp (service shop)`. */
  readonly label: string;
};

export type Whom = { readonly uid: number; readonly gid: number };

/** A user policy decides before a group policy. */
export function governor(services: readonly Governed[]): (whom: Whom) => Governed | null {
  const by = { user: new Map<number, Governed>(), group: new Map<number, Governed>() };
  for (const service of services) for (const id of service.ids) by[service.kind].set(id, service);
  return ({ uid, gid }) => by.user.get(uid) ?? by.group.get(gid) ?? null;
}

/** root is not among them: it needs no way out. */
export function subjectsOf({ services, people, processes }: Pick<Survey, 'services' | 'people' | 'processes'>): readonly Subject[] {
  const governing = governor(services);
  const persons = people.ok ? people.value.persons : [];
  const found = new Map<string, { service: Governed; uid: number; gid: number | null; name: string | null; groups: Set<number>; processes: Inspected[] }>();
  const add = (service: Governed, uid: number, gid: number | null, name: string | null) => {
    const key = `${service.service} ${uid}`;
    const known = found.get(key);
    if (known !== undefined) return known;
    const made = { service, uid, gid, name, groups: new Set<number>(), processes: [] };
    found.set(key, made);
    return made;
  };
  for (const person of persons) {
    const service = governing(person);
    if (service !== null && person.uid !== 0) for (const group of person.groups) add(service, person.uid, person.gid, person.name).groups.add(group);
  }
  for (const service of services) if (service.kind === 'user') for (const id of service.ids) if (id !== 0) add(service, id, null, null);
  for (const process of processes.governed) {
    const service = governing(process);
    if (service === null || process.uid === 0) continue;
    const subject = add(service, process.uid, process.gid, null);
    subject.processes.push(process);
    for (const group of [process.gid, ...process.groups]) subject.groups.add(group);
  }
  return [...found.values()].map((subject) => {
    const who = subject.name ?? `uid ${subject.uid}`;
    return { ...subject, label: who === subject.service.service ? who : `${who} (service ${subject.service.service})` };
  });
}

/** None of its processes can gain anything by executing a program (PR_SET_NO_NEW_PRIVS). Somebody without processes may start some. */
export const gainsNothing = ({ processes }: Subject): boolean => processes.length > 0 && processes.every(({ noNewPrivileges }) => noNewPrivileges);

/** Whether somebody may execute a file, by its mode. */
export function mayExecute({ uid, groups }: Subject, file: { readonly uid: number; readonly gid: number; readonly mode: number }): boolean {
  if (uid === file.uid) return (file.mode & 0o100) !== 0;
  return (file.mode & (groups.has(file.gid) ? 0o010 : 0o001)) !== 0;
}
