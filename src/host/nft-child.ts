/**
 * A long-lived `nft -i`: one line in, one atomic transaction, some output only when it failed. Several times faster
 * than spawning nft for each transaction.
 *
 * Scripts go through a file and `include`, which is faster than a long line and leaves no history in the child's memory. The
 * end of a reply is told by the answer to `describe mark` (nft has no other prompt on a pipe).
 */
import { writeFileSync } from 'node:fs';
import { execa } from 'execa';
import { HostError, messageOf } from './host-error.ts';
import type { OwnProcess, OwnProcesses } from './nft-own.ts';

/** nft writes the line word by word, and we would wake for each: its beginning tells enough, the rest is passed over as it comes. */
const END_OF_REPLY = /^meta expression, datatype mark/m;
/** nft echoes the whole input line with an error. */
const MAX_REPLY = 64 * 1024;
/** Longer than the end of a reply, which may come in pieces. */
const REPLY_TAIL = 256;
/** nft -i keeps each line that differs from the one before, and counts through them all at the next: 0.1 ms more after 10,000 commands. */
const COMMANDS_PER_CHILD = 1000;
/** The successor starts so many commands before it is needed: a start takes some 10 ms. */
const STARTED_AHEAD = 20;

/** Nothing of the daemon's environment reaches nft; it writes ~/.nft.history where it can. */
export const NFT_ENVIRONMENT = { HOME: '/nonexistent', PATH: '/usr/sbin:/usr/bin:/sbin:/bin', LC_ALL: 'C' };

const ASK_MILLISECONDS = 10_000;

/** What an `nft -i` of its own says to some lines; the tables that it owns go with it. */
export async function askInteractive(nft: string, lines: readonly string[]): Promise<{ readonly stdout: string; readonly failed: boolean }> {
  return execa(nft, ['-i'], { input: `${lines.join('\n')}\n`, env: NFT_ENVIRONMENT, extendEnv: false, reject: false, timeout: ASK_MILLISECONDS, cwd: '/' });
}

/** Throws HostError; nothing was applied then. */
export function writeScript(path: string, script: string): void {
  try {
    writeFileSync(path, script, { mode: 0o600 });
  } catch (error) {
    throw new HostError('nft apply', messageOf(error), { cause: error });
  }
}

/** The first lines of what nft printed, without the echo of the input line. */
export function nftMessage(output: string): string {
  const line = output.split('\n').find((text) => text.includes('Error:') || text.includes('rror')) ?? output.split('\n')[0] ?? '';
  return line.slice(0, 300).trim();
}

/** The beginning, which says what went wrong, and the last of it, which may be the end of the reply. */
const clipped = (reply: string) => (reply.length <= MAX_REPLY ? reply : reply.slice(0, MAX_REPLY - REPLY_TAIL) + reply.slice(-REPLY_TAIL));

export type NftChildOptions = {
  /** Absolute path of nft. */
  readonly nft: string;
  /** Where scripts are put, on a tmpfs, e.g. /run/netwall/transaction.nft; created with mode 0600. */
  readonly scriptFile: string;
  /** Milliseconds a transaction may take before the child counts as hanging. */
  readonly timeout: number;
  /** After so many commands another child takes over; without it after 1000. */
  readonly commands?: number;
  /** It ended by itself. */
  readonly onEnd?: () => void;
  /** Knows our processes; omitted: nobody asks. */
  readonly own?: OwnProcesses;
};

/** One pipe for both streams keeps errors and the end-of-reply mark in order. */
function startInteractive(nft: string) {
  return execa('/bin/sh', ['-c', 'exec "$0" -i 2>&1', nft], {
    env: NFT_ENVIRONMENT,
    extendEnv: false,
    stdin: 'pipe',
    stdout: 'pipe',
    stderr: 'ignore',
    buffer: false,
    reject: false,
    cwd: '/',
  });
}

export class NftChild {
  readonly #options: NftChildOptions;
  #process: ReturnType<typeof startInteractive> | null = null;
  /** Takes over when the present one has done its part. */
  #next: ReturnType<typeof startInteractive> | null = null;
  #commands = 0;
  #identity: OwnProcess | null = null;
  #reply = '';
  /** What comes next is still the line that ended the reply before. */
  #inMark = false;
  #waiting: { resolve: (reply: string) => void; reject: (error: Error) => void } | null = null;

  constructor(options: NftChildOptions) {
    this.#options = options;
  }

  /** Process id of the running child, null before the first transaction. Events of `nft monitor` that name it are our own. */
  get pid(): number | null {
    return this.#process?.pid ?? null;
  }

  #spawn(): ReturnType<typeof startInteractive> {
    const child = startInteractive(this.#options.nft);
    this.#options.own?.started(child.pid);
    child.stdout.setEncoding('utf8');
    child.stdout.on('data', (text: string) => {
      if (this.#process?.pid === child.pid) this.#received(text);
    });
    child.stdin.on('error', () => {}); // EPIPE: the exit below tells what happened
    void child.then((result) => {
      if (this.#next?.pid === child.pid) this.#next = null;
      if (this.#process?.pid !== child.pid) return;
      this.#process = null;
      this.#fail(new HostError('nft apply', `nft -i ended (${result.signal ?? `exit code ${result.exitCode}`})`));
      this.#options.onEnd?.();
    });
    return child;
  }

  #begin(): void {
    this.#process = this.#next ?? this.#spawn();
    this.#next = null;
    this.#commands = 0;
    this.#inMark = false;
  }

  #startNext(): void {
    if (this.#process !== null) this.#next ??= this.#spawn();
  }

  #received(text: string): void {
    const from = this.#inMark ? text.indexOf('\n') + 1 : 0;
    if (this.#inMark && from === 0) return;
    this.#inMark = false;
    this.#reply = clipped(this.#reply + text.slice(from));
    const end = this.#reply.search(END_OF_REPLY);
    if (this.#waiting === null || end < 0) return;
    this.#inMark = !this.#reply.includes('\n', end);
    const { resolve } = this.#waiting;
    this.#waiting = null;
    resolve(this.#reply.slice(0, end));
  }

  #fail(error: Error): void {
    const waiting = this.#waiting;
    this.#waiting = null;
    waiting?.reject(error);
  }

  /**
   * Applies a script, all or nothing. One at a time.
   * Throws HostError when nft refuses it (nothing was applied), or when the child died or hangs (unknown: look).
   */
  async apply(script: string): Promise<void> {
    if (this.#waiting !== null) throw new Error('a transaction is already in flight');
    const most = this.#options.commands ?? COMMANDS_PER_CHILD;
    if (this.#commands >= most) {
      this.#process?.kill('SIGKILL');
      this.#process = null;
    }
    if (this.#process === null) this.#identity = this.#options.own?.open() ?? null;
    writeScript(this.#options.scriptFile, `${this.#identity?.mark() ?? ''}${script}`);
    if (this.#process === null) this.#begin();
    this.#commands += 1;
    this.#reply = '';
    const reply = await new Promise<string>((resolve, reject) => {
      const timer = setTimeout(() => {
        this.stop();
        reject(new HostError('nft apply', `nft -i did not answer within ${this.#options.timeout} ms`));
      }, this.#options.timeout);
      const settle = <T>(callback: (argument: T) => void) => (argument: T) => {
        clearTimeout(timer);
        callback(argument);
      };
      this.#waiting = { resolve: settle(resolve), reject: settle(reject) };
      this.#process?.stdin.write(`include "${this.#options.scriptFile}"\ndescribe mark\n`);
    });
    if (reply.trim() !== '') throw new HostError('nft apply', nftMessage(reply), { refused: true });
    // who waits for this transaction is answered first
    if (this.#next === null && this.#commands >= most - STARTED_AHEAD) setImmediate(() => this.#startNext());
  }

  /** Ends the child; the next transaction starts another. */
  stop(): void {
    const children = [this.#process, this.#next];
    this.#process = null;
    this.#next = null;
    this.#waiting = null;
    for (const child of children) child?.kill('SIGKILL');
  }
}
