import test from 'ava';
import { destinationText, readPermission } from '../../src/policy/permission.ts';
import { portMatchText } from '../../src/policy/ports.ts';

type Options = { readonly inbound?: boolean; readonly private?: boolean };
const read = (words: string, { inbound = false, private: isPrivate = false }: Options = {}) => readPermission(words.split(' ').filter(Boolean), { inbound, private: isPrivate });

const good: readonly (readonly [words: string, said: string, options?: Options])[] = [
  ['api.github.com 443', 'egress api.github.com: 443'],
  ['API.GitHub.com 443/tcp', 'egress api.github.com: 443'],
  ['10.0.0.0/8 5432 8000-8010/tcp', 'egress 10.0.0.0/8: 5432 8000-8010'],
  ['a.example.com @internal *.example.com 2001:db9::1 ::1 53/udp icmp any', 'egress a.example.com @internal *.example.com 2001:db9::1 ::1: 53/udp icmp any'],
  ['10.0.0.1 10.0.0.1/32 443 443/tcp any/udp', 'egress 10.0.0.1: 443 any/udp'],
  ['any 80', 'ingress : 80', { inbound: true }],
  ['10.0.0.0/8 @lan 80', 'ingress 10.0.0.0/8 @lan: 80', { inbound: true }],
  ['@internal 80', 'egress @internal: 80', { private: true }],
];
for (const [words, said, options] of good) {
  test(`read: ${words}`, (t) => {
    const parsed = read(words, options);
    if (!parsed.ok) return t.fail(parsed.fault);
    const { direction, destinations, ports } = parsed.value;
    return t.is(`${direction} ${destinations.map(destinationText).join(' ')}: ${ports.map(portMatchText).join(' ')}`, said);
  });
}

const bad: readonly (readonly [words: string, fault: RegExp, options?: Options])[] = [
  ['', /a port is missing/],
  ['api.github.com', /a port is missing/],
  ['443', /a port is missing/],
  ['a.example.com b.example.com', /a port is missing/],
  ['a.example.com 443 b.example.com', /"b.example.com" follows a port/],
  ['a.example.com https', /"https" is a name, not a port number/],
  ['a.example.com 443/tpc', /"443\/tpc": "tpc" is not tcp or udp/],
  ['a.example.com 0', /0 is not a port/],
  ['a.example.com 70000', /70000 is out of range/],
  ['a.example.com *', /"\*" is not a port/],
  ['any 443', /"any" is not a full domain name/],
  ['10.0.0.1/8 443', /host bits/],
  ['*.com 443', /everybody can have a name/],
  ['a.example.com 80', /is a domain, which says nothing of who connects in/, { inbound: true }],
  ['any 10.0.0.1 80', /"any" is not a full domain name/, { inbound: true }],
  ['10.0.0.1 80', /an address that is listed needs none/, { private: true }],
  ['10.0.0.1 80', /inbound there are none/, { private: true, inbound: true }],
];
for (const [words, fault, options] of bad) {
  test(`refused: ${words}${options?.inbound === true ? ' inbound' : ''}`, (t) => {
    const parsed = read(words, options);
    t.regex(parsed.ok ? 'read' : parsed.fault, fault);
  });
}
