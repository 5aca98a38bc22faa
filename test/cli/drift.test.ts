/** What `netwallctl drift` and `events` say, word for word. */
import test from 'ava';
import { driftText, eventText } from '../../src/cli/drift.ts';
import type { EventReport } from '../../src/control/api.ts';
import { clock, drift, look } from './reports.ts';

const report = { history: [drift(), drift({ kind: 'name', service: 'webapp', detail: 'x.partner.net is failed: NXDOMAIN', process: null, count: 3, openMilliseconds: 42_000 })], open: [drift({ kind: 'file', detail: 'webapp.yaml is refused', process: null, repaired: false, openMilliseconds: null })] };

test('in a pipe', (t) => {
  t.is(
    driftText(report, look(), clock),
    [
      'LAST SEEN  KIND    OPEN FOR      SERVICE  DETAIL',
      '3 s ago    kernel  9.1 ms        –        the table is gone by nft[4711]',
      '3 s ago    name    42 s      3×  webapp   x.partner.net is failed: NXDOMAIN',
      '3 s ago    file    open          –        webapp.yaml is refused',
    ].join('\n'),
  );
});

test('on a narrow terminal', (t) => {
  t.is(driftText(report, look({ columns: 40 }), clock), ['LAST SEEN  SERVICE  DETAIL', '3 s ago    –        the table is gone b…', '3 s ago    webapp   x.partner.net is fa…', '3 s ago    –        webapp.yaml is refu…'].join('\n'));
});

test('none', (t) => t.is(driftText({ open: [], history: [] }, look(), clock), 'no drift'));

const events: readonly (readonly [event: EventReport, columns: number | null, golden: string])[] = [
  [{ time: '2026-11-21T07:59:57.000Z', type: 'enforced', generation: 41, why: 'files' }, null, '   3 s ago  enforced  generation=41 why=files'],
  [{ time: '2026-11-21T07:59:57.000Z', type: 'drift-repaired', drift: drift() }, null, '   3 s ago  drift-repaired  kernel  9.1 ms  –  the table is gone by nft[4711]'],
  [{ time: '2026-11-21T07:59:57.000Z', type: 'degraded', message: 'nft\nends' }, null, String.raw`   3 s ago  degraded  message=nft\u000aends`],
  [{ time: '2026-11-21T07:59:57.000Z', type: 'drift-repaired', drift: drift() }, 40, '   3 s ago  drift-repaired  kernel  9.1…'],
];
for (const [event, columns, golden] of events) test(`${event.type}, ${columns ?? 'any'} columns`, (t) => t.is(eventText(event, look({ columns }), clock), golden));

test('a program that calls itself two lines', (t) => {
  t.is(eventText({ time: '2026-11-21T07:59:57.000Z', type: 'drift-repaired', drift: drift({ process: { pid: 7, name: 'a\n3 s ago' } }) }, look(), clock).split('\n').length, 1);
});
