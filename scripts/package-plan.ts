/** What is in the Debian package, and where. Pure. */

/** `path` is from the root of the file system, without its slash. */
export type Entry = { readonly path: string; readonly mode: number; readonly from: { readonly file: string } | { readonly text: string } | { readonly link: string }; readonly compress?: boolean };

/** Files of the checkout, by folder; texts that are made for the package. */
export type Sources = {
  readonly lib: readonly string[];
  readonly man: readonly string[];
  readonly systemd: readonly string[];
  readonly docs: readonly string[];
  readonly policies: readonly string[];
  readonly completions: Readonly<Record<'bash' | 'zsh' | 'fish', string>>;
  /** The Node that is shipped. */
  readonly node: string;
};

const COMPLETIONS = { bash: 'usr/share/bash-completion/completions/netwallctl', zsh: 'usr/share/zsh/vendor-completions/_netwallctl', fish: 'usr/share/fish/vendor_completions.d/netwallctl.fish' } as const;
const DOC = 'usr/share/doc/netwall';

/** Units, generators, and what units run; throws for what it does not know, as it would be missing on the host. */
function unitEntry(name: string): Entry {
  const file = `systemd/${name}`;
  if (/\.(?:service|socket|target|path|timer|slice)$/.test(name)) return { path: `usr/lib/systemd/system/${name}`, mode: 0o644, from: { file } };
  if (name.endsWith('-generator')) return { path: `usr/lib/systemd/system-generators/${name}`, mode: 0o755, from: { file } };
  if (/^netwall-[a-z]+$/.test(name)) return { path: `usr/lib/netwall/${name}`, mode: 0o755, from: { file } };
  throw new Error(`${file}: where does it go?`);
}

export function packagePlan({ lib, man, systemd, docs, policies, completions, node }: Sources): Entry[] {
  const plain = (path: string, file: string): Entry => ({ path, mode: 0o644, from: { file } });
  return [
    ...['netwalld', 'netwallctl'].flatMap((program): Entry[] => [
      { path: `usr/lib/netwall/${program}`, mode: 0o755, from: { file: `dist/${program}` } },
      { path: `usr/sbin/${program}`, mode: 0o777, from: { link: `../lib/netwall/${program}` } },
    ]),
    { path: 'usr/lib/netwall/lib/node', mode: 0o755, from: { file: node } },
    ...lib.filter((name) => name !== 'node').map((name) => plain(`usr/lib/netwall/lib/${name}`, `dist/lib/${name}`)),
    ...man.map((name): Entry => ({ path: `usr/share/man/man${name.slice(-1)}/${name}.gz`, mode: 0o644, from: { file: `dist/man/${name}` }, compress: true })),
    ...systemd.map(unitEntry),
    plain('usr/lib/sysusers.d/netwall.conf', 'scripts/packaging/netwall.sysusers'),
    plain('usr/lib/modprobe.d/netwall.conf', 'scripts/packaging/netwall.modprobe'),
    plain('usr/share/netwall/policy.schema.json', 'dist/policy.schema.json'),
    plain('usr/share/netwall/config.schema.json', 'dist/config.schema.json'),
    ...(['bash', 'zsh', 'fish'] as const).map((shell): Entry => ({ path: COMPLETIONS[shell], mode: 0o644, from: { text: completions[shell] } })),
    plain('etc/netwall/netwalld.yaml', 'dist/netwalld.yaml'),
    plain('etc/netwall.d/README', 'scripts/packaging/README.netwall.d'),
    plain(`${DOC}/copyright`, 'dist/copyright'),
    { path: `${DOC}/changelog.gz`, mode: 0o644, from: { file: 'scripts/packaging/changelog' }, compress: true },
    ...docs.map((name) => plain(`${DOC}/${name}`, `docs/${name}`)),
    ...policies.map((name) => plain(`${DOC}/examples/${name}`, `policies/${name}`)),
    plain('usr/share/lintian/overrides/netwall', 'scripts/packaging/lintian-overrides'),
  ];
}

/** Every folder that the files stand in, each before what is in it. */
export function foldersOf(entries: readonly Entry[]): string[] {
  const parts = entries.flatMap(({ path }) => path.split('/').slice(0, -1).map((_, index, all) => all.slice(0, index + 1).join('/')));
  return [...new Set(parts)].sort();
}

/** dpkg keeps what an administrator changed in these. */
export const conffilesOf = (entries: readonly Entry[]) => entries.filter(({ path }) => path.startsWith('etc/')).map(({ path }) => `/${path}`);

/** Those that can be enabled, by the text of each. */
export const enabledUnits = (units: readonly { readonly name: string; readonly text: string }[]) => units.filter(({ text }) => /^\[Install\]$/m.test(text)).map(({ name }) => name);

/** The marks `@NAME@` of a text; throws for one that has no value. */
export function filledIn(text: string, values: Readonly<Record<string, string>>): string {
  return text.replaceAll(/@([A-Z]+)@/g, (mark, name: string) => {
    const value = values[name];
    if (value === undefined) throw new Error(`${mark} has no value`);
    return value;
  });
}

/** Version and time of the newest entry of a Debian changelog; its time is that of every file in the package. */
export function newestEntry(changelog: string): { readonly version: string; readonly seconds: number } {
  const version = /^\S+ \(([^)]+)\)/.exec(changelog)?.[1];
  const seconds = Date.parse(/^ -- .*> {2}(.+)$/m.exec(changelog)?.[1] ?? '') / 1000;
  if (version === undefined || Number.isNaN(seconds)) throw new Error('scripts/packaging/changelog does not begin with an entry');
  return { version, seconds };
}

/** Debian's name of what a program is built for, from its first 20 bytes (elf(5): e_machine). */
export function architectureOf(head: Uint8Array): { readonly debian: 'amd64' | 'arm64'; readonly tools: string } {
  const elf = head[0] === 0x7f && head[1] === 0x45 && head[2] === 0x4c && head[3] === 0x46 && head[4] === 2;
  const machine = elf ? (head[18] ?? 0) + (head[19] ?? 0) * 256 : 0;
  if (machine === 62) return { debian: 'amd64', tools: 'x86_64-linux-gnu' };
  if (machine === 183) return { debian: 'arm64', tools: 'aarch64-linux-gnu' };
  throw new Error('not a program for Linux on x86-64 or ARM64');
}
