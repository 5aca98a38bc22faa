/** Other tables on the same hooks, and who writes them. Pure. */
import type { DoctorCheck } from '../../control/api.ts';
import type { Known } from '../../host/survey/known.ts';
import type { Units, UnitState } from '../../host/survey/units.ts';
import { fine, finding, notChecked } from './finding.ts';
import type { Daemon, Survey } from './survey.ts';

const MANAGERS = ['firewalld.service', 'ufw.service', 'docker.service', 'nftables.service', 'iptables.service', 'netfilter-persistent.service', 'shorewall.service'];
/** Whose state is wanted of systemd. */
export const TABLE_UNITS: readonly string[] = MANAGERS;

const stateOf = (units: Known<Units | null>, unit: string): UnitState | null => (units.ok ? (units.value?.states.get(unit) ?? null) : null);

const guardHeld = (daemon: Daemon) => daemon.reach === 'answers' && daemon.status.guard.state === 'held';

function flushes({ nftablesConf, units, daemon }: Pick<Survey, 'nftablesConf' | 'units' | 'daemon'>): DoctorCheck {
  const id = 'flush-ruleset';
  if (!nftablesConf.ok) return notChecked(id, nftablesConf.why);
  if (nftablesConf.value === null || !/^\s*flush\s+ruleset\b/m.test(nftablesConf.value)) return fine(id, 'nothing in /etc/nftables.conf flushes the wall');
  const unit = stateOf(units, 'nftables.service');
  if (unit !== null && !unit.enabled && !unit.active) return fine(id, '/etc/nftables.conf flushes all tables, and nothing loads it');
  const found = [`/etc/nftables.conf begins with "flush ruleset"${unit === null ? '' : '; nftables.service is enabled'}.`];
  const remedy = 'in /etc/nftables.conf flush your own tables only: "table inet filter; delete table inet filter"';
  if (guardHeld(daemon)) {
    return unit === null
      ? fine(id, 'a flush of all tables is held by the guard')
      : finding(id, 'info', 'nftables.service flushes all tables', found, 'Each restart removes the table. Until it is back, tens of milliseconds to seconds by the number of policies, the guard drops what governed services send, allowed or not.', remedy);
  }
  if (daemon.reach === 'not permitted') return notChecked(id, 'only root and members of group netwall may ask whether the guard is there');
  return finding(id, unit === null ? 'info' : 'warning', 'a flush of all tables opens the wall', found, 'There is no guard now: from the flush until the repair, or for as long as netwalld is not running, nothing is confined.', `start netwalld, set guard.mark in netwalld.yaml, or ${remedy}`);
}

function managers({ units, ufwConf }: Pick<Survey, 'units' | 'ufwConf'>): DoctorCheck {
  const id = 'firewall-managers';
  const ufw = ufwConf.ok && /^ENABLED=yes\b/m.test(ufwConf.value ?? '');
  const active = MANAGERS.filter((unit) => (unit === 'ufw.service' ? ufw : stateOf(units, unit)?.active === true)).map((unit) => unit.replace('.service', ''));
  if (active.length === 0) return units.ok ? fine(id, 'no other program manages a firewall') : notChecked(id, units.why);
  return finding(id, 'info', `also in charge of packets: ${active.join(', ')}`, [], 'What netwalld allows must be allowed there as well; nothing they accept passes netwalld. Their reloads do not touch its table, a "flush ruleset" does.', 'allow the same destinations there, or none: netwallctl drift says when they differ');
}

function others({ otherTables }: Pick<Survey, 'otherTables'>): DoctorCheck {
  const id = 'other-tables';
  if (!otherTables.ok) return notChecked(id, otherTables.why);
  if (otherTables.value.length === 0) return fine(id, 'no other table drops, turns or hides what policies allow');
  return finding(id, 'warning', 'other tables on the same hooks', otherTables.value, 'No table can let pass what netwalld refuses, but each may drop what it allows, turn DNS queries before netwalld gets them, or keep flows from being tracked.', 'nft list ruleset, and take these rules out or add what the policies allow');
}

export const checkTables = (survey: Pick<Survey, 'otherTables' | 'nftablesConf' | 'ufwConf' | 'units' | 'daemon'>): readonly DoctorCheck[] => [others(survey), flushes(survey), managers(survey)];
