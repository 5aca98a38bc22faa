/** Reads everything that a survey needs, side by side where it takes other programs. */
import type { StatusReport } from '../../control/api.ts';
import { ask, ControlError } from '../../control/client.ts';
import type { Config } from '../../config/config.ts';
import { DEFAULT_CONFIG } from '../../config/config.ts';
import { openAccounts } from '../../host/accounts.ts';
import { checkInstalled } from '../../host/check-policies.ts';
import { readConfigFile } from '../../host/config-file.ts';
import { HostError } from '../../host/host-error.ts';
import { readConntrack } from '../../host/survey/conntrack.ts';
import { readEngines, readNames, readOwned, readSudoers, readTextFile, readWay } from '../../host/survey/files.ts';
import { readKernel, readNftVersion, readRuleset } from '../../host/survey/kernel.ts';
import { readKernelSockets } from '../../host/survey/kernel-sockets.ts';
import { type Known, known } from '../../host/survey/known.ts';
import { readPeople } from '../../host/survey/people.ts';
import { openSockets, readProcesses } from '../../host/survey/processes.ts';
import { programDirectories, readCapablePrograms, readSetIdPrograms } from '../../host/survey/programs.ts';
import { readUnits } from '../../host/survey/units.ts';
import type { PolicySet } from '../../policy/policy-set.ts';
import { accountNames, resolvePrincipals } from '../../resolve/principals.ts';
import { shadows } from '../../ruleset/shadow.ts';
import { BOOT_UNIT } from './files.ts';
import { NAME_SOCKETS } from './name-services.ts';
import { governor } from './subjects.ts';
import type { Daemon, Governed, Survey } from './survey.ts';
import { TABLE_UNITS } from './tables.ts';

async function askDaemon(socket: string): Promise<Daemon> {
  try {
    return { reach: 'answers', status: await ask<StatusReport>(socket, 'GET', '/v1/status') };
  } catch (error) {
    if (!(error instanceof ControlError)) throw error;
    const reach = error.reason === 'not reachable' || error.reason === 'not permitted' ? error.reason : 'failed';
    return { reach, message: error.message };
  }
}

function configuration(): { readonly config: Config; readonly problem: string | null } {
  try {
    const { config, problems, valid } = readConfigFile(null);
    return { config, problem: valid ? null : (problems[0] ?? 'not valid') };
  } catch (error) {
    if (!(error instanceof HostError)) throw error;
    return { config: DEFAULT_CONFIG, problem: error.message };
  }
}

/** Who is governed by the files alone, as NSS knows them now. */
async function servicesOfFiles({ services }: PolicySet): Promise<readonly Governed[]> {
  const accounts = openAccounts(null);
  await accounts.refresh(accountNames(services), false);
  const principals = resolvePrincipals(services, accounts.id);
  return services.map(({ service, kind, linked }, at) => ({
    service,
    kind,
    linked,
    mode: linked?.policy.mode ?? 'block',
    dns: linked?.policy.dns ?? 'none',
    ids: principals[at]?.ids ?? [],
  }));
}

/** What the daemon says counts; what a service may reach is in its file. */
function servicesOfDaemon({ services }: StatusReport, installed: PolicySet): readonly Governed[] {
  const entries = new Map(installed.services.map((entry) => [entry.service, entry]));
  return services.map(({ service, mode, dns, uids, gids }) => ({ service, mode, dns: dns.mode, kind: gids.length > 0 ? 'group' : 'user', ids: [...uids, ...gids], linked: entries.get(service)?.linked ?? null }));
}

const ANYBODY = { uid: 65_534, gid: 65_534, groups: [] };
/** Names of at(1)'s spool: `a` and a number; the file is its owner's. */
const AT_JOB = /^[a-z=][0-9a-f]{13}$/;

function atJobs(): Known<readonly number[]> {
  const directory = '/var/spool/cron/atjobs';
  const names = readNames(directory);
  if (!names.ok) return names;
  return known(
    names.value.filter((name) => AT_JOB.test(name)).flatMap((name) => {
      const file = readOwned(`${directory}/${name}`);
      return file.ok && file.value !== null ? [file.value.uid] : [];
    }),
  );
}

/** Where the daemon answers it has looked already. */
async function otherTables(daemon: Daemon, config: Config): Promise<Known<readonly string[]>> {
  if (daemon.reach === 'answers') return known(daemon.status.drift.open.filter(({ kind }) => kind === 'shadow').map(({ detail }) => detail));
  const listing = await readRuleset(config.nft);
  return listing.ok ? known(shadows(listing.value, { name: config.table, mark: config.guardMark })) : listing;
}

export async function gather(socket: string, path: string): Promise<Survey> {
  const { config, problem: configProblem } = configuration();
  const daemon = await askDaemon(socket);
  const { set } = checkInstalled(config.policyDirs);
  const services = daemon.reach === 'answers' ? servicesOfDaemon(daemon.status, set) : await servicesOfFiles(set);
  const governing = governor(services);
  const idsOf = (kind: Governed['kind']) => new Set(services.flatMap((service) => (service.kind === kind ? service.ids : [])));
  const people = await readPeople(idsOf('user'), idsOf('group'));
  const names = new Set([...idsOf('user')].map(String).concat(people.ok ? people.value.persons.map(({ name }) => name) : []));
  const directories = programDirectories(path);
  const [capablePrograms, nft, units, tables, kernelSockets] = await Promise.all([
    readCapablePrograms(directories),
    readNftVersion(config.nft),
    readUnits((user) => names.has(user), [BOOT_UNIT, ...TABLE_UNITS]),
    otherTables(daemon, config),
    readKernelSockets(),
  ]);
  return {
    now: new Date(),
    runtime: process.versions.node,
    daemon,
    config,
    configProblem,
    services,
    conntrack: readConntrack(),
    otherTables: tables,
    nftablesConf: readTextFile('/etc/nftables.conf'),
    ufwConf: readTextFile('/etc/ufw/ufw.conf'),
    nsswitch: readTextFile('/etc/nsswitch.conf'),
    nameSockets: openSockets('', NAME_SOCKETS, ANYBODY),
    processes: readProcesses((one) => governing(one) !== null, NAME_SOCKETS),
    people,
    setIdPrograms: readSetIdPrograms(directories),
    capablePrograms,
    sudoers: readSudoers(),
    crontabs: readNames('/var/spool/cron/crontabs'),
    atJobs: atJobs(),
    engines: readEngines(),
    kernel: readKernel(),
    kernelSockets,
    nft,
    units,
    policyDirectories: config.policyDirs.map((directory) => ({ path: directory, way: readWay(directory) })),
    bootFile: { way: readWay(config.bootFile), text: readTextFile(config.bootFile) },
    stateDirectory: readOwned(config.stateDir),
  };
}
