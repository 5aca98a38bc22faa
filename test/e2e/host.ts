/** The confined host's files and accounts, written from outside through the holder's root directory. */
import { chmod, chown, mkdir, readFile, rename, rm, symlink, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { Namespaces } from './namespace.ts';
import { accounts, ci, nameservers } from './plan.ts';

export type FileOptions = { readonly uid?: number; readonly gid?: number; readonly mode?: number };

export type Host = {
  /** Where a path of the host is on the machine. */
  readonly path: (path: string) => string;
  readonly read: (path: string) => Promise<string>;
  /** Atomic: nobody ever sees half a file. Owned by root, 0644, unless told otherwise. */
  readonly write: (path: string, text: string, options?: FileOptions) => Promise<void>;
  readonly remove: (path: string) => Promise<void>;
  readonly link: (path: string, target: string) => Promise<void>;
  /** Which DNS servers the host's resolv.conf names. */
  readonly nameservers: (...servers: string[]) => Promise<void>;
};

export const createHost = async ({ holder }: Namespaces): Promise<Host> => {
  const path = (inside: string): string => join(`/proc/${holder}/root`, inside);
  // Not a name that a policy directory's reader takes for a policy.
  const partial = (inside: string): string => path(`${inside}.partial`);
  const write: Host['write'] = async (inside, text, { uid = 0, gid = 0, mode = 0o644 } = {}) => {
    await mkdir(dirname(path(inside)), { recursive: true });
    await writeFile(partial(inside), text);
    await chown(partial(inside), uid, gid);
    await chmod(partial(inside), mode);
    await rename(partial(inside), path(inside));
  };
  const host: Host = {
    path,
    read: (inside) => readFile(path(inside), 'utf8'),
    write,
    remove: (inside) => rm(path(inside), { force: true }),
    link: async (inside, target) => {
      await symlink(target, partial(inside));
      await rename(partial(inside), path(inside));
    },
    nameservers: (...servers) => write('/etc/resolv.conf', servers.map((server) => `nameserver ${server}\n`).join('')),
  };
  await host.nameservers(nameservers.first);
  await addAccounts(host);
  return host;
};

const addAccounts = async (host: Host): Promise<void> => {
  const users = Object.entries(accounts);
  const own = users.filter(([, { uid, gid }]) => uid === gid);
  const inCi = users.filter(([, { groups }]) => groups.some((group) => group === ci)).map(([name]) => name);
  await replaceLines(host, '/etc/passwd', users.map(([name, { uid, gid }]) => `${name}:x:${uid}:${gid}::/nonexistent:/usr/sbin/nologin`));
  await replaceLines(host, '/etc/group', [...own.map(([name, { gid }]) => `${name}:x:${gid}:`), `ci:x:${ci}:${inCi.join(',')}`]);
};

/** The machine may have accounts of these names: theirs go, in the copy. */
const replaceLines = async (host: Host, file: string, lines: readonly string[]): Promise<void> => {
  const names = new Set(lines.map((line) => line.split(':')[0]));
  const kept = (await host.read(file)).split('\n').filter((line) => line !== '' && !names.has(line.split(':')[0]));
  await host.write(file, `${[...kept, ...lines].join('\n')}\n`);
};
