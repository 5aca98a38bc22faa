import test, { type ExecutionContext } from 'ava';
import * as fc from 'fast-check';
import { formatNetwork, parseNetwork } from '../../src/net/address.ts';
import { type ParsedFile, parsePolicyFile } from '../../src/policy/parse.ts';
import type { Destination, PortMatch, Position } from '../../src/policy/policy.ts';
import { formatProblem } from '../../src/policy/problem.ts';
import { corpusFiles } from './corpus.ts';

const good = corpusFiles('good').map(({ bytes }) => Buffer.from(bytes).toString());
const bad = corpusFiles('bad').map(({ bytes }) => Buffer.from(bytes).toString());

/** Anything a terminal obeys, but for line ends. */
// oxlint-disable-next-line no-control-regex -- finding them is what it is for
const CONTROL = /[\0-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]/;

function isInside(text: string, { line, column }: Position): boolean {
  const lines = text.replace(/^\ufeff/, '').split('\n');
  const length = lines[line - 1]?.length;
  return length !== undefined && column >= 1 && column <= length + 1;
}

function isCanonicalDestination(destination: Destination): boolean {
  if (destination.kind === 'group') return /^[a-z0-9][a-z0-9-]{0,31}$/.test(destination.name);
  if (destination.kind === 'domain') return destination.domain.name.length <= 253 && /^(?:[a-z0-9_-]{1,63}\.)+[a-z0-9_-]{1,63}$/.test(destination.domain.name);
  const again = parseNetwork(formatNetwork(destination.network));
  return again.ok && again.value.first === destination.network.first && again.value.last === destination.network.last;
}

const isCanonicalPort = ({ protocol, first, last }: PortMatch) =>
  first <= last && last <= 65535 && (first >= 1 || (first === 0 && last === 65535)) && ['tcp', 'udp', 'icmp', 'any'].includes(protocol);

/** What must hold of every file, whatever is in it. */
function examine(t: ExecutionContext, text: string, parsed: ParsedFile): void {
  const { policies, groups, problems, salvage } = parsed;
  for (const problem of problems) {
    t.true(isInside(text, problem.at), `${JSON.stringify(problem)} is not in ${JSON.stringify(text)}`);
    t.true(problem.message.length <= 400 && (problem.hint?.length ?? 0) <= 400, problem.message);
    const shown = formatProblem(problem, text);
    t.notRegex(shown, CONTROL);
    t.true(shown.split('\n').length <= 4);
  }
  const refused = problems.some(({ severity }) => severity === 'error');
  if (refused) t.deepEqual([policies, groups], [[], []]);
  else t.deepEqual(salvage, []);
  for (const { service, subjects, egress, ingress, dns } of policies) {
    t.regex(service, /^[a-z0-9][a-z0-9-]{0,31}$/);
    t.true(subjects.length > 0 && subjects.every(({ id, at }) => (typeof id === 'number' ? Number.isInteger(id) && id >= 0 && id < 2 ** 32 - 1 : !/^[0-9]*$/.test(id)) && isInside(text, at)));
    const destinations = [...egress.allow, ...egress.deny].flatMap(({ to }) => to);
    const inbound = ingress.allow.flatMap(({ from }) => from ?? []);
    t.true([...destinations, ...inbound].every((destination) => isCanonicalDestination(destination) && isInside(text, destination.at)));
    t.true(inbound.every(({ kind }) => kind !== 'domain'));
    t.true(dns === 'filtered' || destinations.every((destination) => destination.kind !== 'domain' || !destination.domain.wildcard));
    t.true([...egress.allow, ...egress.deny].every(({ to }) => to.length > 0));
    t.true([...egress.allow, ...egress.deny, ...ingress.allow].every(({ ports }) => ports.length > 0 && ports.every(isCanonicalPort)));
    t.true(egress.deny.every((entry) => !entry.private));
  }
  for (const { name, destinations } of groups) {
    t.regex(name, /^[a-z0-9][a-z0-9-]{0,31}$/);
    t.true(destinations.length > 0 && destinations.every((destination) => destination.kind !== 'group' && isCanonicalDestination(destination)));
  }
}

const checked = (t: ExecutionContext, text: string) => examine(t, text, parsePolicyFile('policy.yaml', text));

test('random text', (t) => {
  fc.assert(fc.property(fc.string({ unit: 'binary', maxLength: 300 }), (text) => checked(t, text)), { numRuns: 150000 });
});

test('random bytes', (t) => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => examine(t, new TextDecoder('utf-8', { ignoreBOM: true }).decode(bytes), parsePolicyFile('policy.yaml', bytes))),
    { numRuns: 150000 },
  );
});

const fragment = fc.constantFrom(
  '\n', '\n  ', '\n    ', '\n- ', '\n  - ', '\n    - ', ' ', ': ', ':', ', ', '[', ']', '{', '}', '"', "'", '# ', '? ', '| ', '>-\n', '&a ', '*a', '*.example.com', '<<: ', '!!int ', '!x ',
  '---\n', '...\n', '%YAML 1.1\n', '\t', '\r\n', '\ufeff', '\u001b[31m', '\u202e', '\\', '@', '`', '~', 'null', 'true', 'on', '010', '0x50', '1e3', '1_000', '443', '70000', '8000-8010', '53/udp', 'any', 'icmp',
  'service', 'match', 'user', 'group', 'groups', 'mode', 'dns', 'egress', 'ingress', 'allow', 'deny', 'to', 'from', 'ports', 'private', 'webapp', 'enforce', 'block', 'system', 'filtered', '__proto__', 'constructor',
  'api.example.com', '"*.example.com"', '"@internal"', '10.0.0.0/8', '10.0.0.1/8', '::1', 'fe80::1%eth0', 'https://example.com/', 'localhost', 'bücher.example', 'a'.repeat(70),
);

test('random pieces of YAML', (t) => {
  fc.assert(fc.property(fc.array(fragment, { maxLength: 60 }), (pieces) => checked(t, pieces.join(''))), { numRuns: 150000 });
});

type Edit = { readonly from: number; readonly length: number; readonly piece: string };
const edit: fc.Arbitrary<Edit> = fc.record({ from: fc.double({ min: 0, max: 1, noNaN: true }), length: fc.nat(12), piece: fc.oneof(fragment, fc.string({ maxLength: 4 }), fc.constant('')) });

function edited(text: string, edits: readonly Edit[]): string {
  return edits.reduce((text, { from, length, piece }) => {
    const start = Math.floor(from * text.length);
    return text.slice(0, start) + piece + text.slice(start + length);
  }, text);
}

test('good and bad files with mistakes made in them', (t) => {
  let accepted = 0;
  fc.assert(
    fc.property(fc.constantFrom(...good, ...bad), fc.array(edit, { minLength: 1, maxLength: 4 }), (text, edits) => {
      const mutant = edited(text, edits);
      const parsed = parsePolicyFile('policy.yaml', mutant);
      if (parsed.policies.length > 0) accepted += 1;
      examine(t, mutant, parsed);
    }),
    { numRuns: 150000 },
  );
  t.true(accepted > 0, 'some mutants are still good, so that what is accepted is examined as well');
});

const scalar = fc.oneof(
  fragment, fc.integer(), fc.double(), fc.boolean(), fc.constant(null), fc.string({ unit: 'binary', maxLength: 8 }), fc.ipV4(), fc.ipV6(), fc.domain(), fc.webUrl(),
);
const keys = fc.constantFrom('service', 'match', 'user', 'group', 'mode', 'dns', 'egress', 'ingress', 'allow', 'deny', 'to', 'from', 'ports', 'private', 'groups', 'x');
const { tree } = fc.letrec<{ tree: unknown }>((tie) => ({
  tree: fc.oneof({ maxDepth: 6 }, scalar, fc.array(tie('tree'), { maxLength: 4 }), fc.dictionary(keys, tie('tree'), { maxKeys: 5 })),
}));
const nearlyPolicy = fc.record(
  {
    service: fc.oneof(fc.constant('webapp'), tree),
    match: fc.oneof(fc.record({ user: fc.oneof(fc.constant('webapp'), tree) }), tree),
    mode: fc.oneof(fc.constant('audit'), tree),
    egress: fc.oneof(fc.record({ allow: fc.array(fc.record({ to: tree, ports: fc.oneof(fc.constant([443, 'any']), tree) })), deny: fc.array(fc.record({ to: tree })) }), tree),
    ingress: fc.oneof(fc.record({ allow: fc.array(fc.record({ from: tree, ports: fc.oneof(fc.constant(443), tree) })) }), tree),
  },
  { requiredKeys: ['service', 'match'] },
);

test('random structures with the keys of policies', (t) => {
  fc.assert(fc.property(fc.oneof(tree, nearlyPolicy), (value) => checked(t, JSON.stringify(value))), { numRuns: 150000 });
});
