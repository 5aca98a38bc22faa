/** What the kernel and nft can do, and the settings that bear on the wall. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { release } from 'node:os';
import { execa } from 'execa';
import { attempt, type Known, known, unknown } from './known.ts';

export type Kernel = {
  readonly release: string;
  /** Modules the table needs that are neither loaded nor to be found. */
  readonly missingModules: Known<readonly string[]>;
  /** Interfaces that route 127/8. */
  readonly routeLocalnet: readonly string[];
  readonly ipv6: 'on' | 'disabled' | 'absent';
  /** Whether any user may make user namespaces. */
  readonly userNamespaces: boolean;
};

/** What the skeleton uses, beside what nf_tables itself brings. */
const MODULES = ['nf_tables', 'nf_conntrack', 'nft_ct', 'nf_nat', 'nft_chain_nat', 'nft_redir', 'nft_reject', 'nft_reject_inet'];

const text = (path: string): string | null => (existsSync(path) ? readFileSync(path, 'utf8').trim() : null);

/** `wanted`, less what /sys/module shows, and what modules.builtin and modules.dep (depmod(8)) list. Names have dashes or underscores, as it happens. */
export function missing(wanted: readonly string[], loaded: readonly string[], listings: readonly string[]): readonly string[] {
  const there = new Set([...loaded, ...listings.flatMap((listing) => [...listing.matchAll(/([\w-]+)\.ko(?:\.\w+)?(?=:|$)/gm)].map(([, name = '']) => name))].map((name) => name.replaceAll('-', '_')));
  return wanted.filter((name) => !there.has(name));
}

function missingModules(): Known<readonly string[]> {
  const directory = ['/lib/modules', '/usr/lib/modules'].map((root) => `${root}/${release()}`).find((path) => existsSync(`${path}/modules.builtin`));
  const loaded = attempt(() => readdirSync('/sys/module'));
  if (!loaded.ok) return loaded;
  if (directory === undefined) return unknown('/lib/modules has nothing of this kernel');
  return attempt(() => missing(MODULES, loaded.value, [`${directory}/modules.builtin`, `${directory}/modules.dep`].map((path) => text(path) ?? '')));
}

const IPV4 = '/proc/sys/net/ipv4/conf';

function userNamespaces(): boolean {
  if (!existsSync('/proc/self/ns/user') || Number(text('/proc/sys/user/max_user_namespaces') ?? 0) === 0) return false;
  if (text('/proc/sys/kernel/unprivileged_userns_clone') === '0') return false; // Debian's
  return text('/proc/sys/kernel/apparmor_restrict_unprivileged_userns') !== '1'; // Ubuntu's
}

function ipv6(): Kernel['ipv6'] {
  const disabled = text('/proc/sys/net/ipv6/conf/all/disable_ipv6');
  return disabled === null ? 'absent' : disabled === '1' ? 'disabled' : 'on';
}

export const readKernel = (): Known<Kernel> =>
  attempt(() => ({
    release: release(),
    missingModules: missingModules(),
    routeLocalnet: readdirSync(IPV4).filter((name) => name !== 'default' && text(`${IPV4}/${name}/route_localnet`) === '1'),
    ipv6: ipv6(),
    userNamespaces: userNamespaces(),
  }));

/** `1.0.6`; null: nft does not start. */
export async function readNftVersion(nft: string): Promise<string | null> {
  const { stdout } = await execa(nft, ['--version'], { env: {}, extendEnv: false, stdin: 'ignore', reject: false, timeout: 10_000, cwd: '/' });
  return /v?(\d+(?:\.\d+)+)/.exec(stdout ?? '')?.[1] ?? null;
}

/** Every table, as JSON. */
export async function readRuleset(nft: string): Promise<Known<unknown>> {
  if (process.geteuid?.() !== 0) return unknown('only root may list tables');
  const { stdout, failed, stderr } = await execa(nft, ['-t', '-j', 'list', 'ruleset'], { env: {}, extendEnv: false, stdin: 'ignore', reject: false, timeout: 20_000, cwd: '/' });
  if (failed) return unknown(`nft: ${(stderr ?? '').split('\n')[0] ?? 'fails'}`);
  const listing = attempt((): unknown => JSON.parse(stdout));
  return listing.ok ? known(listing.value) : listing;
}
