/** The commands of netwallctl. Importing this runs nothing: the manual pages and completion are made from it. */
import { userInfo } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import { Argument, Command } from 'commander';
import { type DeniedReport, type DiffReport, type DriftReport, type EventReport, EXIT, type GrantsReport, type PermitReport, type ReloadReport, type ResolveReport, type StatusReport, VERSION, type WhoReport } from '../control/api.ts';
import { ask, ControlError, follow } from '../control/client.ts';
import type { AllowOptions } from './allow.ts';
import { driftText, eventText } from './drift.ts';
import type { ExplainOptions } from './explain.ts';
import type { LearnOptions } from './learn.ts';
import { painter } from './output.ts';
import { statusText } from './status.ts';

type Global = { readonly socket: string; readonly json?: boolean };

const paint = painter(process.stdout.isTTY, process.env);
const say = (text: string) => process.stdout.write(`${text}\n`);
export const complain = (text: string) => process.stderr.write(`${text}\n`);

export const program = new Command('netwallctl')
  .description('Shows and steers the wall that netwalld keeps.')
  .version(VERSION)
  .option('--socket <path>', "the daemon's control socket", '/run/netwall/control.sock')
  .option('--json', 'print JSON for scripts')
  .exitOverride()
  .configureOutput({ outputError: (text, write) => write(text) });

const global = () => program.opts<Global>();
const get = <T>(path: string) => ask<T>(global().socket, 'GET', path);
const post = <T>(path: string) => ask<T>(global().socket, 'POST', path);

/** Prints an answer: as JSON where asked for, else as `text` says it. */
function print(answer: unknown, text: () => string): void {
  say(global().json === true ? JSON.stringify(answer) : text());
}

let exitCode: number = EXIT.ok;
/** What the command that ran says of its outcome. */
export const outcome = () => exitCode;

/** `--json` may stand before or behind the command. */
function command(usage: string, description: string): Command {
  return program
    .command(usage)
    .description(description)
    .option('--json', 'print JSON for scripts')
    .on('option:json', () => program.setOptionValue('json', true));
}

command('status [service]', 'the state at a glance; exit 3 when degraded or drift is open').action(async (service?: string) => {
  const status = await get<StatusReport>('/v1/status');
  if (service !== undefined && !status.services.some((known) => known.service === service)) throw new ControlError('failed', `no service "${service}"`);
  const shown = service === undefined ? status : { ...status, services: status.services.filter((known) => known.service === service) };
  print(shown, () => statusText(status, service ?? null, paint));
  if (status.state === 'degraded' || status.drift.open.length > 0) exitCode = EXIT.differences;
});

command('check [paths...]', 'validate policy files without a daemon (default: those installed); exit 4').action(async (paths: string[]) => {
  const { checkCommand } = await import('./check.ts');
  exitCode = checkCommand(paths, global().json === true, say, complain);
});

command('diff', 'what differs between files and kernel; exit 3').action(async () => {
  const report = await get<DiffReport>('/v1/diff');
  print(report, () => (report.differences.length === 0 ? 'no differences' : report.differences.join('\n')));
  if (report.differences.length > 0) exitCode = EXIT.differences;
});

command('drift', 'what differed from the policies, and what still does; exit 3 when any is open')
  .option('-f, --follow', 'go on with what comes')
  .action(async ({ follow: followed = false }: { readonly follow?: boolean }) => {
    const report = await get<DriftReport>('/v1/drift');
    print(report, () => driftText(report, paint));
    if (report.open.length > 0) exitCode = EXIT.differences;
    if (followed) await events(new URLSearchParams({ recent: '0', type: 'drift' }));
  });

/** Prints events as they come. */
const events = (query: URLSearchParams) =>
  follow(global().socket, `/v1/events?${query.toString()}`, (value) => {
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- the daemon's side of api.ts
    const event = value as EventReport;
    print(event, () => eventText(event, paint));
  });

command('events', 'what happened of late')
  .option('-f, --follow', 'go on with what comes')
  .action(async ({ follow: followed = false }: { readonly follow?: boolean }) => {
    await events(new URLSearchParams(followed ? {} : { follow: '0' }));
  });

command('reload', 're-read everything now; returns when it is enforced').action(async () => {
  const report = await post<ReloadReport>('/v1/reload');
  print(report, () => `generation ${report.generation}`);
  for (const problem of report.problems) complain(problem);
  if (report.problems.length > 0) exitCode = EXIT.invalidPolicy;
  else if (report.state !== 'enforcing') throw new ControlError('failed', 'not enforced: see netwallctl status');
});

command('explain <who> <destination>', 'would it pass, by which line, or what to write; DEST[:PORT[/PROTO]]; exit 6 when refused')
  .option('--inbound', "who connects in: DEST is the peer's address and the service's own port")
  .option('--offline', 'by the installed files alone, without asking the daemon')
  .action(async (who: string, destination: string, options: ExplainOptions) => {
    const { explainCommand } = await import('./explain.ts');
    exitCode = await explainCommand(global().socket, who, destination, options, { json: global().json === true, say, complain, paint });
  });

command('who <destination>', 'which services may reach a name or address, by which entries').action(async (destination: string) => {
  const report = await get<WhoReport>(`/v1/who?${new URLSearchParams({ to: destination }).toString()}`);
  const { whoText } = await import('./who.ts');
  print(report, () => whoText(report, paint));
});

command('allow <service> <dest-ports...>', 'add a permission to the policy file of a service: DEST… PORT…; shows the change, --write makes it; exit 6 when a deny entry wins')
  .option('--inbound', 'from DEST to PORT of the service; DEST "any" is everybody')
  .option('--from', 'the same as --inbound')
  .option('--comment <text>', 'a comment beside the entry')
  .option('--private', 'the names may have private addresses')
  .option('--write', 'write the file, and return when it is enforced')
  .action(async (service: string, words: string[], options: AllowOptions) => {
    const { allowCommand } = await import('./allow.ts');
    exitCode = await allowCommand(global().socket, service, words, options, { json: global().json === true, say, complain, paint });
  });

command('resolve <name>', 'look a name up now, whatever is known of it').action(async (name: string) => {
  const report = await post<ResolveReport>(`/v1/resolve?${new URLSearchParams({ name }).toString()}`);
  print(report, () => [`${report.name}: ${report.addresses.join(' ') || (report.error ?? 'no addresses')}`, `listed by: ${report.services.join(', ') || 'no policy'}`].join('\n'));
  if (report.addresses.length === 0) exitCode = EXIT.error;
});

command('plan [paths...]', 'what policy files would allow, refuse and end if they were installed; exit 3').action(async (paths: string[]) => {
  const { planCommand } = await import('./plan.ts');
  exitCode = await planCommand(global().socket, paths, { json: global().json === true, paint, say, complain });
});

command('try [paths...]', 'apply policy files for a while; rolled back unless confirmed (exit 8)')
  .option('--timeout <duration>', 'how long', '60s')
  .option('--confirm', 'keep what is being tried: install it')
  .option('--cancel', 'roll back what is being tried now')
  .action(async (paths: string[], options: { readonly timeout: string; readonly confirm?: boolean; readonly cancel?: boolean }) => {
    const { tryCommand } = await import('./try.ts');
    exitCode = await tryCommand(global().socket, paths, options, { json: global().json === true, say, complain });
  });

const DENIED_MILLISECONDS = 1000;
command('denied [service]', "refused destinations from the kernel's own record, with the names DNS gave for them, and why")
  .option('-f, --follow', 'go on with what comes')
  .option('--since <duration>', 'only what was refused within: 10m, 1h (the kernel remembers for an hour)')
  .action(async (service: string | undefined, options: { readonly follow?: boolean; readonly since?: string }) => {
    const { deniedLines, deniedText, DeniedFollower } = await import('./denied.ts');
    const { parseDuration } = await import('../config/duration.ts');
    const since = options.since === undefined ? null : parseDuration(options.since, { least: 1000, most: 24 * 3_600_000 });
    if (since?.ok === false) throw new ControlError('invalid', `${since.fault}: ${since.hint ?? ''}`);
    const read = () => {
      const query = new URLSearchParams({ ...(service === undefined ? {} : { service }), ...(since?.ok === true ? { since: `${Date.now() - since.value}` } : {}) });
      return get<DeniedReport>(`/v1/denied?${query.toString()}`);
    };
    const report = await read();
    print(report, () => deniedText(report, paint));
    if (options.follow !== true) return;
    const follower = new DeniedFollower();
    follower.news(report);
    for (;;) {
      await sleep(DENIED_MILLISECONDS);
      const news = follower.news(await read());
      if (global().json === true) for (const entry of [...news.denied, ...news.refusedNames]) say(JSON.stringify(entry));
      else for (const line of deniedLines(news)) say(line);
    }
  });

command('learn <service>', 'let a service do what it likes for a while, and print a policy from what it did')
  .option('--for <duration>', 'for how long: 10m, 1h, 1d', '10m')
  .option('--wildcards', 'three or more names below one become a wildcard')
  .option('-o, --output <file>', 'write the policy there')
  .option('--stop', 'end it now, from elsewhere')
  .action(async (service: string, options: LearnOptions) => {
    const { learnCommand } = await import('./learn.ts');
    exitCode = await learnCommand(global().socket, service, options, { json: global().json === true, say, complain });
  });

command('grant <service> <destination> <ports...>', 'a permission for a while, which runs out in the kernel; DESTINATION and PORTS as in a policy file')
  .requiredOption('--for <duration>', 'for how long: 30s, 10m, 1h, 2d')
  .requiredOption('--reason <text>', 'why; shown in status until it is over')
  .option('--private', 'a domain may resolve to private and other special-use addresses')
  .action(async (service: string, to: string, ports: string[], options: { readonly for: string; readonly reason: string; readonly private?: boolean }) => {
    const query = new URLSearchParams({ service, to, for: options.for, reason: options.reason, by: process.env['SUDO_USER'] ?? userInfo().username });
    for (const port of ports) query.append('port', port);
    if (options.private === true) query.set('private', '1');
    const granted = await post<PermitReport>(`/v1/grant?${query.toString()}`);
    print(granted, () => `grant ${granted.id}: ${granted.service} may reach ${granted.to} at ${granted.ports.join(', ')} until ${granted.until}; end it with: netwallctl revoke ${granted.id}`);
  });

command('grants', 'permissions for a while that are in force').action(async () => {
  const report = await get<GrantsReport>('/v1/grants');
  const { grantsText } = await import('./grants.ts');
  print(report, () => grantsText(report.grants, paint));
});

command('revoke <grant>', 'end a grant before its time: its number, a service, or "all"').action(async (which: string) => {
  const report = await post<GrantsReport>(`/v1/revoke?${new URLSearchParams({ which }).toString()}`);
  print(report, () => report.grants.map(({ id, service, to }) => `grant ${id} has ended: ${service} to ${to}`).join('\n'));
});

command('block <service>', 'shut a service at once: nothing out, nothing in, until unblock').action(async (service: string) => {
  const report = await post(`/v1/block?${new URLSearchParams({ service }).toString()}`);
  print(report, () => `${service} is blocked; end it with: netwallctl unblock ${service}`);
});

command('unblock <service>', 'its policy counts again').action(async (service: string) => {
  const report = await post(`/v1/unblock?${new URLSearchParams({ service }).toString()}`);
  print(report, () => `${service} is no longer blocked`);
});

command('doctor', 'what could weaken the wall on this host, and what to do about it; exit 3 when anything')
  .option('-v, --all', 'also what is fine')
  .action(async ({ all = false }: { readonly all?: boolean }) => {
    const { doctorCommand } = await import('./doctor.ts');
    exitCode = await doctorCommand(global().socket, { json: global().json === true, all, path: process.env['PATH'] ?? '', paint, say });
  });

command('unload', 'remove the wall: nothing is confined until reload or the next start').action(async () => {
  const report = await post('/v1/unload');
  print(report, () => 'unloaded: nothing is confined any more');
});

command('schema', 'print the JSON Schema of policy files or of the configuration, for editors')
  .addArgument(new Argument('[kind]', 'of which files').choices(['policy', 'config']).default('policy'))
  .action(async (kind: 'policy' | 'config') => {
    const { schemaText } = await import('./schema.ts');
    say(schemaText(kind));
  });

command('completion', 'print what completes commands, options and services in a shell')
  .addArgument(new Argument('<shell>', 'which').choices(['bash', 'zsh', 'fish']))
  .action(async (shell: 'bash' | 'zsh' | 'fish') => {
    const { completionScript } = await import('./completion.ts');
    say(completionScript(program, shell));
  });

program
  .command('__complete <what> [words...]', { hidden: true })
  .action(async (_what: string, words: string[]) => {
    const { knownServices } = await import('./completion.ts');
    for (const name of await knownServices(words, global().socket)) say(name);
  });
