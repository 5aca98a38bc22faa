/** `netwallctl try`: applies policies, and keeps them if somebody says so in time. */
import { createInterface } from 'node:readline';
import { EXIT, type EventReport, type TrialReport, type TrialRequest } from '../control/api.ts';
import { ask, ControlError, follow } from '../control/client.ts';
import { readCandidateFiles } from '../host/check-policies.ts';
import { messageOf } from '../host/host-error.ts';
import type { Printer } from './output.ts';

export type TryOptions = { readonly timeout: string; readonly confirm?: boolean; readonly cancel?: boolean };

/** Returns the exit code. Throws ControlError, and HostError when a file cannot be read. */
export async function tryCommand(socket: string, paths: readonly string[], { timeout, confirm, cancel }: TryOptions, { json, say, complain }: Printer): Promise<number> {
  const tell = (outcome: string): number => {
    say(json ? JSON.stringify({ outcome }) : outcome);
    return outcome === 'confirmed' ? EXIT.ok : EXIT.rolledBack;
  };
  if (confirm === true || cancel === true) {
    if (paths.length > 0 || (confirm === true && cancel === true)) throw new ControlError('invalid', '--confirm and --cancel stand alone');
    const { outcome } = await ask<{ readonly outcome: string }>(socket, 'POST', confirm === true ? '/v1/try/confirm' : '/v1/try/cancel');
    tell(outcome);
    return EXIT.ok;
  }
  if (paths.length === 0) throw new ControlError('invalid', 'which files? netwallctl try FILE|DIR … [--timeout 60s]');
  const body: TrialRequest = { files: readCandidateFiles(paths).map(({ path, bytes }) => ({ path, base64: Buffer.from(bytes).toString('base64') })) };
  const started = await ask<TrialReport>(socket, 'POST', `/v1/try?${new URLSearchParams({ timeout }).toString()}`, { body });

  const over = new AbortController();
  const ended = new Promise<string>((done, fail) => {
    follow(
      socket,
      '/v1/events?type=trial&recent=1',
      (value) => {
        // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- the daemon's side of api.ts
        const { outcome } = value as EventReport;
        if (outcome === 'confirmed' || outcome === 'rolled back') done(outcome);
      },
      over.signal,
    ).then(() => {}, () => fail(new ControlError('not reachable', 'netwalld went away; what was tried is rolled back when it is back')));
  });
  // of a script the next line is no answer: there is --confirm for that
  const lines = process.stdin.isTTY ? createInterface({ input: process.stdin }) : null;
  const post = (path: string) => {
    ask(socket, 'POST', path).catch((error: unknown) => complain(`error: ${messageOf(error)}`));
  };
  lines?.once('line', (line) => post(line.trim() === '' ? '/v1/try/confirm' : '/v1/try/cancel'));
  process.on('SIGINT', () => post('/v1/try/cancel'));
  // last: from here on somebody may press a key
  const how = lines === null ? 'keep it with: netwallctl try --confirm; roll back with --cancel' : 'press Enter to keep it, Ctrl-C to roll back (from elsewhere: netwallctl try --confirm, --cancel)';
  if (started.lifted !== undefined) complain(`note: nothing governs ${started.lifted.join(', ')} meanwhile: what is installed has it in a file of the same name, and what is tried has not`);
  complain(`in force until ${new Date(started.until).toLocaleString('sv-SE')}; ${how}`);
  try {
    return tell(await ended);
  } finally {
    over.abort();
    lines?.close();
    if (lines !== null) process.stdin.destroy();
  }
}
