/** From counters to rates, and to what `netwallctl top` shows. */
import test from 'ava';
import { Rates, sorted } from '../../src/cli/rates.ts';
import { topScreen, topTable } from '../../src/cli/top-view.ts';
import type { DestinationReport, TrafficReport } from '../../src/control/api.ts';
import { destination, look, onTerminal } from './reports.ts';

const TIME = new Date('2026-11-21T08:00:00.000Z');
const of = (service: string, packets: number, bytes: number, deniedPackets: number): TrafficReport['services'][number] => ({ service, mode: 'enforce', packets, bytes, deniedPackets });
const report = (at: number, services: TrafficReport['services'], destinations: readonly DestinationReport[] = [], destinationsAt = at): TrafficReport => ({
  at,
  services,
  destinations: destinations.length === 0 ? [] : [{ service: 'webapp', at: destinationsAt, destinations }],
});
const taken = (...reports: readonly TrafficReport[]) => {
  const rates = new Rates();
  return reports.map((one) => rates.take(one, TIME));
};

test('the first look is nothing to compare with', (t) => t.deepEqual(taken(report(0, [of('webapp', 7, 7, 7)])), [null]));

test('rates are by the daemon\'s clock', (t) => {
  const last = taken(report(1000, [of('webapp', 100, 1000, 0)]), report(3000, [of('webapp', 150, 6000, 3)])).at(-1);
  t.like(last?.services[0], { packetsPerSecond: 25, bytesPerSecond: 2500, deniedPerSecond: 1.5, packets: 150 });
  t.is(last?.time, '2026-11-21T08:00:00.000Z');
});

test('a look that the daemon shared says nothing new', (t) => {
  const [, first, again] = taken(report(0, [of('webapp', 0, 0, 0)]), report(1000, [of('webapp', 10, 10, 0)]), report(1000, [of('webapp', 10, 10, 0)]));
  t.is(first?.services[0]?.packetsPerSecond, 10);
  t.is(again?.services[0]?.packetsPerSecond, 10);
});

test('a counter that began anew, a service that is new, one that is gone', (t) => {
  const last = taken(report(0, [of('webapp', 1000, 0, 0), of('old', 1, 1, 1)]), report(1000, [of('webapp', 10, 0, 0), of('new', 500, 0, 0)])).at(-1);
  t.deepEqual(last?.services.map(({ service, packetsPerSecond }) => [service, packetsPerSecond]), [['webapp', 10], ['new', 0]]);
});

test('destinations have rates once they have been seen twice; those that appear count from nothing', (t) => {
  const services = [of('webapp', 0, 0, 0)];
  const all = taken(
    report(0, services),
    report(1000, services, [destination({ packets: 100 })]),
    report(2000, services, [destination({ packets: 130 }), destination({ to: 'new', packets: 5 })]),
    // not read anew: costly
    report(3000, services, [destination({ packets: 130 })], 2000),
    report(4000, services),
  );
  t.deepEqual(all.slice(1).map((one) => one?.destinations.map(({ to, packetsPerSecond }) => [to, packetsPerSecond])), [
    [['api.partner.net', 0]],
    [['api.partner.net', 30], ['new', 5]],
    [['api.partner.net', 30], ['new', 5]],
    [],
  ]);
});

const [, shown = null] = taken(
  report(0, [of('webapp', 0, 0, 0), of('backup', 0, 0, 0), of('idle', 5, 5, 0)], [destination({ packets: 0, bytes: 0 }), destination({ direction: 'in', to: '0.0.0.0/0', port: '8080', packets: 0, bytes: 0 })]),
  report(1000, [of('webapp', 50, 4000, 0), of('backup', 20, 90_000, 7), of('idle', 5, 5, 0)], [destination({ packets: 40, bytes: 3500 }), destination({ direction: 'in', to: '0.0.0.0/0', port: '8080', packets: 3, bytes: 500 })]),
);
if (shown === null) throw new Error('two looks give rates');

for (const [sort, order] of [['packets', 'webapp backup idle'], ['bytes', 'backup webapp idle'], ['denied', 'backup idle webapp'], ['name', 'backup idle webapp']] as const) {
  test(`sorted by ${sort}`, (t) => t.is(sorted(shown, sort).services.map(({ service }) => service).join(' '), order));
}

test('a table in a pipe', (t) => {
  t.is(
    topTable(shown, look(), { sort: 'packets', rows: null }),
    [
      'SERVICE                      MODE     PACKETS/S  BYTES/S  DENIED/S  PACKETS    BYTES  DENIED',
      'webapp                       enforce         50   4.0 kB         0       50   4.0 kB       0',
      '  → api.partner.net 443/tcp                  40   3.5 kB                 40   3.5 kB',
      '  ← 0.0.0.0/0 8080/tcp                        3    500 B                  3    500 B',
      'backup                       enforce         20  90.0 kB         7       20  90.0 kB       7',
      'idle                         enforce          0      0 B         0        5      5 B       0',
    ].join('\n'),
  );
});

test('a small screen: the head, fewer columns, no more lines than there are', (t) => {
  const screen = topScreen(shown, look({ columns: 44 }), { sort: 'packets', rows: 6, notice: null });
  t.deepEqual(screen.split('\n'), [
    'netwallctl top  08:00:00Z  by packets  (q q…',
    '',
    'SERVICE                  PACKETS/S  DENIED/S',
    'webapp                          50         0',
    '  → api.partner.net 44…         40',
    '  ← 0.0.0.0/0 8080/tcp           3',
  ]);
});

test('before anything is known', (t) => t.is(topScreen(null, look(), { sort: 'name', rows: 24, notice: null }), 'netwallctl top  measuring  by name  (q quit, s sort)\n\n'));

test('refusals are red, the sorted column is green', (t) => {
  const text = topTable(shown, look({ paint: onTerminal }), { sort: 'bytes', rows: null });
  t.true(text.includes('\u001B[32mBYTES/S\u001B[0m'));
  t.true(text.includes('\u001B[31m7\u001B[0m'));
});
