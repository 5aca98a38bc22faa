/** netwalld: what its command line makes of it. */
import { fstatSync } from 'node:fs';
import { CommanderError } from 'commander';
import { destination, type Logger, pino, stdTimeFunctions } from 'pino';
import pretty from 'pino-pretty';
import type { Config } from '../config/config.ts';
import { EXIT, VERSION } from '../control/api.ts';
import { serveMetrics } from '../control/metrics-server.ts';
import { checkInstalled } from '../host/check-policies.ts';
import { readConfigFile } from '../host/config-file.ts';
import { HostError } from '../host/host-error.ts';
import { formatProblem, hasErrors } from '../policy/problem.ts';
import { startDaemon } from './daemon.ts';
import { journalLine } from './journal-line.ts';
import { program } from './program.ts';
import { METRICS_TYPE } from './metrics.ts';

type Flags = { readonly config?: string; readonly check?: boolean; readonly once?: boolean; readonly logLevel?: Config['log']['level'] };

const say = (text: string) => process.stdout.write(`${text}\n`);
const complain = (text: string) => process.stderr.write(`${text}\n`);

function openLog({ level, format }: Config['log']): Logger {
  const options = { level, base: null, timestamp: stdTimeFunctions.isoTime, formatters: { level: (label: string) => ({ level: label }) } };
  if (format === 'json') return pino(options);
  if (!toJournal()) return pino(options, pretty({ colorize: process.stdout.isTTY, sync: true }));
  const out = destination({ dest: 1, sync: true });
  return pino({ ...options, timestamp: false }, { write: (line: string) => out.write(journalLine(line)) });
}

/** Whether standard output is the journal: the variable names the socket that it was (systemd.exec(5)). */
function toJournal(): boolean {
  const { dev, ino } = fstatSync(1);
  return process.env['JOURNAL_STREAM'] === `${dev}:${ino}`;
}

function check(config: Config): number {
  const { files, bad, set } = checkInstalled(config.policyDirs);
  for (const { problems, text } of bad) for (const problem of problems) complain(formatProblem(problem, text));
  if (bad.some(({ problems }) => hasErrors(problems))) return EXIT.invalidPolicy;
  say(`${files} policy files, ${set.services.length} services: good`);
  return EXIT.ok;
}

async function once(config: Config, log: Logger): Promise<number> {
  const daemon = await startDaemon({ config, log, environment: {} });
  await daemon.started;
  await daemon.settled();
  const { state, fault } = daemon.reconciler;
  await daemon.close();
  if (state === 'enforcing') return EXIT.ok;
  complain(`error: ${fault ?? 'not enforced'}`);
  return EXIT.error;
}

async function run(config: Config, log: Logger): Promise<number> {
  const daemon = await startDaemon({ config, log, environment: process.env });
  log.info({ version: VERSION, pid: process.pid, table: config.table }, 'netwalld started');
  const { listen: at } = config.metrics;
  const stopMetrics = at === null ? null : serveMetrics({ at, type: METRICS_TYPE, text: () => daemon.metrics.text(), log });
  process.on('SIGHUP', () => daemon.reload());
  const signal = await new Promise<string>((resolve) => {
    // not once(): signal-exit, which execa brings, ends the process when it finds no listener left beside its own
    process.on('SIGTERM', resolve);
    process.on('SIGINT', resolve);
  });
  stopMetrics?.();
  await daemon.close();
  log.info({ signal }, 'netwalld stopped; the wall stands');
  return EXIT.ok;
}

async function main(flags: Flags): Promise<number> {
  if (process.geteuid?.() !== 0 && flags.check !== true) {
    complain('error: netwalld must run as root: it writes nftables');
    return EXIT.notPermitted;
  }
  const { config, problems, valid } = readConfigFile(flags.config ?? null);
  for (const problem of problems) complain(problem);
  if (!valid) return EXIT.invalidPolicy;
  if (flags.check === true) return check(config);
  const log = openLog({ ...config.log, level: flags.logLevel ?? config.log.level });
  return flags.once === true ? once(config, log) : run(config, log);
}

try {
  program.parse();
  process.exitCode = await main(program.opts<Flags>());
  process.exit();
} catch (error) {
  if (error instanceof CommanderError) process.exit(error.exitCode === 0 ? EXIT.ok : EXIT.usage);
  if (!(error instanceof HostError)) throw error;
  complain(`error: ${error.message}`);
  process.exit(EXIT.error);
}
