/** The one door to the kernel's tables: apply a script, list a table. */
import { join } from 'node:path';
import { execa } from 'execa';
import { type Counter, writtenKey } from '../ruleset/element.ts';
import { HostError, messageOf } from './host-error.ts';
import { renewsTimeouts } from './nft-features.ts';
import type { OwnProcesses } from './nft-own.ts';
import { NFT_ENVIRONMENT, NftChild, nftMessage, writeScript } from './nft-child.ts';
import { printed } from './nft-words.ts';

/** A first load of 40,000 elements takes about a second. */
const TIMEOUT = 30_000;
/** How long the child is left alone after it died or hung; until then each transaction spawns an nft of its own. */
const CHILD_BACKOFF = 30_000;
/** 40,000 elements are 7 MB of JSON. */
const MAX_LISTING = 512 * 1024 * 1024;

export type Nft = {
  /** Applies a script as one transaction. Throws HostError; whoever calls then looks what the kernel holds. */
  apply(script: string): Promise<void>;
  /** The table as text without elements, or null when it does not exist. */
  listSkeleton(): Promise<string | null>;
  /** The whole table, or one of its sets or maps, as `nft -n -j` lists it; null when it does not exist. */
  listTable(): Promise<unknown>;
  listSet(kind: 'set' | 'map', name: string): Promise<unknown>;
  /** What one element has counted; null: there is no such element. Throws HostError. */
  countElement(set: string, key: string): Promise<Counter | null>;
  /** A set as JSON that is not parsed yet. */
  listSetText(name: string): Promise<string | null>;
  /** Whether adding an element that exists gives it a new timeout (nft-features.ts). */
  renewsTimeouts(): Promise<boolean>;
  /** What this nft prints of a table that is written like that, without elements; null: it does not take it. */
  printed(text: (table: string) => string): Promise<string | null>;
  /** Every table, without elements. */
  listRuleset(): Promise<unknown>;
  /** The long-lived child, while there is one. */
  readonly pid: number | null;
  close(): void;
};

export type NftOptions = { readonly nft: string; readonly table: string; readonly runtimeDir: string; readonly own: OwnProcesses; /** Called after each transaction. */ readonly onApplied?: (milliseconds: number, failed: boolean) => void };

/** Runs nft once. `null`: what was asked for does not exist. */
async function run(nft: string, operation: string, args: readonly string[], started?: (pid: number) => void): Promise<string | null> {
  const child = execa(nft, args, {
    env: NFT_ENVIRONMENT,
    extendEnv: false,
    reject: false,
    stdin: 'ignore',
    timeout: TIMEOUT,
    maxBuffer: MAX_LISTING,
    stripFinalNewline: false,
    cwd: '/',
  });
  if (child.pid !== undefined) started?.(child.pid);
  const result = await child;
  if (!result.failed) return result.stdout;
  if (/No such file or directory/.test(result.stderr) && result.exitCode === 1) return null;
  if (result.stderr === '' || result.exitCode !== 1) throw new HostError(operation, result.shortMessage ?? 'failed');
  throw new HostError(operation, nftMessage(result.stderr), { refused: true });
}

/**
 * nft 1.0.6 fetches every element for `list table`, even with `-t`, but not for `list ruleset`: 10 ms instead of 400 with 40,000
 * elements. Another's table can make the latter abort, so the former stays as the fallback.
 */
async function listSkeleton(nft: string, table: string): Promise<string | null> {
  try {
    const text = await run(nft, 'nft list', ['-t', 'list', 'ruleset', 'inet']);
    const start = `\n${text ?? ''}`.indexOf(`\ntable inet ${table} {\n`);
    const end = (text ?? '').indexOf('\n}\n', start);
    if (text !== null && (start < 0 || end >= 0)) return start < 0 ? null : text.slice(start, end + 3);
  } catch (error) {
    if (!(error instanceof HostError)) throw error;
  }
  return run(nft, 'nft list', ['-t', 'list', 'table', 'inet', table]);
}

export function openNft({ nft, table, runtimeDir, own, onApplied = () => {} }: NftOptions): Nft {
  const scriptFile = join(runtimeDir, 'transaction.nft');
  const child = new NftChild({ nft, scriptFile, timeout: TIMEOUT, own });
  let childBarredUntil = 0;
  let renews: Promise<boolean> | null = null;

  async function spawned(script: string): Promise<void> {
    writeScript(scriptFile, `${own.open().mark()}${script}`);
    if ((await run(nft, 'nft apply', ['-f', scriptFile], (pid) => own.started(pid))) === null) {
      throw new HostError('nft apply', 'an object the transaction names does not exist', { refused: true });
    }
  }

  async function byChild(script: string): Promise<void> {
    try {
      await child.apply(script);
    } catch (error) {
      if (child.pid === null) childBarredUntil = performance.now() + CHILD_BACKOFF;
      throw error;
    }
  }

  async function list(operation: string, args: readonly string[]): Promise<unknown> {
    const text = await run(nft, operation, args);
    if (text === null) return null;
    try {
      return JSON.parse(text) as unknown;
    } catch (error) {
      throw new HostError(operation, `unreadable JSON: ${messageOf(error)}`, { cause: error });
    }
  }

  return {
    get pid() {
      return child.pid;
    },
    async apply(script) {
      const started = performance.now();
      let failed = true;
      try {
        await (started < childBarredUntil ? spawned(script) : byChild(script));
        failed = false;
      } finally {
        onApplied(performance.now() - started, failed);
      }
    },
    listSkeleton: () => listSkeleton(nft, table),
    listTable: () => list('nft list', ['-n', '-j', 'list', 'table', 'inet', table]),
    listSet: (kind, name) => list('nft list', ['-n', '-j', 'list', kind, 'inet', table, name]),
    async countElement(set, key) {
      // nft 1.0.6 answers this one as text, whatever is asked for
      const text = await run(nft, 'nft get', ['-n', 'get', 'element', 'inet', table, set, `{ ${writtenKey(key)} }`]);
      const [, packets, bytes] = /counter packets (\d+) bytes (\d+)/.exec(text ?? '') ?? [];
      return packets === undefined ? null : { packets: Number(packets), bytes: Number(bytes) };
    },
    listSetText: (name) => run(nft, 'nft list', ['-n', '-j', 'list', 'set', 'inet', table, name]),
    renewsTimeouts: () => (renews ??= renewsTimeouts(nft, table)),
    printed: (text) => printed(nft, join(runtimeDir, 'words.nft'), `${table}_words`, text),
    listRuleset: () => list('nft list', ['-t', '-j', 'list', 'ruleset']),
    close: () => child.stop(),
  };
}
