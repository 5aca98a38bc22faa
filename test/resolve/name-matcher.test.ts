import test from 'ava';
import { parsePolicyFile } from '../../src/policy/parse.ts';
import { linkPolicy } from '../../src/policy/rule.ts';
import { nameMatcher } from '../../src/resolve/name-matcher.ts';

const POLICY = `service: webapp
match: { user: 1001 }
egress:
  allow:
    - { to: ["*.example.com", exact.example.net], ports: [443] }
    - { to: "*.deep.example.com", ports: [8443] }
  deny:
    - { to: some.example.com, ports: [5432] }
    - { to: "*.some.example.com", ports: [5433] }
    - { to: "*.deep.example.com", ports: [5434] }
    - { to: never.example.com }
`;
const [policy] = parsePolicyFile('/etc/netwall.d/test.yaml', POLICY).policies;

const cases: readonly (readonly [host: string, allowed: number, deniedPorts: readonly number[], refused: boolean, exact: boolean])[] = [
  ['api.example.com', 1, [], false, false],
  ['example.com', 0, [], false, false],
  ['exact.example.net', 1, [], false, true],
  ['x.exact.example.net', 0, [], false, false],
  ['some.example.com', 1, [5432], false, true],
  ['x.some.example.com', 1, [5433], false, false],
  ['deep.example.com', 1, [], false, false],
  ['x.deep.example.com', 2, [5434], false, false],
  ['never.example.com', 1, [0], true, true],
  ['x.never.example.com', 1, [], false, false],
  ['com', 0, [], false, false],
];
for (const [host, allowed, deniedPorts, refused, exact] of cases) {
  test(`who lists ${host}`, (t) => {
    if (policy === undefined) return t.fail();
    const { allowing, deniedBy, denying, isExact } = nameMatcher(linkPolicy(policy, new Map()).linked);
    t.is(allowing(host).length, allowed);
    t.deepEqual(deniedBy(host).flatMap(({ ports }) => ports.map((match) => ('first' in match ? match.first : 0))), deniedPorts);
    t.is(denying(host) !== null, refused);
    t.is(isExact(host), exact);
    return undefined;
  });
}
