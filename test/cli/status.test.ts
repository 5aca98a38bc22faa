/** What `netwallctl status` says, word for word. */
import test from 'ava';
import type { Look } from '../../src/cli/output.ts';
import { statusText } from '../../src/cli/status.ts';
import type { StatusReport } from '../../src/control/api.ts';
import { clock, destination, drift, look, name, onTerminal, service, status } from './reports.ts';

const backup = service({ service: 'backup', mode: 'audit', state: 'pending', message: 'no such user yet: backup', uids: [], names: [], dns: { mode: 'none', port: null }, counters: { packets: 0, bytes: 0, deniedPackets: 0 } });
const two = status({ services: [service(), backup], serviceCount: 2 });
const HEAD = 'netwalld 0.1.0: enforcing, generation 41,';

type Case = readonly [title: string, report: StatusReport, one: string | null, look: Partial<Look>, golden: readonly string[]];
const cases: readonly Case[] = [
  [
    'all services; who has something to say says it',
    two,
    null,
    {},
    [
      `${HEAD} 2 services, no drift, 2 repaired`,
      '',
      'SERVICE  STATE    MODE     WHO       NAMES  PACKETS  BYTES    DENIED',
      'webapp   active   enforce  uid 1001  1/1    1204     90.2 kB  3',
      'backup   pending  audit    –         –      0        0 B      0',
      '',
      'backup',
      '  no such user yet: backup',
      '  /etc/netwall.d/webapp.yaml:1',
      '  match: user webapp (–), mode: audit',
      '  dns: none',
    ],
  ],
  [
    'a narrow terminal',
    status(),
    null,
    { columns: 40 },
    [`${HEAD} 1 service, no drift, 2 repaired`, '', 'SERVICE  STATE   MODE     DENIED', 'webapp   active  enforce  3'],
  ],
  [
    'a very narrow one',
    status({ services: [service({ service: 'a-service-with-quite-some-name' })] }),
    null,
    { columns: 24 },
    [`${HEAD} 1 service, no drift, 2 repaired`, '', 'SERVICE   STATE   DENIED', 'a-servi…  active  3'],
  ],
  [
    'everything',
    status({ services: [service({ uids: [1, 2, 3, 4], dns: { mode: 'filtered', port: 5353, lastError: 'no server answers' } })], drift: { open: [], repaired: 2, last: drift() } }),
    null,
    { wide: true },
    [
      `${HEAD} 1 service, no drift, 2 repaired`,
      'guard: held',
      'last drift: kernel, 3 s ago: the table is gone',
      '',
      'SERVICE  STATE   MODE     WHO                      NAMES  PACKETS  BYTES    DENIED  DNS       SOURCE                        LAST ERROR',
      'webapp   active  enforce  uid 1 uid 2 uid 3 uid 4  1/1    1204     90.2 kB  3       filtered  /etc/netwall.d/webapp.yaml:1  no server answers',
    ],
  ],
  [
    'one service, with what went where',
    status({
      services: [
        service({
          names: [
            name({ ages: [{ address: '91.200.7.1', secondsAgo: 18 }, { address: '91.200.7.2', secondsAgo: 300 }] }),
            name({ name: 'x.partner.net', state: 'failed', addresses: [], lastSeenSecondsAgo: null, nextLookUpInSeconds: null, error: 'NXDOMAIN' }),
          ],
          destinations: [destination(), destination({ direction: 'in', to: '0.0.0.0/0', port: '8080', packets: 3, bytes: 100 }), destination({ to: '10.0.0.0/8', protocol: 'icmp', port: null, packets: 0, bytes: 0 })],
        }),
      ],
      serviceCount: 7,
    }),
    'webapp',
    {},
    [
      `${HEAD} 7 services, no drift, 2 repaired`,
      '',
      'SERVICE  STATE   MODE     WHO       NAMES  PACKETS  BYTES    DENIED',
      'webapp   active  enforce  uid 1001  1/2    1204     90.2 kB  3',
      '',
      'webapp',
      '  /etc/netwall.d/webapp.yaml:1',
      '  match: user webapp (uid 1001), mode: enforce',
      '  dns: system',
      '    api.partner.net  resolved, seen 18 s ago, again in 42 s  91.200.7.1 91.200.7.2 (5 min ago)',
      '    x.partner.net  failed',
      '      NXDOMAIN',
      '  what went where:',
      '    DESTINATION        PORT      PACKETS    BYTES',
      '    → api.partner.net  443/tcp       120  90.2 kB',
      '    ← 0.0.0.0/0        8080/tcp        3    100 B',
      '    → 10.0.0.0/8       icmp            0      0 B',
    ],
  ],
  [
    'degraded, on trial, without guard, with open drift; a hostile detail stays in its line',
    status({
      state: 'degraded',
      message: 'nft list: failed\n',
      services: [],
      serviceCount: 0,
      guard: { state: 'failed', message: 'taken' },
      trial: { files: ['webapp.yaml'], until: '2026-11-21T08:00:42.000Z' },
      drift: { open: [drift({ kind: 'name', detail: 'x is failed\nnetwalld: all is well' })], repaired: 0, last: null },
    }),
    null,
    {},
    [
      'netwalld 0.1.0: degraded, generation 41, 0 services, 1 drift open, 0 repaired',
      String.raw`nft list: failed\u000a`,
      'no guard: taken',
      'on trial, over in 42 s: webapp.yaml',
      '',
      'SERVICE  STATE  MODE  WHO  NAMES  PACKETS  BYTES  DENIED',
      '',
      'Open drift',
      String.raw`  name, 3 s ago: x is failed\u000anetwalld: all is well`,
    ],
  ],
];
for (const [title, report, one, changes, golden] of cases) {
  test(title, (t) => t.is(statusText(report, one, look(changes), clock), golden.join('\n')));
}

test('colours: what is good is green, what was refused is red', (t) => {
  const text = statusText(status(), null, look({ paint: onTerminal }), clock);
  t.true(text.includes('\u001B[32menforcing\u001B[0m'));
  t.true(text.includes('\u001B[32mactive\u001B[0m   enforce'.replace('   ', '  ')));
  t.true(text.endsWith('\u001B[31m3\u001B[0m'));
});
