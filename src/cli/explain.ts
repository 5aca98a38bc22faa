/** `netwallctl explain`: asks the daemon; without one it answers from the files alone. */
import { readFileSync } from 'node:fs';
import { EXIT, type ExplainReport } from '../control/api.ts';
import { ask, ControlError } from '../control/client.ts';
import { explain } from '../control/explain.ts';
import { readResolvConf } from '../dns/resolv-conf.ts';
import { openAccounts } from '../host/accounts.ts';
import { checkInstalled } from '../host/check-policies.ts';
import { readConfigFile } from '../host/config-file.ts';
import { parseAddress } from '../net/address.ts';
import { resolvePrincipals } from '../resolve/principals.ts';
import { blocked, confine } from '../ruleset/confinement.ts';
import { bytesText, type Paint } from './output.ts';

export type ExplainOptions = { readonly inbound?: boolean; readonly offline?: boolean };
type Output = { readonly json: boolean; readonly say: (text: string) => void; readonly complain: (text: string) => void; readonly paint: Paint };

/** The daemon has a port for the DNS of each service; which one does not matter here. */
const SOME_PORT = 1;

function nameservers() {
  try {
    return readResolvConf(readFileSync('/etc/resolv.conf', 'utf8')).flatMap(({ address }) => {
      const parsed = parseAddress(address);
      return parsed.ok ? [parsed.value] : [];
    });
  } catch {
    return [];
  }
}

async function fromFiles(who: string, destination: string, inbound: boolean): Promise<ExplainReport> {
  const { services } = checkInstalled(readConfigFile(null).config.policyDirs).set;
  const wanted = { user: new Set<string>(), group: new Set<string>() };
  for (const { kind, subjects } of services) for (const { id } of subjects) if (typeof id === 'string') wanted[kind].add(id);
  const accounts = openAccounts(null);
  await accounts.refresh(wanted, true);
  const principals = resolvePrincipals(services, accounts.id);
  const confinements = services.map(({ service, kind, linked, at }, index) => {
    const ids = principals[index]?.ids ?? [];
    return linked === null ? blocked(service, kind, ids, at) : confine(linked, { ids, nameservers: nameservers(), addresses: new Map(), dnsPort: SOME_PORT });
  });
  const named = services.some(({ service }) => service === who);
  const answer = explain({ who, destination, inbound, offline: true }, confinements, () => [], named ? null : await accounts.owner(who));
  if (!answer.ok) throw new ControlError('invalid', answer.error);
  return { ...answer.report, name: null, counters: null };
}

async function fromDaemon(socket: string, who: string, destination: string, inbound: boolean): Promise<ExplainReport | null> {
  try {
    return await ask<ExplainReport>(socket, 'GET', `/v1/explain?${new URLSearchParams({ who, to: destination, ...(inbound ? { inbound: '1' } : {}) }).toString()}`);
  } catch (error) {
    if (error instanceof ControlError && error.reason === 'not reachable') return null;
    throw error;
  }
}

const COLOURS = { allow: 'green', refuse: 'red', audit: 'yellow' } as const;

export function explanationText(report: ExplainReport, paint: Paint): string {
  const { verdict, reason, address, rule, name, counters, suggestion } = report;
  const lines = [`${paint(COLOURS[verdict], verdict)}: ${reason}`];
  if (rule !== null) lines.push(`  ${rule.file}:${rule.line}:${rule.column}`);
  if (address !== null) lines.push(`  address: ${address}`);
  if (name !== null) {
    const alias = name.aliasOf.length === 0 ? '' : `, alias of ${name.aliasOf.join(' → ')}`;
    const age = name.ageSeconds === null ? '' : `, in an answer ${name.ageSeconds} s ago`;
    lines.push(`  name: ${name.name}${alias}${age}${name.addresses.length === 0 ? '' : `: ${name.addresses.join(' ')}`}`);
  }
  if (counters !== null) lines.push(`  ${verdict === 'allow' ? 'passed' : 'recorded'}: ${counters.packets} packets, ${bytesText(counters.bytes)}`);
  if (suggestion !== null) lines.push(`  hint: ${suggestion}`);
  return lines.join('\n');
}

/** Returns the exit code. Throws ControlError, HostError. */
export async function explainCommand(socket: string, who: string, destination: string, { inbound = false, offline = false }: ExplainOptions, { json, say, complain, paint }: Output): Promise<number> {
  let report = offline ? null : await fromDaemon(socket, who, destination, inbound);
  if (report === null) {
    complain(`${offline ? '' : 'netwalld does not answer: '}this is what the installed files say, without what operators blocked or granted`);
    report = await fromFiles(who, destination, inbound);
  }
  say(json ? JSON.stringify(report) : explanationText(report, paint));
  return report.verdict === 'refuse' ? EXIT.refused : EXIT.ok;
}
