/**
 * What the compiler says, in the kernel's own words: `test/golden/NAME.yaml` is the policy, `NAME.nft` its elements. The diff of
 * a golden is the review of a change; `UPDATE_GOLDEN=1` writes them anew. Each is loaded into a kernel and read back.
 */
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import test from 'ava';
import type { Element } from '../../src/ruleset/element.ts';
import { readRuleset } from '../../src/ruleset/listing.ts';
import { skeletonText } from '../../src/ruleset/skeleton.ts';
import { transactionText } from '../../src/ruleset/transaction.ts';
import { createNamespace } from '../kernel/namespace.ts';
import { ADDRESS_TIMEOUT, confinements, elementsOf, type Surroundings } from './policies.ts';

const directory = new URL('../golden/', import.meta.url);
const TABLE = { name: 'netwall', mark: 0x2000_0000 };

/** The world that every golden is in. Of what is special use, the guard admits only what a policy means. */
const SURROUNDINGS: Surroundings = {
  nameservers: ['192.0.2.53', '2001:db8::53'],
  addresses: {
    'api.github.com': ['140.82.112.6', '140.82.112.5', '2606:50c0:8000::153'],
    'cdn.example.net': ['151.101.1.7', '151.101.1.8', '2a04:4e42::7'],
    'tracker.example.net': ['151.101.1.7', '2a04:4e42::7'],
    'db.example.net': ['10.20.0.5', 'fd00::5'],
    'rebind.example.net': ['10.20.0.9', '169.254.169.254', '127.0.0.1', '::1', '151.101.1.9'],
  },
};

const names = readdirSync(directory)
  .filter((file) => file.endsWith('.yaml'))
  .map((file) => file.slice(0, -'.yaml'.length));

function matchesGolden(file: string, text: string): { expected: string; actual: string } {
  const path = new URL(file, directory);
  if (process.env['UPDATE_GOLDEN'] === '1') writeFileSync(path, text);
  return { expected: readFileSync(path, 'utf8'), actual: text };
}

const compiled = (name: string, surroundings = SURROUNDINGS) =>
  elementsOf(confinements(readFileSync(new URL(`${name}.yaml`, directory), 'utf8'), surroundings));

/** One form for desired and observed: what identifies and what describes an element, in one order. */
function inOrder(elements: Iterable<Element>): Element[] {
  const plain = [...elements].map(({ set, key, mode, timeout, comment }) => ({ set, key, mode, timeout, comment }));
  const id = ({ set, key }: Element) => `${set} ${key}`;
  return plain.sort((a, b) => (id(a) < id(b) ? -1 : 1));
}

test('the skeleton is what nft prints of it', async (t) => {
  const { expected, actual } = matchesGolden('skeleton.nft', skeletonText(TABLE));
  t.is(actual, expected);
  const namespace = await createNamespace();
  t.teardown(() => namespace.remove());
  await namespace.apply(skeletonText(TABLE));
  t.is(await namespace.nft('list', 'table', 'inet', TABLE.name), skeletonText(TABLE));
});

for (const name of names) {
  test(`${name}: compiled as recorded, accepted by the kernel, read back as it was written`, async (t) => {
    const elements = compiled(name);
    const { expected, actual } = matchesGolden(`${name}.nft`, transactionText(TABLE, [{ do: 'add', elements }]));
    t.is(actual, expected);

    const namespace = await createNamespace();
    t.teardown(() => namespace.remove());
    await namespace.apply(transactionText(TABLE, [{ do: 'rebuild' }]) + expected);
    const observed = readRuleset(JSON.parse(await namespace.nft('-n', '-j', 'list', 'table', 'inet', TABLE.name)));
    t.deepEqual(inOrder(observed.elements.values()), inOrder(elements));
    for (const { timeout, expires } of observed.elements.values()) {
      t.is(expires === null, timeout === null);
      t.true(expires === null || (expires > ADDRESS_TIMEOUT - 60 && expires <= ADDRESS_TIMEOUT));
    }
  });
}

test('the order in which DNS lists the addresses of a name decides nothing', (t) => {
  const turned = Object.entries(SURROUNDINGS.addresses ?? {}).map(([domain, addresses]) => [domain, addresses.toReversed()] as const);
  const surroundings = { ...SURROUNDINGS, addresses: Object.fromEntries(turned) };
  for (const name of names) t.deepEqual(inOrder(compiled(name, surroundings)), inOrder(compiled(name)), name);
});

test('an element is said once', (t) => {
  for (const name of names) {
    const ids = compiled(name).map(({ set, key }) => `${set} ${key}`);
    t.is(new Set(ids).size, ids.length, name);
  }
});

test('there is a golden for each policy, and a policy for each golden', (t) => {
  const goldens = readdirSync(directory).filter((file) => file.endsWith('.nft') && file !== 'skeleton.nft');
  t.deepEqual(goldens.toSorted(), names.map((name) => `${name}.nft`).toSorted());
  t.true(names.length >= 11);
});

