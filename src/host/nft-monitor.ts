/**
 * Watches who changes nftables: `nft monitor` tells of every transaction what it did and which process made it. Its own start
 * and every interruption count as a change of which nothing is known.
 */
import { createInterface } from 'node:readline';
import { execa } from 'execa';
import type { Logger } from 'pino';
import { NFT_ENVIRONMENT } from './nft-child.ts';

export type ForeignChange = {
  /** Who made it; null: unknown, as the monitor was not there or lost count. */
  readonly process: { readonly pid: number; readonly name: string } | null;
  /** The whole table was taken away. */
  readonly gone: boolean;
};

export type MonitorOptions = {
  readonly nft: string;
  readonly table: string;
  /** Whether a process is one of our own nfts. */
  readonly owns: (pid: number) => boolean;
  /** Somebody else has changed our table. */
  readonly onChange: (change: ForeignChange) => void;
  /** Somebody has changed the chains or rules of another table, or may have. */
  readonly onOther: () => void;
  readonly log: Logger;
};

const GENERATION = /^# new generation \d+ by process (\d+) \((.*)\)$/;
/** `nft monitor` reads nothing, and so would not notice that the daemon was killed: the end of our pipe ends it. */
const TIED = 'exec 3<&0; "$0" monitor </dev/null 3<&- & m=$!; { cat <&3; kill "$m"; } >/dev/null 2>&1 & exec 3<&-; wait "$m"';

const RESTART_MILLISECONDS = { once: 10, first: 200, most: 30_000 };
/** A monitor that ran for this long was not broken from the start. */
const HEALTHY_MILLISECONDS = 10_000;

/** Starts watching; returns how to stop. */
export function watchNft({ nft, table, owns, onChange, onOther, log }: MonitorOptions): () => void {
  const ours = new RegExp(` inet ${table}(?: |$)`);
  const structure = /^(?:add|delete|insert|replace) (?:table|chain|rule) /;
  const removal = new RegExp(`^delete table inet ${table}(?: |$)`);
  let stopped = false;
  let failures = 0;
  let end = () => {};

  function start(): void {
    if (stopped) return;
    const began = performance.now();
    const child = execa('/bin/sh', ['-c', TIED, nft], { env: NFT_ENVIRONMENT, extendEnv: false, stdin: 'pipe', stdout: 'pipe', stderr: 'pipe', buffer: false, reject: false, cwd: '/' });
    child.stdin.on('error', () => {}); // it has ended: told below
    end = () => child.stdin.destroy();
    let [touched, gone] = [false, false];
    createInterface({ input: child.stdout }).on('line', (line) => {
      if (!line.startsWith('#')) {
        const mine = ours.test(line);
        touched ||= mine;
        if (!mine && structure.test(line)) onOther();
        gone ||= removal.test(line);
        return;
      }
      const [, pid, name = ''] = GENERATION.exec(line) ?? [];
      if (pid === undefined) return;
      if (touched && !owns(Number(pid))) onChange({ process: { pid: Number(pid), name }, gone });
      [touched, gone] = [false, false];
    });
    onChange({ process: null, gone: false });
    onOther();
    let said = '';
    child.stderr.setEncoding('utf8').on('data', (text: string) => (said = text.slice(0, 300).trim()));
    void child.then(({ exitCode }) => {
      if (stopped) return;
      failures = performance.now() - began > HEALTHY_MILLISECONDS ? 0 : failures + 1;
      const wait = failures <= 1 ? RESTART_MILLISECONDS.once : Math.min(RESTART_MILLISECONDS.first * 2 ** (failures - 2), RESTART_MILLISECONDS.most);
      log.warn({ restartInMilliseconds: wait, exitCode, said }, 'nft monitor ended: changes by others are only seen at the next full check until it is back');
      setTimeout(start, wait).unref();
    });
  }

  start();
  return () => {
    stopped = true;
    end();
  };
}
