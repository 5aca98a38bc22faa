/**
 * Watches who changes nftables: `nft monitor` tells of every transaction what it did and which process made it. Its own start
 * and every interruption count as a change of which nothing is known.
 */
import { createInterface } from 'node:readline';
import { execa } from 'execa';
import type { Logger } from 'pino';
import { protocolName } from '../ruleset/protocol.ts';
import { NFT_ENVIRONMENT } from './nft-child.ts';
import type { OwnProcesses } from './nft-own.ts';

export type ForeignChange = {
  /** Who made it; null: unknown, as the monitor was not there or lost count. */
  readonly process: { readonly pid: number; readonly name: string } | null;
  /** The whole table was taken away. */
  readonly gone: boolean;
  /** All that it did, where that is a few elements and nothing else; null: more, or unknown. */
  readonly elements: readonly ElementChange[] | null;
  /** False: it may have been another table. */
  readonly certain: boolean;
};

/** `key` as nft prints it, without counter, timeout, comment and data. */
export type ElementChange = { readonly what: 'add' | 'delete'; readonly set: string; readonly key: string };

/** More than these are not looked at one by one. */
const MOST_ELEMENTS = 200;

/** `{ 1001 . 192.0.2.1 . tcp . 443 timeout 1m expires 59s comment "x, y" : goto z, … }` */
/** Null: nft 1.0.6 prints what it finds in memory behind some keys of interval sets. */
function keysOf(body: string): string[] | null {
  if (body.length > 10_000 || body.includes('[invalid type]')) return null;
  const bare = body.replaceAll(/"[^"]*"/g, '""');
  return bare.split(', ').map((element) => {
    const parts = element.trim().replace(/ (?:counter|timeout|expires|comment|:) .*$/, '').split(' . ');
    // where nft knows no protocol names
    if (/^\d+$/.test(parts[2] ?? '')) parts[2] = protocolName(Number(parts[2]));
    return parts.join(' . ');
  });
}

export type MonitorOptions = {
  readonly nft: string;
  readonly table: string;
  readonly own: OwnProcesses;
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
export function watchNft({ nft, table, own, onChange, onOther, log }: MonitorOptions): () => void {
  const ours = new RegExp(` inet ${table}(?: |$)`);
  const element = new RegExp(`^(add|delete) element inet ${table} (\\S+) \\{ (.*) \\}$`);
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
    let [touched, gone, silent] = [false, false, true];
    let elements: ElementChange[] | null = [];
    let mark: string | null = null;
    createInterface({ input: child.stdout }).on('line', (line) => {
      if (!line.startsWith('#')) {
        silent = false;
        mark ??= own.markIn(line);
        const mine = ours.test(line);
        touched ||= mine;
        if (!mine && structure.test(line)) onOther();
        gone ||= removal.test(line);
        if (!mine) return;
        const [, what, set = '', body = ''] = element.exec(line) ?? [];
        const keys = keysOf(body);
        if (what === undefined || keys === null || elements === null || elements.length > MOST_ELEMENTS) elements = null;
        else elements.push(...keys.map((key) => ({ what: what === 'add' ? ('add' as const) : ('delete' as const), set, key })));
        return;
      }
      const [, pid, name = ''] = GENERATION.exec(line) ?? [];
      if (pid === undefined) {
        // "We lost some netlink events!" (ENOBUFS)
        // or the name of a process that spoils the line
        if (!line.startsWith('# ERROR') && !line.startsWith('# new generation')) return;
        onChange({ process: null, gone, elements: null, certain: true });
        [touched, gone, silent, elements, mark] = [false, false, true, [], null];
        return;
      }
      // nft 1.0.6 says nothing of keys without a range in sets of intervals, of whatever table: it may have been ours
      const change = { process: { pid: Number(pid), name }, gone, elements: silent ? null : elements };
      const ownChange = own.owns(Number(pid), mark);
      if ((touched || silent) && !ownChange) onChange({ ...change, certain: touched });
      [touched, gone, silent, elements, mark] = [false, false, true, [], null];
    });
    onChange({ process: null, gone: false, elements: null, certain: true });
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
