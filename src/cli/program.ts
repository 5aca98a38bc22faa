/** The commands of netwallctl. Importing this runs nothing: the manual pages and completion are made from it. */
import { userInfo } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import { Argument, Command, InvalidArgumentError, Option } from 'commander';
import { type DeniedReport, type DiffReport, type DriftReport, type EventReport, EXIT, type GrantsReport, type PermitReport, type ReloadReport, type ResolveReport, type StatusReport, type TrafficReport, VERSION, type WhoReport } from '../control/api.ts';
import { ask, ControlError, follow } from '../control/client.ts';
import type { AllowOptions } from './allow.ts';
import type { ExplainOptions } from './explain.ts';
import type { LearnOptions } from './learn.ts';
import { COLOUR_CHOICES, type ColourChoice, isUnicode, type Look, lookOf, type Paint, printable, shown, shownAll } from './output.ts';
import type { Sort } from './rates.ts';
import { statusText } from './status.ts';
import { type Clock, clockOf, TIME_STYLES, type TimeStyle } from './time.ts';

type Global = { readonly socket: string; readonly json?: boolean; readonly output?: 'text' | 'wide' | 'json'; readonly color?: ColourChoice };

/** As this terminal is now, and as was asked for. */
const look = (): Look => {
  const { color = 'auto', output } = global();
  return lookOf(process.stdout, process.env, { color, wide: output === 'wide' });
};
const paint: Paint = (colour, text) => look().paint(colour, text);
const say = (text: string) => process.stdout.write(`${global().json === true ? shown(text) : printable(text, isUnicode(process.env))}\n`);
export const complain = (text: string) => process.stderr.write(`${printable(text, isUnicode(process.env))}\n`);

const outputOption = () => new Option('-o, --output <format>', 'how much and in what form: wide leaves nothing out, json is for scripts').choices(['text', 'wide', 'json']);
const colourOption = () => new Option('--color <when>', 'colours').choices(COLOUR_CHOICES);

export const program = new Command('netwallctl')
  .description('Shows and steers the wall that netwalld keeps.')
  .version(VERSION)
  .option('--socket <path>', "the daemon's control socket", '/run/netwall/control.sock')
  .option('--json', 'print JSON for scripts: -o json')
  .addOption(outputOption())
  .addOption(colourOption())
  .configureHelp({ showGlobalOptions: true })
  .exitOverride()
  .configureOutput({ outputError: (text, write) => write(text) });

function global(): Global {
  const options = program.opts<Global>();
  return { ...options, json: options.json === true || options.output === 'json' };
}
/** What a terminal would obey is taken out of what people are to read; scripts get it as it is. */
const readable = <T>(answer: T): T => (global().json === true ? answer : shownAll(answer));
const get = async <T>(path: string) => readable(await ask<T>(global().socket, 'GET', path));
const post = async <T>(path: string) => readable(await ask<T>(global().socket, 'POST', path));

/** Prints an answer: as JSON where asked for, else as `text` says it. */
function print(answer: unknown, text: () => string): void {
  say(global().json === true ? JSON.stringify(answer) : text());
}

let exitCode: number = EXIT.ok;
/** What the command that ran says of its outcome. */
export const outcome = () => exitCode;

/** What holds for every command may stand before or behind it. */
function command(usage: string, description: string): Command {
  return program
    .command(usage)
    .description(description)
    .addOption(new Option('--json').hideHelp())
    .addOption(outputOption().hideHelp())
    .addOption(colourOption().hideHelp())
    .on('option:json', () => program.setOptionValue('json', true))
    .on('option:output', (format: string) => program.setOptionValue('output', format))
    .on('option:color', (when: string) => program.setOptionValue('color', when));
}

type Timed = { readonly time?: TimeStyle; readonly utc?: boolean };

/** For commands that show times. */
const timed = (of: Command): Command =>
  of.addOption(new Option('--time <style>', 'how long ago, or when by the clock (default: relative)').choices(TIME_STYLES)).option('--utc', 'when, in UTC: --time utc');
const clock = ({ time, utc }: Timed): Clock => clockOf(time ?? (utc === true ? 'utc' : 'relative'), Date.now);

timed(command('status [service]', 'the state at a glance; of one service in detail; exit 3 when degraded or drift is open')).action(async (service: string | undefined, options: Timed) => {
  const status = await get<StatusReport>(service === undefined ? '/v1/status' : `/v1/status?${new URLSearchParams({ service }).toString()}`);
  print(status, () => statusText(status, service ?? null, look(), clock(options)));
  if (status.state === 'degraded' || status.drift.open.length > 0) exitCode = EXIT.differences;
});

/** A number of times, at least once. */
function times(text: string): number {
  if (!/^[1-9][0-9]{0,8}$/.test(text)) throw new InvalidArgumentError('write a whole number, 1 or more.');
  return Number(text);
}

command('top [services...]', 'what goes on now, for each service and destination')
  .option('--interval <duration>', 'how often: 200ms or more', '1s')
  .option('-n, --count <times>', 'how many tables; without it until q or Ctrl-C', times)
  .addOption(new Option('--sort <by>', 'what comes first').choices(['packets', 'bytes', 'denied', 'name']).default('packets'))
  .action(async (services: string[], options: { readonly interval: string; readonly count?: number; readonly sort: Sort }) => {
    const { topCommand } = await import('./top.ts');
    await topCommand(services, options, { get: (path) => get<TrafficReport>(path), json: global().json === true, say, look });
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

timed(command('drift', 'what differed from the policies, and what still does; exit 3 when any is open'))
  .option('-f, --follow', 'go on with what comes')
  .action(async ({ follow: followed = false, ...options }: Timed & { readonly follow?: boolean }) => {
    const report = await get<DriftReport>('/v1/drift');
    const { driftText } = await import('./drift.ts');
    print(report, () => driftText(report, look(), clock(options)));
    if (report.open.length > 0) exitCode = EXIT.differences;
    if (followed) await events(new URLSearchParams({ recent: '0', type: 'drift' }), clock(options));
  });

/** Prints events as they come. */
async function events(query: URLSearchParams, when: Clock): Promise<void> {
  const { eventText } = await import('./drift.ts');
  await follow(global().socket, `/v1/events?${query.toString()}`, (value) => {
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- the daemon's side of api.ts
    const event = readable(value as EventReport);
    print(event, () => eventText(event, look(), when));
  });
}

timed(command('events', 'what happened of late'))
  .option('-f, --follow', 'go on with what comes')
  .action(async ({ follow: followed = false, ...options }: Timed & { readonly follow?: boolean }) => {
    await events(new URLSearchParams(followed ? {} : { follow: '0' }), clock(options));
  });

command('reload', 're-read everything now; returns when it is enforced').action(async () => {
  const report = await post<ReloadReport>('/v1/reload');
  print(report, () => `generation ${report.generation}`);
  for (const problem of report.problems) complain(problem);
  if (report.state !== 'enforcing') throw new ControlError('failed', 'not enforced: see netwallctl status');
  if (report.problems.length > 0) exitCode = EXIT.invalidPolicy;
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
timed(command('denied [service]', "refused destinations from the kernel's own record, with the names DNS gave for them, and why"))
  .option('-f, --follow', 'go on with what comes')
  .option('--since <duration>', 'only what was refused within: 10m, 1h (the kernel remembers for an hour)')
  .action(async (service: string | undefined, options: Timed & { readonly follow?: boolean; readonly since?: string }) => {
    const { deniedLines, deniedText, DeniedFollower } = await import('./denied.ts');
    const { withProcesses } = await import('./denied-processes.ts');
    const { parseDuration } = await import('../config/duration.ts');
    const since = options.since === undefined ? null : parseDuration(options.since, { least: 1000, most: 24 * 3_600_000 });
    if (since?.ok === false) throw new ControlError('invalid', `${since.fault}: ${since.hint ?? ''}`);
    const read = () => {
      const query = new URLSearchParams({ ...(service === undefined ? {} : { service }), ...(since?.ok === true ? { since: `${Date.now() - since.value}` } : {}) });
      return get<DeniedReport>(`/v1/denied?${query.toString()}`);
    };
    const found = await read();
    // what a process is called is up to the process
    const report = readable({ ...found, denied: withProcesses(found.denied) });
    print(report, () => deniedText(report, look(), clock(options)));
    if (options.follow !== true) return;
    const follower = new DeniedFollower();
    follower.news(found);
    for (;;) {
      await sleep(DENIED_MILLISECONDS);
      const news = follower.news(await read());
      if (global().json === true) for (const entry of [...withProcesses(news.denied), ...news.refusedNames]) say(JSON.stringify(entry));
      else for (const line of deniedLines(shownAll(news), clock(options))) say(line);
    }
  });

command('learn <service>', 'let a service do what it likes for a while, and print a policy from what it did')
  .option('--for <duration>', 'for how long: 10m, 1h, 1d', '10m')
  .option('--wildcards', 'three or more names below one become a wildcard')
  .option('--write <file>', 'write the policy there instead of printing it')
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
