/** The shape of `netwalld.yaml`, and every default and bound of it. Keys are written as in the file; `config.ts` renames them. */
import { z } from 'zod';
import type { Parsed } from '../net/address.ts';
import { issueParams, scalarField, textField, withHints } from '../policy/field.ts';
import { quoted } from '../policy/visible.ts';
import { formatDuration, parseDuration } from './duration.ts';
import { type Endpoint, parseEndpoint, parseNameServer } from './endpoint.ts';
import { isNftKeyword, KEYWORDS } from './nft-keyword.ts';
import { durationPattern, LOOPBACK_PATTERN, MARK_PATTERN, NAME_SERVER_PATTERN, PATH_PATTERN } from './patterns.ts';

const SECOND = 1000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

const duration = (least: number, most: number, description: string) =>
  scalarField((item) => parseDuration(String(item), { least, most })).meta({
    type: 'string',
    pattern: durationPattern({ least, most }),
    patternErrorMessage: `write a number and one of ms, s, m, h, d: ${formatDuration(least)} to ${formatDuration(most)}`,
    description: `${description} ${formatDuration(least)} to ${formatDuration(most)}.`,
  });

/** PATH_MAX without the final NUL, in bytes. */
const LONGEST_PATH = 4095;
/** `sun_path` of unix(7) without the final NUL, less `/control.sock`. */
const LONGEST_RUNTIME_DIR = 107 - '/control.sock'.length;

/** Absolute, and one spelling for one place: no `.`, `..`, `//` or final slash, which would make equal paths look different. */
function parsePath(text: string, longest: number): Parsed<string> {
  const what = quoted(text);
  if (!text.startsWith('/')) return { ok: false, fault: `${text === '' ? 'the path' : what} is not an absolute path`, hint: 'begin it with "/"' };
  if (text === '/') return { ok: false, fault: '"/" is the root directory', hint: 'name a place of its own' };
  if (/\p{C}/u.test(text)) return { ok: false, fault: `${what} has characters that cannot be seen` };
  if (/\/(?:\.{1,2})?(?:\/|$)/.test(text)) return { ok: false, fault: `${what} is not a plain path`, hint: 'write it without ".", "..", "//" and a final "/"' };
  const { length } = new TextEncoder().encode(text);
  return length > longest ? { ok: false, fault: `${what} has ${length} bytes, the most is ${longest}` } : { ok: true, value: text };
}
const path = (description: string, longest = LONGEST_PATH) =>
  textField((text) => parsePath(text, longest)).meta({ description, maxLength: longest, pattern: PATH_PATTERN, patternErrorMessage: 'write an absolute path without ".", "..", "//" and a final "/"' });

const TABLE = /^[a-zA-Z][a-zA-Z0-9_]{0,31}$/;

function parseTable(text: string): Parsed<string> {
  if (!TABLE.test(text)) {
    return { ok: false, fault: `${quoted(text)} cannot name a table`, hint: 'use letters, digits and "_", at most 32 characters, the first a letter' };
  }
  return isNftKeyword(text) ? { ok: false, fault: `"${text}" is a word of nft's own language`, hint: 'choose another name' } : { ok: true, value: text };
}

/** At most three are asked by the system's resolver (resolv.conf(5)); more than a few only make failing slow. */
const MOST_SERVERS = 16;

const nameServer = textField(parseNameServer).meta({ pattern: NAME_SERVER_PATTERN, patternErrorMessage: 'write ADDRESS, udp://ADDRESS:PORT or tls://ADDRESS#NAME, IPv6 in brackets' });

const dns = withHints(
  z
    .strictObject({
      servers: withHints(
        z.array(nameServer).max(MOST_SERVERS).meta({
          description: `Whom to ask for the names in policies, at most ${MOST_SERVERS}. Empty: those of /etc/resolv.conf, followed as it changes. What services themselves may ask does not depend on it.`,
          examples: [['9.9.9.9', 'udp://[::1]:5353', 'tls://9.9.9.9#dns.quad9.net']],
        }),
        { kind: 'write a list: [9.9.9.9]' },
      ).default([]),
      timeout: duration(50, MINUTE, 'How long to wait for an answer.').prefault('2s'),
      tries: z.int().min(1).max(10).default(3).meta({ description: 'How often to ask before giving up. 1 to 10.' }),
      min_ttl: duration(0, DAY, 'Shorter TTLs are treated as this.').prefault('5s'),
      max_ttl: duration(SECOND, 7 * DAY, 'Longer TTLs are treated as this.').prefault('1h'),
      hold: duration(0, 7 * DAY, 'How long an address stays allowed after it was last in an answer; after the TTL of that answer, where a service itself asked for it. At most max_stale.').prefault('10m'),
      require_ad: z.boolean().default(false).meta({ description: 'Only answers that a validating name server vouches for (the AD bit) count. For a name server that is reached safely: on this host, or over TLS.' }),
      refuse_with: z.enum(['refused', 'nxdomain']).default('refused').meta({ description: 'How a name that is not listed is answered under "dns: filtered". Some programs ask other servers again after REFUSED, to no avail; NXDOMAIN stops them.' }),
      max_stale: duration(MINUTE, 30 * DAY, 'How long addresses stay allowed while no name server answers, and in the kernel when the daemon is gone.').prefault('24h'),
    })
    .superRefine(({ min_ttl: minTtl, max_ttl: maxTtl, hold, max_stale: maxStale }, context) => {
      if (minTtl > maxTtl) {
        const message = `"min_ttl" (${formatDuration(minTtl)}) is longer than "max_ttl" (${formatDuration(maxTtl)})`;
        context.addIssue({ code: 'custom', path: ['min_ttl'], message, params: issueParams('lower the one or raise the other') });
      }
      if (hold > maxStale) {
        const message = `"hold" (${formatDuration(hold)}) is longer than "max_stale" (${formatDuration(maxStale)})`;
        context.addIssue({ code: 'custom', path: ['hold'], message, params: issueParams('lower the one or raise the other') });
      }
    })
    .meta({ description: 'How the names in policies are looked up.' }),
  { missing: 'remove the key, or write its settings under it' },
);

/** One bit of the 32 of a packet mark, as nft and ip(8) write it. */
function parseMark(text: string): Parsed<number> {
  const mark = /^0x[0-9a-fA-F]{1,8}$/.test(text) ? Number.parseInt(text.slice(2), 16) : Number.NaN;
  if (!Number.isNaN(mark) && mark !== 0 && Number.isInteger(Math.log2(mark))) return { ok: true, value: mark };
  return { ok: false, fault: `${quoted(text)} is not one bit of a packet mark`, hint: 'write it as 0x20000000, in quotation marks' };
}

const MARK = { type: 'string', pattern: MARK_PATTERN, patternErrorMessage: 'write one bit of a packet mark in quotation marks: "0x20000000"' } as const;

const guard = withHints(
  z
    .strictObject({
      mark: z.union([z.null(), textField(parseMark).meta(MARK)]).prefault('0x20000000').meta({
        description:
          'The bit of the packet mark by which the guard knows what the table has let through; cleared again before other programs see it. It must be used by nothing else on the host. null: no guard, and "nft flush ruleset" opens the wall until it is repaired: tens of milliseconds to seconds, by the number of policies.',
        examples: ['0x20000000'],
      }),
    })
    .meta({ description: 'The second table, which holds while the first is gone.' }),
  { missing: 'remove the key, or write "mark:" under it' },
);

/** Whoever can connect can read what services there are and what they are refused: nobody beyond this host. */
function parseListen(text: string): Parsed<Endpoint> {
  const parsed = parseEndpoint(text);
  if (!parsed.ok || parsed.value.address === '::1' || parsed.value.address.startsWith('127.')) return parsed;
  return { ok: false, fault: `${quoted(text)} is not a loopback address`, hint: `write 127.0.0.1:${parsed.value.port}, and let a proxy that asks who is there stand before it` };
}

const ENDPOINT = { type: 'string', pattern: LOOPBACK_PATTERN, patternErrorMessage: 'write a loopback address and a port, for example 127.0.0.1:9477' } as const;

const metrics = withHints(
  z
    .strictObject({
      listen: z.union([z.null(), textField(parseListen).meta(ENDPOINT)]).default(null).meta({
        description:
          'A loopback address and port where Prometheus can read /metrics; ports below 1024 take a privilege that the unit does not have. Every process on the host that is not kept from it can read there what services there are and how often they are refused. A port that is taken is tried again every 10 seconds. null: on the control socket only.',
        examples: ['127.0.0.1:9477'],
      }),
    })
    .meta({ description: 'Figures for Prometheus.' }),
  { missing: 'remove the key, or write "listen:" under it' },
);

const log = withHints(
  z
    .strictObject({
      level: z.enum(['trace', 'debug', 'info', 'warn', 'error', 'fatal']).default('info').meta({ description: 'What is less than this is not logged.' }),
      format: z.enum(['json', 'pretty']).default('json').meta({ description: 'To standard output. json: one object a line. pretty: for people; in the journal one line with its priority, and without the time, which the journal has.' }),
    })
    .meta({ description: 'What the daemon logs.' }),
  { missing: 'remove the key, or write its settings under it' },
);

/** The unit mounts all else read-only for the daemon. */
const WRITABLE = 'Elsewhere, netwalld.service needs a drop-in with ReadWritePaths=.';

const policyDirs = withHints(
  z
    .array(path('A directory of policy files.'))
    .min(1)
    .superRefine((paths, context) => {
      const twice = paths.findIndex((one, index) => paths.indexOf(one) < index);
      if (twice < 0) return;
      context.addIssue({ code: 'custom', path: [twice], message: `${quoted(paths[twice] ?? '')} is listed twice`, params: issueParams('remove one of the two') });
    })
    .meta({ uniqueItems: true, description: 'Directories of policy files, highest precedence first. The first is where "netwallctl try" installs what is kept; its unit lets netwalld write to /etc/netwall.d only.' }),
  { missing: 'name at least one directory, or remove the key', kind: 'write a list: [/etc/netwall.d]' },
);

/** Keys that are known, but elsewhere. */
const misplaced = new Map(
  Object.entries({ dns: ['servers', 'timeout', 'tries', 'min_ttl', 'max_ttl', 'hold', 'max_stale', 'require_ad', 'refuse_with'], guard: ['mark'], metrics: ['listen'], log: ['level', 'format'] }).flatMap(
    ([parent, keys]) => keys.map((key) => [key, `"${key}" belongs under "${parent}"`] as const),
  ),
);

export const configDocument = withHints(
  z
    .strictObject({
      policy_dirs: policyDirs.prefault(['/etc/netwall.d', '/run/netwall.d', '/usr/lib/netwall.d']),
      state_dir: path(`Last good policies, address book, history. ${WRITABLE}`).prefault('/var/lib/netwall'),
      runtime_dir: path(`Where control.sock is. ${WRITABLE}`, LONGEST_RUNTIME_DIR).prefault('/run/netwall'),
      boot_file: path(`Where the rules last enforced are written as an nft script; must be on the root file system. ${WRITABLE}`).prefault('/etc/netwall/boot.nft'),
      table: textField(parseTable).meta({ description: "Name of the table in family inet; no word of nft's own.", pattern: TABLE.source, not: { enum: [...KEYWORDS] } }).prefault('netwall'),
      nft: path('The nft program; never looked up in PATH.').prefault('/usr/sbin/nft'),
      reconcile_interval: duration(SECOND, DAY, 'How often the kernel and all files are checked in full, even when nothing was noticed. Where that takes more than 0.3 s it is done a hundredth of the time, and in between the rules alone.').prefault('30s'),
      dns: dns.prefault({}),
      guard: guard.prefault({}),
      metrics: metrics.prefault({}),
      log: log.prefault({}),
    })
    .meta({ title: 'netwalld configuration', description: 'Every key is optional.' }),
  { kind: 'write settings as "key: value"', misplaced },
);
