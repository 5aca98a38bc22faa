/**
 * A network namespace for one test: without a name, a link or a way out. It lives as long as a process of ours stays in it,
 * and that one ends when our end of its stdin is closed. So nothing is left behind, however the test ends.
 */
import { once } from 'node:events';
import { spawn } from 'node:child_process';
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { execa } from 'execa';

const NFT = '/usr/sbin/nft';
const TIMEOUT = 30_000;

export type Namespace = {
  /** The beginning of a command line that runs the rest inside. */
  readonly enter: readonly string[];
  /** A directory of this namespace alone, removed with it. */
  readonly directory: string;
  /** Applies a script as one transaction with `nft -f`; throws with what nft said. */
  apply(script: string): Promise<void>;
  /** `nft ARGS` and its stdout. */
  nft(...args: readonly string[]): Promise<string>;
  /** Any other program and its stdout. */
  run(...command: readonly string[]): Promise<string>;
  /** A program that is nft inside the namespace, whatever the caller's own: `exec`, so that its pid is nft's. */
  nftProgram(): string;
  remove(): Promise<void>;
};

async function run(command: readonly string[]): Promise<string> {
  const [file = '', ...args] = command;
  const { stdout, stderr, failed, exitCode } = await execa(file, args, { reject: false, stdin: 'ignore', timeout: TIMEOUT, maxBuffer: 1e9, stripFinalNewline: false });
  if (failed) throw new Error(`${command.join(' ')} ended with ${exitCode}: ${stderr}`);
  return stdout;
}

/** Commands for the namespace that the process `pid` is in. */
export function namespaceOf(pid: number, end: () => Promise<void>): Namespace {
  const directory = mkdtempSync(join(tmpdir(), 'netwall-test-'));
  const enter = ['/usr/bin/nsenter', `--net=/proc/${pid}/ns/net`, '--'];
  const script = join(directory, 'script.nft');
  return {
    enter,
    directory,
    async apply(text) {
      // a file, as nft cannot open the socket that is stdin's pipe in Node
      writeFileSync(script, text);
      await run([...enter, NFT, '-f', script]);
    },
    nft: (...args) => run([...enter, NFT, ...args]),
    run: (...command) => run([...enter, ...command]),
    nftProgram() {
      const program = join(directory, 'nft');
      writeFileSync(program, `#!/bin/sh\nexec ${enter.join(' ')} ${NFT} "$@"\n`);
      chmodSync(program, 0o755);
      return program;
    },
    async remove() {
      await end();
      rmSync(directory, { recursive: true, force: true });
    },
  };
}

export async function createNamespace(): Promise<Namespace> {
  const holder = spawn('/usr/bin/unshare', ['--net', '--', '/bin/sh', '-c', 'echo ready; exec cat'], { stdio: ['pipe', 'pipe', 'inherit'] });
  const ended = once(holder, 'exit');
  await Promise.race([
    once(holder.stdout, 'data'),
    ended.then(() => {
      throw new Error('unshare --net failed: root is needed');
    }),
  ]);
  if (holder.pid === undefined) throw new Error('unshare has no pid');
  return namespaceOf(holder.pid, async () => {
    holder.stdin.end();
    await ended;
  });
}
