/** `netwallctl explain`: asks the daemon; without one it answers from the files alone. */
import { EXIT, type ExplainReport } from '../control/api.ts';
import { ask, ControlError } from '../control/client.ts';
import { explain } from '../control/explain.ts';
import { openAccounts } from '../host/accounts.ts';
import { checkInstalled } from '../host/check-policies.ts';
import { systemNameservers } from '../host/nameservers.ts';
import { accountNames, resolvePrincipals } from '../resolve/principals.ts';
import { blocked, confine } from '../ruleset/confinement.ts';
import { installedConfig } from './configuration.ts';
import { bytesText, type ColourPrinter, type Paint } from './output.ts';

export type ExplainOptions = { readonly inbound?: boolean; readonly offline?: boolean };

/** The daemon has a port for the DNS of each service; which one does not matter here. */
const SOME_PORT = 1;

async function fromFiles(who: string, destination: string, inbound: boolean): Promise<ExplainReport> {
  const { services } = checkInstalled(installedConfig().policyDirs).set;
  const accounts = openAccounts(null);
  await accounts.refresh(accountNames(services), true);
  const principals = resolvePrincipals(services, accounts.id);
  const nameservers = systemNameservers();
  const confinements = services.map(({ service, kind, linked, at }, index) => {
    const ids = principals[index]?.ids ?? [];
    return linked === null ? blocked(service, kind, ids, at) : confine(linked, { ids, nameservers, addresses: new Map(), dnsPort: SOME_PORT });
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
export async function explainCommand(socket: string, who: string, destination: string, { inbound = false, offline = false }: ExplainOptions, { json, say, complain, paint }: ColourPrinter): Promise<number> {
  let report = offline ? null : await fromDaemon(socket, who, destination, inbound);
  if (report === null) {
    complain(`${offline ? '' : 'netwalld does not answer: '}this is what the installed files say, without what operators blocked or granted`);
    report = await fromFiles(who, destination, inbound);
  }
  say(json ? JSON.stringify(report) : explanationText(report, paint));
  return report.verdict === 'refuse' ? EXIT.refused : EXIT.ok;
}
