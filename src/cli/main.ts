/** netwallctl: asks the daemon, or checks files without one. */
import { Command, CommanderError } from 'commander';
import { type DiffReport, type DriftReport, type EventReport, EXIT, type ExplainReport, type ReloadReport, type ResolveReport, type StatusReport, VERSION } from '../control/api.ts';
import { ask, ControlError, follow } from '../control/client.ts';
import { HostError } from '../host/host-error.ts';
import { driftText, eventText } from './drift.ts';
import { painter } from './output.ts';
import { statusText } from './status.ts';

type Global = { readonly socket: string; readonly json?: boolean };

const paint = painter(process.stdout.isTTY, process.env);
const say = (text: string) => process.stdout.write(`${text}\n`);
const complain = (text: string) => process.stderr.write(`${text}\n`);

const program = new Command('netwallctl')
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

command('explain <who> <destination>', 'would it pass, by which line, or what to write; DEST[:PORT[/PROTO]]; exit 6 when refused').action(
  async (who: string, destination: string) => {
    const report = await get<ExplainReport>(`/v1/explain?${new URLSearchParams({ who, to: destination }).toString()}`);
    print(report, () => {
      const colour = { allow: 'green', refuse: 'red', audit: 'yellow' } as const;
      const lines = [`${paint(colour[report.verdict], report.verdict)}: ${report.reason}`];
      if (report.address !== null) lines.push(`  address: ${report.address}`);
      if (report.rule !== null) lines.push(`  ${report.rule.file}:${report.rule.line}:${report.rule.column}`);
      if (report.suggestion !== null) lines.push(`  hint: ${report.suggestion}`);
      return lines.join('\n');
    });
    if (report.verdict === 'refuse') exitCode = EXIT.refused;
  },
);

command('resolve <name>', 'look a name up now, whatever is known of it').action(async (name: string) => {
  const report = await post<ResolveReport>(`/v1/resolve?${new URLSearchParams({ name }).toString()}`);
  print(report, () => [`${report.name}: ${report.addresses.join(' ') || (report.error ?? 'no addresses')}`, `listed by: ${report.services.join(', ') || 'no policy'}`].join('\n'));
  if (report.addresses.length === 0) exitCode = EXIT.error;
});

command('try [paths...]', 'apply policy files for a while; rolled back unless confirmed (exit 8)')
  .option('--timeout <duration>', 'how long', '60s')
  .option('--confirm', 'keep what is being tried: install it')
  .option('--cancel', 'roll back what is being tried now')
  .action(async (paths: string[], options: { readonly timeout: string; readonly confirm?: boolean; readonly cancel?: boolean }) => {
    const { tryCommand } = await import('./try.ts');
    exitCode = await tryCommand(global().socket, paths, options, { json: global().json === true, say, complain });
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

const CONTROL_EXITS = { 'not reachable': EXIT.notReachable, 'not permitted': EXIT.notPermitted, failed: EXIT.error, invalid: EXIT.usage, 'invalid policy': EXIT.invalidPolicy } as const;

try {
  if (process.argv.length <= 2) {
    program.outputHelp({ error: true });
    process.exit(EXIT.usage);
  }
  await program.parseAsync();
  process.exitCode = exitCode;
} catch (error) {
  if (error instanceof CommanderError) process.exit(error.exitCode === 0 ? EXIT.ok : EXIT.usage);
  if (!(error instanceof ControlError) && !(error instanceof HostError)) throw error;
  complain(`error: ${error.message}`);
  process.exitCode = error instanceof ControlError ? CONTROL_EXITS[error.reason] : EXIT.error;
}
