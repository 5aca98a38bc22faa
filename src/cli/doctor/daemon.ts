/** The daemon, as it says of itself. Pure. */
import type { DoctorCheck, StatusReport } from '../../control/api.ts';
import { count, fine, finding, notChecked } from './finding.ts';
import type { Survey } from './survey.ts';

function stateOf({ state, message, services, generation }: StatusReport): DoctorCheck {
  const id = 'daemon';
  if (state === 'enforcing') return fine(id, `netwalld enforces ${count(services.length, 'policy', 'policies')}, generation ${generation}`);
  if (state === 'starting') return finding(id, 'warning', 'netwalld is starting', [], 'Until its first run the table is as an earlier run left it.', 'wait, then: netwallctl status');
  return finding(id, 'critical', 'netwalld does not enforce', [message ?? ''], 'What is in the kernel stays, but is not kept as the policies say; after an unload nothing is confined.', message?.startsWith('unloaded') === true ? 'netwallctl reload' : 'journalctl -u netwalld, then: netwallctl reload');
}

function guardOf({ guard, services }: StatusReport): DoctorCheck {
  const id = 'guard';
  if (guard.state === 'held') return fine(id, 'the guard drops what the table has not judged');
  if (guard.state === 'off' && services.every(({ uids, gids }) => uids.length + gids.length === 0)) return fine(id, 'nobody is governed yet, so there is no guard');
  return finding(id, guard.state === 'failed' ? 'warning' : 'info', guard.state === 'failed' ? 'the guard cannot be had' : 'there is no guard', [guard.message ?? ''], 'When somebody removes the table, governed services are open until it is back.', guard.state === 'failed' ? 'journalctl -u netwalld' : 'set guard.mark in netwalld.yaml');
}

function driftOf({ drift }: StatusReport): DoctorCheck {
  // other tables are the check "other-tables"
  const open = drift.open.filter(({ kind }) => kind !== 'shadow');
  if (open.length === 0) return fine('drift', 'nothing differs from what the policies say');
  return finding('drift', 'warning', `${count(open.length, 'difference')} from what the policies say`, open.map(({ kind, service, detail }) => `${kind}${service === null ? '' : ` (${service})`}: ${detail}`), 'What a policy relies on is not so.', 'netwallctl drift');
}

function servicesOf({ services }: StatusReport): DoctorCheck {
  const wrong = services.filter(({ state }) => state !== 'active');
  if (wrong.length === 0) return fine('services', 'every policy is in force as it is written');
  return finding('services', 'warning', `${count(wrong.length, 'service')} not as written`, wrong.map(({ service, state, message }) => `${service} is ${state}: ${message ?? ''}`), 'stale: the last good version is in force. rejected: blocked. pending: an account does not exist, and is not governed until it does.', 'netwallctl check');
}

function auditOf({ services }: StatusReport): DoctorCheck {
  const audited = services.filter(({ mode }) => mode === 'audit').map(({ service }) => service);
  if (audited.length === 0) return fine('audit', 'no service is only watched');
  return finding('audit', 'info', `${count(audited.length, 'service')} in mode audit`, audited, 'They are watched, not confined: everything passes.', 'when "netwallctl status" shows no more DENIED that matter, remove "mode: audit"');
}

function trialOf({ trial }: StatusReport): DoctorCheck {
  if (trial === null) return fine('trial', 'nothing is being tried');
  return finding('trial', 'info', `policies are on trial until ${trial.until}`, trial.files, 'They are not installed, and end with the time or the daemon.', 'netwallctl try --confirm, or --cancel');
}

function grantsOf({ grants }: StatusReport): DoctorCheck {
  if (grants.length === 0) return fine('grants', 'nothing is granted for a while');
  const found = grants.map(({ id, service, to, ports, until, reason }) => `grant ${id}: ${service} to ${to} at ${ports.join(', ')} until ${until} (${reason})`);
  return finding('grants', 'info', `${count(grants.length, 'grant')} in force`, found, 'They are in no policy file, and end by themselves.', 'netwallctl revoke, once they are not needed');
}

function learningOf({ learning }: StatusReport): DoctorCheck {
  if (learning.length === 0) return fine('learning', 'no service is let do what it likes');
  return finding('learning', 'warning', `${count(learning.length, 'service')} may do what it likes`, learning.map(({ service, until }) => `${service} until ${until}`), 'Everything passes while netwallctl learn watches.', 'netwallctl learn SERVICE --stop');
}

const PARTS: readonly (readonly [id: string, check: (status: StatusReport) => DoctorCheck])[] = [
  ['guard', guardOf],
  ['drift', driftOf],
  ['services', servicesOf],
  ['audit', auditOf],
  ['trial', trialOf],
  ['grants', grantsOf],
  ['learning', learningOf],
];

export function checkDaemon({ daemon, config, configProblem }: Pick<Survey, 'daemon' | 'config' | 'configProblem'>): readonly DoctorCheck[] {
  const configuration =
    configProblem === null
      ? fine('configuration', 'the configuration is good')
      : finding('configuration', 'warning', 'the configuration is not good', [configProblem], `The daemon does not start with it; the defaults were looked at here (policies in ${config.policyDirs.join(', ')}).`, 'netwalld --check');
  if (daemon.reach === 'answers') return [stateOf(daemon.status), ...PARTS.map(([, check]) => check(daemon.status)), configuration];
  const state =
    daemon.reach === 'not permitted'
      ? notChecked('daemon', 'only root and members of group netwall may ask it')
      : finding('daemon', 'critical', 'netwalld does not answer', [daemon.message], 'The table stands if it was loaded, but nobody keeps it: names run out, a flush stays, DNS of services with "dns: filtered" is down.', 'systemctl start netwalld');
  return [state, ...PARTS.map(([id]) => notChecked(id, 'netwalld has to be asked')), configuration];
}
