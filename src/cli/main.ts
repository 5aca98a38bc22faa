/** netwallctl: asks the daemon, or checks files without one. */
import { CommanderError } from 'commander';
import { EXIT } from '../control/api.ts';
import { ControlError } from '../control/client.ts';
import { HostError } from '../host/host-error.ts';
import { complain, outcome, program } from './program.ts';

const CONTROL_EXITS = { 'not reachable': EXIT.notReachable, 'not permitted': EXIT.notPermitted, failed: EXIT.error, invalid: EXIT.usage, 'invalid policy': EXIT.invalidPolicy } as const;

// `netwallctl events -f | head`: whoever read has had enough
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code === 'EPIPE') process.exit(EXIT.ok);
  complain(`error: cannot print: ${error.message}`);
  process.exit(EXIT.error);
});
try {
  if (process.argv.length <= 2) {
    program.outputHelp({ error: true });
    process.exit(EXIT.usage);
  }
  await program.parseAsync();
  process.exitCode = outcome();
} catch (error) {
  if (error instanceof CommanderError) process.exit(error.exitCode === 0 ? EXIT.ok : EXIT.usage);
  if (!(error instanceof ControlError) && !(error instanceof HostError)) throw error;
  complain(`error: ${error.message}`);
  process.exitCode = error instanceof ControlError ? CONTROL_EXITS[error.reason] : EXIT.error;
}
