import test from 'ava';
import { readClient, readDnsperf } from '../../bench/dns-output.ts';

const dnsperf = (lost: number, codes: string) => `Statistics:

  Queries sent:         20000
  Queries completed:    20000 (100.00%)
  Queries lost:         ${lost} (0.00%)

  Response codes:       ${codes}
  Average packet size:  request 35, response 51
  Run time (s):         1.642301
  Queries per second:   12178.035564
`;

test('the client: median, 99th percentile, and the rate', (t) => {
  t.deepEqual(readClient('74.5 1215.0 0.500000 0 0\n', 1000), { median: 74.5, p99: 1215, rate: 2000 });
});

for (const [what, output] of [
  ['answers that are missing', '74.5 1215.0 0.500000 3 0\n'],
  ['refusals', '74.5 1215.0 0.500000 0 3\n'],
  ['no output at all', ''],
] as const) {
  test(`the client: ${what} are no figure`, (t) => {
    t.throws(() => readClient(output, 1000), { message: /were not answered and/ });
  });
}

test('dnsperf: the rate', (t) => {
  t.is(readDnsperf(dnsperf(0, 'NOERROR 20000 (100.00%)')), 12_178.035564);
});

for (const [what, output] of [
  ['lost questions', dnsperf(2, 'NOERROR 19998 (100.00%)')],
  ['refusals', dnsperf(0, 'NOERROR 19990 (99.95%), REFUSED 10 (0.05%)')],
  ['only failures', dnsperf(0, 'SERVFAIL 20000 (100.00%)')],
  ['no output at all', ''],
] as const) {
  test(`dnsperf: ${what} are no figure`, (t) => {
    t.throws(() => readDnsperf(output), { message: /^dnsperf: / });
  });
}
