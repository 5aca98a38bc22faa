/**
 * The shape of policy files, and every default of theirs. What a YAML document may hold is decided here and nowhere else;
 * the JSON Schema for editors is made from this file (`z.toJSONSchema`, `io: 'input'`), descriptions and all.
 */
import { z } from 'zod';
import type { Parsed } from '../net/address.ts';
import { type DestinationValue, NAME, parseDestination, parseMember, parseSource } from './destination.ts';
import { issueParams, oneOrMany, scalarField, textField, withHints } from './field.ts';
import type { DnsMode } from './policy.ts';
import { parsePorts, PORTS_RULE } from './ports.ts';
import { parseSubject } from './subject.ts';
import { quoted } from './visible.ts';

export const DEFAULT_DNS: DnsMode = 'filtered';

function parseName(text: string): Parsed<string> {
  if (NAME.test(text)) return { ok: true, value: text };
  const near = text.trim().toLowerCase().replaceAll(/[\s_.@]+/g, '-');
  const hint = NAME.test(near) ? `did you mean ${near}?` : 'use a-z, 0-9 and "-", at most 32 characters, the first not "-"';
  return { ok: false, fault: text === '' ? 'a name is missing' : `${quoted(text)} is not a name`, hint };
}

const name = textField(parseName).meta({ pattern: NAME.source });

const subjects = oneOrMany(scalarField(parseSubject));

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
    .meta({ description: 'Whose sockets the policy governs.', oneOf: [{ required: ['user'] }, { required: ['group'] }] }),
  { missing: 'write "match: { user: NAME }"', kind: 'write "match: { user: NAME }"' },
);

const ports = withHints(
  oneOrMany(withHints(scalarField(parsePorts), { kind: PORTS_RULE })).meta({
    description: 'A bare number is tcp; 8000-8010, 53/udp, any/udp, icmp; any is every protocol.',
    examples: [443, [443, '8000-8010/tcp', '53/udp']],
  }),
  { missing: 'write "ports: [any]" if every port is meant' },
);

const destinations = (read: (item: string | number) => Parsed<DestinationValue>, description: string) =>
  oneOrMany(withHints(scalarField(read), { kind: 'write a domain, an address, a CIDR block or "@group"' })).meta({ description, examples: ['api.github.com', ['10.0.0.0/8', '@internal']] });

const to = withHints(destinations(parseDestination, 'Domains, addresses, CIDR blocks, "@groups", one or many.'), {
  missing: 'write "to:" with domains, addresses, CIDR blocks or "@groups"',
});

const from = withHints(destinations(parseSource, 'Addresses, CIDR blocks or "@groups" that may connect in. Omitted: anywhere.'), {
  missing: 'leave "from" out if anywhere is meant',
});

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
  z.strictObject({
    allow: entries(egressAllow, 'Where the service may connect to. Nothing listed, nothing allowed.'),
    deny: entries(egressDeny, 'Exceptions, which win over allow. Without ports: all of them.'),
  }),
  { missing: 'remove the key, or write "allow:" under it', kind: 'write "allow:" and its list under it' },
);

const ingress = withHints(z.strictObject({ allow: entries(ingressAllow, 'Who may connect to which ports of the service. Nothing listed, nobody.') }), {
  missing: 'remove the key, or write "allow:" under it',
  kind: 'write "allow:" and its list under it',
  misplaced: new Map([['deny', '"ingress" has only "allow": who is not listed cannot connect']]),
});

const mode = z.enum(['enforce', 'audit', 'block']).meta({ description: 'enforce; audit: record and let through; block: nothing out, nothing in.' });

const dns = z.enum(['filtered', 'system', 'none']).meta({
  description: "filtered: each query is judged by name; system: by the system's name servers; none: no DNS at all.",
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
    .meta({ title: 'netwall policy' }),
  { kind: BEGINNING, misplaced },
);

const members = withHints(destinations(parseMember, 'Addresses, CIDR blocks and domains, one or many.'), {
  missing: 'list its addresses, CIDR blocks and domains',
});

export const groupsDocument = z
  .strictObject({ groups: z.record(name, members).meta({ description: 'Named destinations, usable as "@name" in every file.' }) })
  .meta({ title: 'netwall groups' });

/** One document of a policy file. */
export const fileDocument = z.union([policyDocument, groupsDocument]);

export type PolicyShape = z.output<typeof policyDocument>;
export type GroupsShape = z.output<typeof groupsDocument>;
