/** Programs that turn whoever runs them into somebody else, whom no policy governs. Pure. */
import type { DoctorCheck } from '../../control/api.ts';
import type { Program } from '../../host/survey/programs.ts';
import { count, fine, finding, notChecked, worst } from './finding.ts';
import { isInterpreter, ORDINARY_CAPABLE, ORDINARY_SETUID, POWERFUL_CAPABILITIES } from './powers.ts';
import { gainsNothing, mayExecute, type Subject } from './subjects.ts';
import type { Survey } from './survey.ts';

const SETUID = 0o4000;
const SETGID = 0o2000;
const NEW_PRIVILEGES = 'in the units of governed services: NoNewPrivileges=yes';

const nameOf = ({ path }: Program) => path.slice(path.lastIndexOf('/') + 1);
const isLoose = ({ mode }: Program) => (mode & 0o002) !== 0;
/** With a shell, or one that anybody may overwrite, every command runs as its owner. */
const isOpen = (program: Program) => program.copyOf !== null || isInterpreter(nameOf(program)) || isLoose(program);

/** Whether running it takes somebody out of the policy: another uid, or for a group's policy another gid. */
const changes = ({ uid, service }: Subject, program: Program) =>
  ((program.mode & SETUID) !== 0 && program.uid !== uid) || (service.kind === 'group' && (program.mode & SETGID) !== 0 && !service.ids.includes(program.gid));

const users = (programs: readonly Program[], subjects: readonly Subject[], applies: (subject: Subject, program: Program) => boolean) =>
  programs.flatMap((program) => {
    const by = subjects.filter((subject) => mayExecute(subject, program) && applies(subject, program));
    return by.length === 0 ? [] : [{ program, by }];
  });

const who = (by: readonly Subject[]) => (by.length > 3 ? `${by.length} governed accounts` : by.map(({ label }) => label).join(', '));

function describe(program: Program): string {
  const bits = [...((program.mode & SETUID) !== 0 ? [program.uid === 0 ? 'setuid root' : `setuid ${program.uid}`] : []), ...((program.mode & SETGID) !== 0 ? [`setgid ${program.gid}`] : [])].join(' and ');
  const more = [...(program.copyOf === null ? [] : [`the same as ${program.copyOf}`]), ...(isLoose(program) ? ['anybody may overwrite it'] : [])];
  return `${program.path}: ${[bits, ...more].join(', ')}`;
}

function setIds(programs: readonly Program[], subjects: readonly Subject[]): DoctorCheck {
  const id = 'setuid-programs';
  const found = users(programs, subjects, changes);
  if (found.length === 0) return fine(id, 'no governed user can run a program that changes who it is');
  const strange = found.filter(({ program }) => isOpen(program) || !ORDINARY_SETUID.includes(nameOf(program)));
  if (strange.length > 0) {
    const severity = worst(strange.map(({ program }) => (isOpen(program) ? 'critical' : 'warning')));
    return finding(
      id,
      severity,
      count(strange.length, 'unusual setuid or setgid program'),
      strange.toSorted((a, b) => Number(isOpen(b.program)) - Number(isOpen(a.program))).map(({ program, by }) => `${describe(program)}; can be run by ${who(by)}`),
      'What it starts has another uid or gid, which the service\'s policy does not govern.',
      `chmod u-s,g-s ${strange.map(({ program }) => program.path).slice(0, 3).join(' ')}, or ${NEW_PRIVILEGES}`,
    );
  }
  const rank = ({ program }: { readonly program: Program }) => ORDINARY_SETUID.indexOf(nameOf(program));
  const [first] = found.toSorted((a, b) => rank(a) - rank(b));
  return finding(
    id,
    'info',
    `${count(found.length, 'ordinary setuid program')}, the most powerful ${first === undefined ? '' : nameOf(first.program)}`,
    [found.map(({ program }) => nameOf(program)).join(' '), `can be run by ${who([...new Set(found.flatMap(({ by }) => by))])}`],
    'They do one thing or ask for a password, but a flaw in one of them is a way out of the wall.',
    NEW_PRIVILEGES,
  );
}

function capabilities({ capablePrograms }: Pick<Survey, 'capablePrograms'>, subjects: readonly Subject[]): DoctorCheck {
  const id = 'file-capabilities';
  if (!capablePrograms.ok) return notChecked(id, capablePrograms.why);
  const found = users(capablePrograms.value.filter((program) => program.capabilities.some((name) => POWERFUL_CAPABILITIES.has(name))), subjects, () => true);
  if (found.length === 0) return fine(id, 'no governed user can run a program with capabilities that pass the wall');
  const named = new Map(capablePrograms.value.map((program) => [program.path, program.capabilities]));
  const strange = found.filter(({ program }) => isOpen(program) || !ORDINARY_CAPABLE.has(nameOf(program)));
  const shown = (strange.length > 0 ? strange : found).map(({ program, by }) => `${program.path}: ${(named.get(program.path) ?? []).join(', ')}; can be run by ${who(by)}`);
  if (strange.length === 0) return finding(id, 'info', `${count(found.length, 'ordinary program')} with capabilities`, shown, 'They do one thing, but a flaw in one of them is a way out of the wall.', NEW_PRIVILEGES);
  const severity = worst(strange.map(({ program }) => (isOpen(program) ? 'critical' : 'warning')));
  return finding(id, severity, `${count(strange.length, 'unusual program')} with capabilities`, shown, 'With these capabilities a process sends past the table, changes it, or becomes somebody else.', `setcap -r ${strange[0]?.program.path ?? ''}, or ${NEW_PRIVILEGES}`);
}

export function checkPrograms(survey: Pick<Survey, 'setIdPrograms' | 'capablePrograms'>, subjects: readonly Subject[]): readonly DoctorCheck[] {
  const able = subjects.filter((subject) => !gainsNothing(subject));
  return [setIds(survey.setIdPrograms, able), capabilities(survey, able)];
}
