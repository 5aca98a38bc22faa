import test from 'ava';
import { recordingOf, type Recording } from '../../bench/recording.ts';
import { reportOf } from '../../bench/report-text.ts';

const recording: Recording = {
  measured: '2026-01-02T03:04:05.000Z',
  machine: { kernel: '6.1.0', cpu: 'Some CPU', cores: 2, load: 0.1 },
  figures: [
    { what: 'first | second', value: 3, unit: 'ms', atMost: 2, samples: [2.5, 3, 3.5] },
    { what: 'queries', value: 12, unit: '' },
  ],
  comparisons: [
    {
      what: 'Latency',
      unit: 'µs',
      better: 'less',
      reference: 'rival',
      series: [{ name: 'netwalld', samples: [110, 100, 120] }, { name: 'rival', samples: [100] }],
      goals: [{ of: 'netwalld', to: 'rival', atMost: 1.2 }, { of: 'rival', to: 'netwalld', atLeast: 1 }],
      note: 'The rival knows no users.',
    },
  ],
  curves: [{ what: 'Memory', x: { label: 'policies', scale: 'logarithmic' }, y: { label: 'MB', scale: 'linear' }, lines: [{ name: 'idle', points: [{ x: 10, y: 80 }] }] }],
  notes: ['unbound is not installed'],
};

const page = `# Title

Ours, above.

<!-- begin goals: npm run bench -- --report -->
old
<!-- end goals -->

## Names

Ours.

<!-- begin dns: npm run bench -- --report -->
old
<!-- end dns -->

Ours, below.

<!-- begin gone: npm run bench -- --report -->
old
<!-- end gone -->
`;

const section = `*Measured on 2026-01-02, Linux 6.1.0, 2 × Some CPU, load 0.10 before.*

**Latency** (less is better; 1.00 is rival)

|  | ratio | median, µs | spread | runs |
| --- | --: | --: | --: | --: |
| netwalld | 1.10 × | 110 | 100 to 120 | 3 |
| rival | 1.00 × | 100 | 100 to 100 | 1 |

- netwalld / rival: 1.10 (at most 1.2) met
- rival / netwalld: 0.91 (at least 1) **MISSED**

The rival knows no users.

![Latency](benchmarks/dns-latency.svg)

![Memory](benchmarks/dns-memory.svg)

|  | median | spread | runs | goal |
| --- | --: | --: | --: | --: |
| first \\| second | 3 ms | 2.50 to 3.50 | 3 | at most 2 ms: **MISSED** |
| queries | 12 |  |  |  |

- unbound is not installed`;

const goals = `|  | is | goal | suite |
| --- | --: | --: | --: |
| Latency: rival / netwalld | 0.91 × | at least 1: **MISSED** | dns |
| first \\| second | 3 ms | at most 2: **MISSED** | dns |
| Latency: netwalld / rival | 1.10 × | at most 1.2: met | dns |`;

const marked = (name: string, text: string): string => `<!-- begin ${name}: npm run bench -- --report -->\n\n${text}\n\n<!-- end ${name} -->`;

test('tables stand between the marks, and the prose around them stays', (t) => {
  t.is(reportOf(page, new Map([['dns', recording]])).page, `# Title\n\nOurs, above.\n\n${marked('goals', goals)}\n\n## Names\n\nOurs.\n\n${marked('dns', section)}\n\nOurs, below.\n\n${marked('gone', 'Not recorded.')}\n`);
});

test('among the goals a caption that goes on from another has that before it', (t) => {
  const figures = [
    { what: 'repaired, p50', value: 1, unit: 'ms' },
    { what: '… most', value: 2, unit: 'ms', atMost: 3 },
    { what: '… p99', value: 5, unit: 'ms', atMost: 4 },
    { what: 'leaked', value: 0, unit: 'packets', atMost: 0 },
  ];
  const table = ['| repaired … p99 | 5 ms | at most 4: **MISSED** | drift |', '| repaired … most | 2 ms | at most 3: met | drift |', '| leaked | 0 packets | at most 0: met | drift |'].join('\n');
  const { page: written } = reportOf(page, new Map([['drift', { figures }]]));
  t.true(written.includes(table), written);
  t.true(written.includes('| … p99 | 5 ms |'), 'below its row it stands as it is');
});

test('writing it again changes nothing', (t) => {
  const recordings = new Map([['dns', recording], ['other', recording]]);
  const once = reportOf(page, recordings).page;
  t.is(reportOf(once, recordings).page, once);
});

test('a suite without a place gets one at the end', (t) => t.true(reportOf(page, new Map([['other', recording]])).page.includes('\n## other\n\n<!-- begin other:')));

test('each comparison and each curve is drawn', (t) => t.deepEqual([...reportOf(page, new Map([['dns', recording]])).drawings.keys()], ['dns-latency.svg', 'dns-memory.svg']));

test('two drawings of one name are refused', (t) => {
  t.throws(() => reportOf(page, new Map([['dns', { ...recording, curves: [...(recording.curves ?? []), ...(recording.curves ?? [])] }]])), { message: /dns-memory\.svg/ });
});

test('what is recorded is read, and nothing else', (t) => {
  t.deepEqual(recordingOf('dns', JSON.stringify(recording)), recording);
  t.throws(() => recordingOf('dns', '{"figures":[{"what":"a","value":null,"unit":"ms"}]}'), { message: /dns\.json[^]*value/ });
});
