/**
 * The shape of policy files, and every default of theirs. What a YAML document may hold is decided here and nowhere else;
 * the JSON Schema for editors is made from this file (`json-schema.ts`), descriptions and all.
 */
import { z } from 'zod';
import type { Parsed } from '../net/address.ts';
import { type DestinationValue, NAME, parseDestination, parseMember, parseSource } from './destination.ts';
import { issueParams, oneOrMany, scalarField, textField, withHints } from './field.ts';
import type { DnsMode } from './policy.ts';
import { DESTINATION_PATTERN, MEMBER_PATTERN, PORTS_PATTERN, SOURCE_PATTERN, SUBJECT_PATTERN } from './patterns.ts';
import { parsePorts, PORTS_RULE } from './ports.ts';
import { HIGHEST_ID, LONGEST_NAME, parseSubject } from './subject.ts';
import { quoted } from './visible.ts';

export const DEFAULT_DNS: DnsMode = 'filtered';

function parseName(text: string): Parsed<string> {
  if (NAME.test(text)) return { ok: true, value: text };
  const near = text.trim().toLowerCase().replaceAll(/[\s_.@]+/g, '-');
  const hint = NAME.test(near) ? `did you mean ${near}?` : 'use a-z, 0-9 and "-", at most 32 characters, the first not "-"';
  return { ok: false, fault: text === '' ? 'a name is missing' : `${quoted(text)} is not a name`, hint };
}

/** What cannot be read from a reader: the same as JSON Schema, with `patternErrorMessage`, an extension that editors know. */
const name = textField(parseName).meta({ pattern: NAME.source, patternErrorMessage: 'a name is a-z, 0-9 and "-", at most 32 characters, the first not "-"' });

const subjects = oneOrMany(
  scalarField(parseSubject).meta({
    id: 'subject',
    anyOf: [
      { type: 'string', minLength: 1, maxLength: LONGEST_NAME, pattern: SUBJECT_PATTERN, patternErrorMessage: 'not the name of an account; ids are decimal digits without quotes' },
      { type: 'integer', minimum: 0, maximum: HIGHEST_ID },
    ],
  }),
  { uniqueItems: true },
);

const match = withHints(
  z
    .strictObject({
      user: subjects.optional().meta({ description: 'User names or uids whose sockets are governed, one or many.', examples: ['webapp', ['webapp', 1001]] }),
      group: subjects.optional().meta({ description: 'Names or gids of primary groups whose sockets are governed, one or many.', examples: ['ci'] }),
    })
    .superRefine(({ user, group }, context) => {
      const hint = 'a policy governs users or groups; write two policies for both';
      if (user !== undefined && group !== undefined) {
        context.addIssue({ code: 'custom', path: ['group'], message: '"match" has both "user" and "group"', params: issueParams(hint, 'key') });
      } else if (user === undefined && group === undefined && context.issues.length === 0) {
        context.addIssue({ code: 'custom', message: '"match" names nobody', params: issueParams('write "user: NAME" or "group: NAME"') });
      }
    })
    .meta({
      description: 'Whose sockets the policy governs: "user" or "group", one of the two.',
      examples: [{ user: 'webapp' }],
      oneOf: [{ required: ['user'] }, { required: ['group'] }],
    }),
  { missing: 'write "match: { user: NAME }"', kind: 'write "match: { user: NAME }"' },
);

const ports = withHints(
  oneOrMany(
    withHints(
      scalarField(parsePorts).meta({
        id: 'ports',
        anyOf: [
          { type: 'integer', minimum: 1, maximum: 65535 },
          { type: 'string', pattern: PORTS_PATTERN, patternErrorMessage: PORTS_RULE },
        ],
      }),
      { kind: PORTS_RULE },
    ),
  ).meta({
    description: 'A bare number is tcp; 8000-8010, 53/udp, any/udp, icmp; any is every protocol.',
    examples: [443, [443, '8000-8010/tcp', '53/udp']],
  }),
  { missing: 'write "ports: [any]" if every port is meant' },
);

type DestinationKind = { readonly id: string; readonly description: string; readonly pattern: string; readonly rule: string; readonly examples: readonly unknown[] };

const destinations = (read: (item: string | number) => Parsed<DestinationValue>, { id, description, pattern, rule, examples }: DestinationKind) =>
  oneOrMany(
    withHints(scalarField(read).meta({ id, type: 'string', pattern, patternErrorMessage: rule }), { kind: 'write a domain, an address, a CIDR block or "@group"' }),
  ).meta({ description, examples });

const to = withHints(
  destinations(parseDestination, {
    id: 'destination',
    description: 'Domains, addresses, CIDR blocks, "@groups", one or many. "*.example.com" covers every name below example.com, and not example.com itself.',
    pattern: DESTINATION_PATTERN,
    rule: 'not a domain, an address, a CIDR block without host bits or "@group"',
    examples: ['api.github.com', ['10.0.0.0/8', '@internal']],
  }),
  { missing: 'write "to:" with domains, addresses, CIDR blocks or "@groups"' },
);

const from = withHints(
  destinations(parseSource, {
    id: 'source',
    description: 'Addresses, CIDR blocks or "@groups" that may connect in. Omitted: anywhere.',
    pattern: SOURCE_PATTERN,
    rule: 'not an address, a CIDR block without host bits or "@group"',
    examples: ['127.0.0.1', ['10.0.0.0/8', '@internal']],
  }),
  { missing: 'leave "from" out if anywhere is meant' },
);

const egressAllow = withHints(
  z.strictObject({
    to,
    ports,
    private: z.boolean().default(false).meta({ description: "This entry's domains may resolve to private and other special-use addresses." }),
  }),
  { kind: 'write "to: …" and "ports: …"', misplaced: new Map([['from', '"from" belongs under "ingress"']]) },
);

const egressDeny = withHints(z.strictObject({ to, ports: ports.prefault('any') }), {
  kind: 'write "to: …"',
  misplaced: new Map([['private', '"private" belongs under "allow": what is denied is denied wherever it is']]),
});

const ingressAllow = withHints(z.strictObject({ from: from.optional(), ports }), {
  kind: 'write "from: …" and "ports: …"',
  misplaced: new Map([['to', '"to" belongs under "egress"; here it is "from"']]),
});

const entries = <Entry extends z.ZodType>(entry: Entry, description: string) =>
  withHints(z.array(entry).meta({ description }), {
    missing: 'write a list, or remove the key',
    kind: 'write a list: each entry begins with "- "',
  }).default([]);

const egress = withHints(
  z
    .strictObject({
      allow: entries(egressAllow, 'Where the service may connect to. Nothing listed, nothing allowed.'),
      deny: entries(egressDeny, 'Exceptions, which win over allow. Without ports: all of them.'),
    })
    .meta({ description: 'What goes out. Nothing listed, nothing allowed.' }),
  { missing: 'remove the key, or write "allow:" under it', kind: 'write "allow:" and its list under it' },
);

const ingress = withHints(z.strictObject({ allow: entries(ingressAllow, 'Who may connect to which ports of the service. Nothing listed, nobody.') }).meta({ description: 'What comes in. Nothing listed, nobody.' }), {
  missing: 'remove the key, or write "allow:" under it',
  kind: 'write "allow:" and its list under it',
  misplaced: new Map([['deny', '"ingress" has only "allow": who is not listed cannot connect']]),
});

const mode = z.enum(['enforce', 'audit', 'block']).meta({ description: 'enforce; audit: record and let through; block: nothing out, nothing in.' });

const dns = z.enum(['filtered', 'system', 'none']).meta({
  description: "filtered: each query is judged by name; system: by the system's name servers; none: no DNS, but what egress itself allows.",
});

const BEGINNING = 'a policy begins with "service: NAME"';

/** Keys that are known, but elsewhere. */
const misplaced = new Map([
  ['user', '"user" belongs under "match"'],
  ['group', '"group" belongs under "match"'],
  ['allow', '"allow" belongs under "egress" or "ingress"'],
  ['deny', '"deny" belongs under "egress"'],
  ['to', '"to" belongs to an entry of "egress: allow:"'],
  ['from', '"from" belongs to an entry of "ingress: allow:"'],
  ['ports', '"ports" belongs to an entry of "egress" or "ingress"'],
]);

/** Which names a wildcard covers is only seen in the queries of the service. As JSON Schema; `policy-checks.ts` says it for files. */
const NO_WILDCARD = { pattern: String.raw`^(?!\*)`, patternErrorMessage: 'wildcards need "dns: filtered"' };
const ENTRIES_WITHOUT = { items: { properties: { to: { ...NO_WILDCARD, items: NO_WILDCARD } } } };
const WILDCARDS_ARE_FILTERED = {
  if: { required: ['dns'], properties: { dns: { enum: ['system', 'none'] } } },
  // oxlint-disable-next-line unicorn/no-thenable -- a keyword of JSON Schema
  then: { properties: { egress: { properties: { allow: ENTRIES_WITHOUT, deny: ENTRIES_WITHOUT } } } },
};

export const policyDocument = withHints(
  z
    .strictObject({
      service: withHints(name.meta({ description: 'Name of the policy, unique on the host.', examples: ['webapp'] }), { missing: BEGINNING }),
      match,
      mode: mode.default('enforce'),
      dns: dns.default(DEFAULT_DNS),
      egress: egress.prefault({}),
      ingress: ingress.prefault({}),
    })
    .meta({ title: 'netwall policy', description: 'What one service may talk to. Nothing listed, nothing allowed.', ...WILDCARDS_ARE_FILTERED }),
  { kind: BEGINNING, misplaced },
);

const members = withHints(
  destinations(parseMember, {
    id: 'member',
    description: 'Addresses, CIDR blocks and domains, one or many.',
    pattern: MEMBER_PATTERN,
    rule: 'not an address, a CIDR block without host bits or a domain; groups hold neither groups nor wildcards',
    examples: ['10.0.0.0/8', ['10.0.0.0/8', 'fd00::/8']],
  }),
  { missing: 'list its addresses, CIDR blocks and domains' },
);

export const groupsDocument = z
  .strictObject({ groups: z.record(name, members).meta({ description: 'Named destinations, usable as "@name" in every file.', examples: [{ internal: ['10.0.0.0/8', 'fd00::/8'] }] }) })
  .meta({ title: 'netwall groups', description: 'Destinations with a name.' });

/** One document of a policy file. */
export const fileDocument = z.union([policyDocument, groupsDocument]).meta({ title: 'netwall policy file', description: 'A policy, or named destinations; a file may hold several documents, with a line "---" between them.' });

export type PolicyShape = z.output<typeof policyDocument>;
export type GroupsShape = z.output<typeof groupsDocument>;
