/** Files and directories that decide about the wall: whoever may write to them may open it. Pure. */
import type { DoctorCheck } from '../../control/api.ts';
import type { Owned } from '../../host/survey/files.ts';
import { fine, finding, notChecked } from './finding.ts';
import { bootIds, isWhole } from '../../ruleset/boot.ts';
import type { Survey } from './survey.ts';

const STICKY = 0o1000;
export const BOOT_UNIT = 'netwall-boot.service';

/** Somebody beside root may put something else in its place. In a sticky directory only what is one's own can be replaced. */
function loose({ uid, mode }: Owned, last: boolean): boolean {
  return uid !== 0 || ((mode & 0o022) !== 0 && (last || (mode & STICKY) === 0));
}
const octal = (mode: number) => `0${(mode & 0o7777).toString(8)}`;
const looseOn = (way: readonly Owned[]) => way.filter((owned, at) => loose(owned, at === 0)).map(({ path, uid, mode }) => `${path}: owner ${uid === 0 ? 'root' : `uid ${uid}`}, mode ${octal(mode)}`);

function directories({ policyDirectories }: Pick<Survey, 'policyDirectories'>): DoctorCheck {
  const id = 'policy-directories';
  const hidden = policyDirectories.find(({ way }) => !way.ok)?.way;
  const found = policyDirectories.flatMap(({ way }) => (way.ok ? looseOn(way.value) : []));
  if (found.length > 0) return finding(id, 'critical', 'others than root may change policies', found, 'Whoever may write there opens the wall; files in such a directory are refused.', 'chown root: PATH && chmod go-w PATH');
  if (hidden?.ok === false) return notChecked(id, hidden.why);
  return fine(id, 'only root may change policies');
}

function stateDirectory({ stateDirectory, config, daemon }: Pick<Survey, 'stateDirectory' | 'config' | 'daemon'>): DoctorCheck {
  const id = 'state-directory';
  if (!stateDirectory.ok) return notChecked(id, stateDirectory.why);
  const { value } = stateDirectory;
  if (value === null) {
    return daemon.reach === 'answers'
      ? finding(id, 'warning', `${config.stateDir} is gone`, [], 'Last good policies, addresses and blocks are kept there for the next start.', `install -d -m 700 ${config.stateDir}, then restart netwalld`)
      : fine(id, `${config.stateDir} is not there yet`);
  }
  if (value.uid !== 0 || (value.mode & 0o022) !== 0) return finding(id, 'critical', 'others than root may change the state of the daemon', looseOn([value]), 'Last good policies come from there.', `chown root: ${config.stateDir} && chmod 700 ${config.stateDir}`);
  if ((value.mode & 0o077) !== 0) return finding(id, 'info', 'others than root may read the state of the daemon', [`${config.stateDir}: mode ${octal(value.mode)}`], 'It says what services talk to.', `chmod 700 ${config.stateDir}`);
  return fine(id, 'only root may read or change the state of the daemon');
}

function bootFile({ bootFile: { way, text }, config, services, daemon }: Pick<Survey, 'bootFile' | 'config' | 'services' | 'daemon'>): DoctorCheck {
  const id = 'boot-file';
  if (!way.ok) return notChecked(id, way.why);
  if (way.value.length === 0 || (text.ok && text.value === null)) return finding(id, 'warning', `there is no ${config.bootFile}`, [], 'At boot, whoever the policies name is shut until the daemon runs; whoever is only known to a directory service is open.', 'systemctl start netwalld writes it');
  const found = looseOn(way.value);
  if (found.length > 0) return finding(id, 'critical', 'others than root may change what is loaded at boot', found, 'Whoever may write there opens the wall at the next boot.', 'chown root: PATH && chmod go-w PATH');
  if (!text.ok) return notChecked(id, text.why);
  if (text.value !== null && !isWhole(text.value)) return finding(id, 'warning', `${config.bootFile} is not as netwalld wrote it`, [], 'It is not loaded: after a boot everybody who was governed is shut until the daemon runs.', 'netwallctl reload; if it stays so: systemctl restart netwalld');
  if (daemon.reach !== 'answers') return fine(id, `${config.bootFile} is there; whether it is current only the daemon knows`);
  const there = bootIds(text.value ?? '');
  const absent = services.filter(({ kind, ids }) => ids.some((one) => !there[kind].has(one))).map(({ service }) => service);
  if (absent.length > 0 && daemon.status.trial === null && daemon.status.learning.length === 0) return finding(id, 'warning', `${config.bootFile} is not current`, [`without: ${absent.slice(0, 8).join(', ')}`], 'After a boot these are not confined until the daemon runs.', 'netwallctl reload; if it stays so: journalctl -u netwalld');
  return fine(id, `${config.bootFile} has everybody who is governed`);
}

function bootUnit({ units }: Pick<Survey, 'units'>): DoctorCheck {
  const id = 'boot-unit';
  if (!units.ok) return notChecked(id, units.why);
  if (units.value === null) return notChecked(id, 'systemd does not run here');
  const unit = units.value.states.get(BOOT_UNIT);
  if (unit?.loaded === true && unit.enabled) return fine(id, `${BOOT_UNIT} loads the wall before any network is up`);
  return finding(id, 'warning', unit?.loaded === true ? `${BOOT_UNIT} is not enabled` : `there is no ${BOOT_UNIT}`, [], 'Services that start before or beside netwalld are open until its first run.', unit?.loaded === true ? `systemctl enable ${BOOT_UNIT}` : 'install it from the package, then systemctl enable netwall-boot.service');
}

export const checkFiles = (survey: Pick<Survey, 'policyDirectories' | 'stateDirectory' | 'bootFile' | 'config' | 'services' | 'daemon' | 'units'>): readonly DoctorCheck[] => [
  directories(survey),
  stateDirectory(survey),
  bootFile(survey),
  bootUnit(survey),
];
