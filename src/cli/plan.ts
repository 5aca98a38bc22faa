/** `netwallctl plan`: what policy files would change if they were installed. Reads them itself; the daemon is only asked for what it knows. */
import { EXIT, type PlanReport, type ServicePlan, type StatusReport } from '../control/api.ts';
import { ask, ControlError } from '../control/client.ts';
import { endingFlows, type LiveFlow } from '../control/ending-flows.ts';
import { inForce, planServices, type Situation } from '../control/policy-plan.ts';
import { openAccounts } from '../host/accounts.ts';
import { type Planned, readPlanned } from '../host/check-policies.ts';
import { HostError } from '../host/host-error.ts';
import { readLastGood } from '../host/last-good.ts';
import { systemNameservers } from '../host/nameservers.ts';
import { socketOwners } from '../host/socket-owners.ts';
import { peerSockets } from '../host/sockets.ts';
import { type Address, parseAddress } from '../net/address.ts';
import { type BadFile, buildPolicySet, type IdOf, type PolicySet, type ServiceEntry } from '../policy/policy-set.ts';
import { formatProblem, hasErrors } from '../policy/problem.ts';
import { listedNames } from '../policy/rule.ts';
import { accountNames } from '../resolve/principals.ts';
import { installedConfig } from './configuration.ts';
import { checkCommand } from './check.ts';
import type { ColourPrinter } from './output.ts';
import { planText } from './plan-text.ts';


async function lookUpAccounts({ installed, candidates }: Planned): Promise<IdOf> {
  const accounts = openAccounts(null);
  await accounts.refresh(accountNames([...installed, ...candidates].flatMap(({ parsed }) => [...parsed.policies, ...parsed.salvage])), true);
  if (accounts.error !== null) throw new HostError('accounts', accounts.error);
  return accounts.id;
}

/** Null: the daemon is not there, or does not tell this user. */
async function askStatus(socket: string): Promise<StatusReport | null> {
  try {
    return await ask<StatusReport>(socket, 'GET', '/v1/status');
  } catch (error) {
    if (error instanceof ControlError && (error.reason === 'not reachable' || error.reason === 'not permitted')) return null;
    throw error;
  }
}

/** What DNS said, by service and for any service that lists the name. */
function addressBook(status: StatusReport | null, entries: readonly ServiceEntry[]): Situation['addressesOf'] {
  const read = (texts: readonly string[]): Address[] =>
    texts.flatMap((text) => {
      const parsed = parseAddress(text);
      return parsed.ok ? [parsed.value] : [];
    });
  const own = new Map((status?.services ?? []).map(({ service, names }) => [service, new Map(names.map(({ name, addresses, guarded }) => [name, read([...addresses, ...guarded])]))]));
  const anybody = new Map([...own.values()].flatMap((names) => [...names]));
  const books = new Map<string, Map<string, readonly Address[]>>();
  for (const { service, linked } of entries) {
    const book = books.get(service) ?? new Map<string, readonly Address[]>(own.get(service));
    for (const name of linked === null ? [] : listedNames(linked)) {
      const known = book.get(name) ?? anybody.get(name);
      if (known !== undefined) book.set(name, known);
    }
    books.set(service, book);
  }
  return (service) => books.get(service) ?? new Map();
}

/** Sockets with their processes, as far as this user may know. */
function liveFlows(): readonly LiveFlow[] {
  const sockets = peerSockets();
  const owners = socketOwners(new Set(sockets.map(({ inode }) => inode)));
  return sockets.map(({ inode, ...flow }) => {
    const owner = owners.get(inode);
    return { ...flow, gid: owner?.gid ?? null, process: owner === undefined ? null : { pid: owner.pid, name: owner.name } };
  });
}

function withEnds(services: readonly ServicePlan[], before: readonly ServiceEntry[], after: readonly ServiceEntry[], situation: Situation): readonly ServicePlan[] {
  if (services.length === 0) return services;
  const endings = endingFlows(inForce(before, situation), inForce(after, situation), liveFlows());
  const listed = new Set(services.map(({ service }) => service));
  return services.map((plan) => {
    const mine = endings.filter((ending) => ending.after === plan.service || (!listed.has(ending.after) && (ending.before === plan.service || ending.before === plan.formerly)));
    return { ...plan, ends: mine.map(({ flow }) => flow) };
  });
}

const errorsOf = ({ badFiles }: PolicySet) => badFiles.filter(({ problems }) => hasErrors(problems));

/** What is said of files that nobody gave. */
function fileNotes(before: PolicySet, after: PolicySet, given: ReadonlySet<string>, lastGoodKnown: boolean): string[] {
  const already = new Set(errorsOf(before).map(({ path }) => path));
  const broken = errorsOf(after).filter(({ path }) => !already.has(path) && !given.has(path));
  return [
    ...[...already].map((path) => (lastGoodKnown ? `${path} is not valid: what is compared is its last good version, if there is one` : `${path} is not valid: what is in force instead is not known without root`)),
    ...broken.flatMap(({ problems }) => problems.filter(({ severity }) => severity === 'error').map(({ at, message }) => `${at.file}:${at.line}:${at.column} would no longer be valid (its last good version stays in force): ${message}`)),
  ];
}

function daemonNotes(status: StatusReport | null, services: readonly ServicePlan[], after: readonly ServiceEntry[], situation: Situation): string[] {
  const concerned = new Set(services.map(({ service }) => service));
  const unknown = new Set(
    after.flatMap(({ service, linked }) => (linked === null || !concerned.has(service) ? [] : listedNames(linked).filter((name) => (situation.addressesOf(service).get(name) ?? []).length === 0))),
  );
  const notes: string[] = [];
  if (status === null && services.length > 0) notes.push('netwalld does not answer here: names are compared without their addresses, and live flows could not be judged by name');
  if (status !== null && unknown.size > 0) notes.push(`no addresses are known yet of ${[...unknown].slice(0, 5).join(', ')}${unknown.size > 5 ? ` and ${unknown.size - 5} more` : ''}: live flows there are taken for refused`);
  if (status !== null && status.state === 'degraded' && services.length > 0) notes.push(`netwalld is degraded, so other flows may live than policies say: ${status.message ?? 'see netwallctl status'}`);
  if (status !== null && status.trial !== null) notes.push('policies are on trial: what is compared is what is installed');
  for (const service of concerned) if (situation.shut.has(service)) notes.push(`${service} is blocked by an operator: nothing of this counts until netwallctl unblock ${service}`);
  if (process.geteuid?.() !== 0 && services.length > 0) notes.push("only root can tell whose flows they are, and which flows of others' processes a group policy ends");
  return notes;
}

/** As `check` does, of what only shows with the ids of accounts. */
function sayRefused(refused: readonly BadFile[], count: number, json: boolean, say: ColourPrinter['say'], complain: ColourPrinter['complain']): void {
  const problems = refused.flatMap((file) => file.problems.map((problem) => ({ problem, text: file.text })));
  if (!json) for (const { problem, text } of problems) complain(formatProblem(problem, text));
  else say(JSON.stringify({ valid: false, files: count, services: [], problems: problems.map(({ problem: { severity, at, message, hint } }) => ({ severity, ...at, message, hint: hint ?? null })) }));
}

/** Returns the exit code. Throws ControlError and HostError. */
export async function planCommand(socket: string, paths: readonly string[], { json, paint, say, complain }: ColourPrinter): Promise<number> {
  if (paths.length === 0) throw new ControlError('invalid', 'which files? netwallctl plan FILE|DIR …');
  const checked: string[] = [];
  const verdict = checkCommand(paths, json, (text) => checked.push(text), complain);
  if (verdict !== EXIT.ok) {
    for (const text of checked) say(text);
    return verdict;
  }
  const config = installedConfig();
  const files = readPlanned(paths, config.policyDirs);
  if (files.candidates.length === 0) throw new ControlError('failed', 'no policy files (*.yaml, *.yml) there');
  const given = new Set(files.candidates.map(({ path }) => path));
  const [idOf, lastGood, status] = await Promise.all([lookUpAccounts(files), readLastGood(config.stateDir), askStatus(socket)]);
  const before = buildPolicySet(files.installed, lastGood ?? new Map(), idOf);
  const after = buildPolicySet(files.over, before.good, idOf);
  const refused = errorsOf(after).filter(({ path }) => given.has(path));
  if (refused.length > 0) {
    sayRefused(refused, files.candidates.length, json, say, complain);
    return EXIT.invalidPolicy;
  }

  const modes = new Map(before.services.map(({ service, linked }) => [service, linked?.policy.mode ?? 'block']));
  const reported = new Map((status?.services ?? []).map((service) => [service.service, service]));
  const situation: Situation = {
    idOf,
    nameservers: systemNameservers(),
    addressesOf: addressBook(status, [...before.services, ...after.services]),
    dnsPortOf: (service) => reported.get(service)?.dns.port ?? null,
    shut: new Set([...reported.values()].filter(({ service, mode, state }) => mode === 'block' && state !== 'rejected' && (modes.get(service) ?? 'block') !== 'block').map(({ service }) => service)),
  };
  const services = withEnds(planServices(before.services, after.services, situation), before.services, after.services, situation);
  const changed = new Set(services.map(({ service }) => service));
  const report: PlanReport = {
    services,
    unchanged: after.services.filter(({ service, at }) => given.has(at.file) && !changed.has(service)).map(({ service }) => service),
    notes: [...fileNotes(before, after, given, lastGood !== null), ...daemonNotes(status, services, after.services, situation)],
  };
  say(json ? JSON.stringify(report) : planText(report, paint));
  if (!json) for (const note of report.notes) complain(`note: ${note}`);
  return services.length > 0 ? EXIT.differences : EXIT.ok;
}
