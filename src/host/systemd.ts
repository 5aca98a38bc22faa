/** sd_notify(3). Node has no Unix datagrams, so systemd-notify(1) speaks for us; the unit sets NotifyAccess=all. */
import { execa } from 'execa';

export type Notify = (state: string) => Promise<void>;

/** Does nothing outside systemd. Never throws: a missed notification shows in the unit's state. */
export function openNotify(environment: NodeJS.ProcessEnv): Notify {
  const socket = environment['NOTIFY_SOCKET'];
  if (socket === undefined) return () => Promise.resolve();
  return async (state) => {
    await execa('/usr/bin/systemd-notify', [`--pid=${process.pid}`, ...state.split('\n')], {
      env: { NOTIFY_SOCKET: socket },
      extendEnv: false,
      stdin: 'ignore',
      reject: false,
      timeout: 5000,
      cwd: '/',
    });
  };
}

/** Milliseconds between signs of life that systemd asks for (WATCHDOG_USEC); null: none. */
export function watchdogInterval(environment: NodeJS.ProcessEnv): number | null {
  const microseconds = Number(environment['WATCHDOG_USEC'] ?? '');
  return Number.isFinite(microseconds) && microseconds > 0 ? microseconds / 1000 : null;
}
