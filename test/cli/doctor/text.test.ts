import test from 'ava';
import { doctorText } from '../../../src/cli/doctor/text.ts';
import { shortened } from '../../../src/cli/doctor/finding.ts';
import { hostModules } from '../../../src/cli/doctor/name-services.ts';
import { PUBLIC_RESOLVERS } from '../../../src/cli/doctor/public-resolvers.ts';
import { compareVersions } from '../../../src/cli/doctor/kernel.ts';
import { painter } from '../../../src/cli/output.ts';
import { parseAddress } from '../../../src/net/address.ts';
import { parseDomainPattern } from '../../../src/resolve/domain-pattern.ts';

const plain = painter(false, {});
const CHECKS = [
  { id: 'a', severity: 'critical', title: 'it is bad', detail: 'this\nthat', remedy: 'do it' },
  { id: 'b', severity: 'info', title: 'not checked: only root may look', detail: '', remedy: null },
  { id: 'c', severity: 'ok', title: 'good', detail: '', remedy: null },
] as const;

test('findings for people: worst first, what is fine in one line', (t) => {
  t.is(doctorText(CHECKS, false, plain), 'critical\n  a: it is bad\n    this\n    that\n    remedy: do it\n\ninfo\n  b: not checked: only root may look\n\nok: 1 more check; -v shows them');
});

test('… or all of it', (t) => {
  t.true(doctorText(CHECKS, true, plain).endsWith('\n\nok\n  c: good'));
});

test('… in colours', (t) => {
  t.true(doctorText(CHECKS, false, painter(true, {})).startsWith('\u001B[31mcritical\u001B[0m\n  \u001B[1ma\u001B[0m: it is bad'));
});

test('a long list is cut, what is double is said once', (t) => {
  t.deepEqual(shortened(['a', 'a', 'b']), ['a', 'b']);
  t.deepEqual(shortened(['1', '2', '3', '4', '5', '6', '7', '8']).length, 8);
  t.deepEqual(shortened(['1', '2', '3', '4', '5', '6', '7', '8', '9']).slice(-2), ['7', '… and 2 more']);
});

test('hosts: of nsswitch.conf', (t) => {
  t.deepEqual(hostModules('passwd: files\n hosts:  files [NOTFOUND=return] resolve [!UNAVAIL=return SUCCESS=merge] dns # mdns\n'), ['files', 'resolve', 'dns']);
  t.is(hostModules('passwd: files\n#hosts: dns\n'), null);
});

test('public resolvers: every address and name is one', (t) => {
  for (const { names, addresses } of PUBLIC_RESOLVERS) {
    t.deepEqual(addresses.filter((text) => !parseAddress(text).ok), []);
    t.deepEqual(names.filter((text) => !parseDomainPattern(text).ok), []);
  }
});

for (const [a, b, order] of [['6.12.3', '6.12', 1], ['6.9', '6.12', -1], ['6.12-rc1', '6.12', 0], ['1.0.6', '1.0.6', 0], ['1.1', '1.0.9', 1], ['x', '0', 0]] as const) {
  test(`versions: ${a} and ${b}`, (t) => t.is(compareVersions(a, b), order));
}
