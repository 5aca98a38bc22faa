import test from 'ava';
import * as fc from 'fast-check';
import { parsePorts } from '../../src/policy/ports.ts';

const every = { first: 0, last: 65535 };

const accepted = [
  [443, { protocol: 'tcp', first: 443, last: 443 }],
  ['443', { protocol: 'tcp', first: 443, last: 443 }],
  [1, { protocol: 'tcp', first: 1, last: 1 }],
  [65535, { protocol: 'tcp', first: 65535, last: 65535 }],
  ['443/tcp', { protocol: 'tcp', first: 443, last: 443 }],
  ['53/udp', { protocol: 'udp', first: 53, last: 53 }],
  ['8000-8010', { protocol: 'tcp', first: 8000, last: 8010 }],
  ['8000-8010/udp', { protocol: 'udp', first: 8000, last: 8010 }],
  ['7-7', { protocol: 'tcp', first: 7, last: 7 }],
  ['1-65535', { protocol: 'tcp', first: 1, last: 65535 }],
  ['any/tcp', { protocol: 'tcp', ...every }],
  ['any/udp', { protocol: 'udp', ...every }],
  ['any', { protocol: 'any', ...every }],
  ['icmp', { protocol: 'icmp', ...every }],
] as const;

for (const [item, value] of accepted) test(`ports: ${JSON.stringify(item)}`, (t) => t.deepEqual(parsePorts(item), { ok: true, value }));

/** What the corpus of bad files does not show. */
const refused: readonly (readonly [item: string | number, fault: RegExp, hint: RegExp])[] = [
  ['', /missing/, /write a port as/],
  ['80 443', /is not one port/, /\[80, 443\]/],
  ['80, 70000', /is not one port/, /as a list/],
  ['8000 - 8010', /is not a port/, /did you mean 8000-8010\?/],
  ['8000–8010', /"8000–8010"/, /did you mean 8000-8010\?/],
  ['8000..8010', /is not a port range/, /did you mean 8000-8010\?/],
  ['-443', /is not a port/, /write a port as/],
  ['0-100', /0 is not a port/, /1 to 65535/],
  ['080-090/udp', /leading zero/, /did you mean 80-90\/udp\?/],
  ['0-65535/udp', /0 is not a port/, /did you mean any\/udp\?/],
  ['1-70000', /70000 is out of range/, /1 to 65535/],
  ['9-8/udp', /reversed/, /did you mean 8-9\/udp\?/],
  ['any/any', /is not a port/, /did you mean any\?/],
  ['ALL', /is not a port/, /did you mean any\?/],
  ['Any', /is not a port/, /did you mean any\?/],
  ['any/icmp', /ICMP has no ports/, /did you mean icmp\?/],
  ['icmpv6', /is not a port/, /did you mean icmp\?/],
  ['icm', /is not a port/, /did you mean icmp\?/],
  ['tcp', /is a protocol/, /did you mean any\/tcp\?/],
  ['ssh', /is a name/, /did you mean 22\?/],
  ['ntp', /is a name/, /did you mean 123\/udp\?/],
  ['ssh/tcp', /is a name/, /did you mean 22\/tcp\?/],
  ['443/http', /"http" is not tcp or udp/, /ports are those of tcp or udp/],
  ['443/udpp', /"udpp" is not tcp or udp/, /did you mean 443\/udp\?/],
  ['443/tcp/udp', /"tcp\/udp" is not tcp or udp/, /tcp or udp/],
  [-5, /is not a port/, /write a port as/],
  ['١٢', /is not a port/, /write a port as/],
];

for (const [item, fault, hint] of refused) {
  test(`refused as ports: ${JSON.stringify(item)}`, (t) => {
    const parsed = parsePorts(item);
    if (parsed.ok) return t.fail(`read as ${JSON.stringify(parsed.value)}`);
    t.regex(parsed.fault, fault);
    t.regex(parsed.hint ?? '', hint);
  });
}

test('a suggestion is itself accepted', (t) => {
  const piece = fc.constantFrom('0', '1', '80', '443', '65535', '65536', '-', '/', 'tcp', 'udp', 'icmp', 'any', 'TCP', ' ', ',', ':', '_', 'x', '*', 'http', '–');
  let suggested = 0;
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 6 }), (pieces) => {
      const parsed = parsePorts(pieces.join(''));
      if (parsed.ok) return;
      t.true((parsed.hint ?? '') !== '');
      const [, instead] = /^did you mean (.*)\?$/.exec(parsed.hint ?? '') ?? [];
      if (instead === undefined) return;
      suggested += 1;
      t.true(parsePorts(instead).ok, `${pieces.join('')}: ${instead}`);
    }),
    { numRuns: 3000 },
  );
  t.true(suggested > 0);
});
