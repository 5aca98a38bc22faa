/** Addresses of a name that nobody knew before are open where they will be once they are known, and nowhere else for a moment. */
import test from 'ava';
import { nameMatcher } from '../../src/resolve/name-matcher.ts';
import { compileAddresses } from '../../src/ruleset/compile.ts';
import { ADDRESS_TIMEOUT, address, confinements, elementsOf } from './policies.ts';

const HOST = 'x.db.example.com';
const ADDRESSES = ['45.64.7.1', '45.64.7.2', '2606:4700::1'];

const cases: readonly (readonly [denied: string, keys: readonly string[]])[] = [
  ['', ['tcp . 443', 'tcp . 5000-6000', 'udp . 5000-6000']],
  ['{ to: other.example.com, ports: [5432] }', ['tcp . 443', 'tcp . 5000-6000', 'udp . 5000-6000']],
  [`{ to: ${HOST}, ports: [5432/tcp] }`, ['tcp . 443', 'tcp . 5000-5431', 'tcp . 5433-6000', 'udp . 5000-6000']],
  ['{ to: "*.db.example.com", ports: [5432] }', ['tcp . 443', 'tcp . 5000-5431', 'tcp . 5433-6000', 'udp . 5000-6000']],
  ['{ to: "*.db.example.com", ports: [5000-5999/udp] }', ['tcp . 443', 'tcp . 5000-6000', 'udp . 6000']],
  [`{ to: [${HOST}, "*.db.example.com", "*.example.com"], ports: [443, 5000-5500] }`, ['tcp . 5501-6000', 'udp . 5000-6000']],
  ['{ to: 45.64.7.0/24, ports: [443] }', ['tcp . 5000-6000', 'udp . 5000-6000']],
];
for (const [denied, tails] of cases) {
  test(`denied: ${denied}`, (t) => {
    const yaml = `service: webapp\nmatch: { user: 1001 }\negress:\n  allow:\n    - { to: "*.example.com", ports: [443, 5000-6000/tcp, 5000-6000/udp] }\n${denied === '' ? '' : `  deny:\n    - ${denied}\n`}`;
    const [unknown] = confinements(yaml);
    if (unknown === undefined) return t.fail();
    const { allowing, deniedBy } = nameMatcher(unknown);
    const found = compileAddresses(unknown, ADDRESSES.map(address), allowing(HOST), { addressTimeout: ADDRESS_TIMEOUT }, deniedBy(HOST));
    const elements = found.get('user 1001') ?? [];
    t.deepEqual(elements.filter(({ key }) => key.includes('45.64.7.1 ')).map(({ key }) => key.slice('1001 . 45.64.7.1 . '.length)).toSorted(), tails);
    const known = elementsOf(confinements(yaml, { addresses: { [HOST]: ADDRESSES } })).filter(({ set, key }) => set.includes('egress') && ADDRESSES.some((one) => key.includes(` ${one} `)));
    t.deepEqual(elements.map(({ set, key, timeout }) => [set, key, timeout].join()).toSorted(), known.map(({ set, key, timeout }) => [set, key, timeout].join()).toSorted());
    return undefined;
  });
}
