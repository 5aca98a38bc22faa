import test from 'ava';
import { firewalldPolicy, iptablesRules, ufwRules } from '../../bench/control/rules.ts';

const lines = (text: string, what: RegExp) => text.split('\n').filter((line) => what.test(line));

test('one rule of iptables for each user, and nothing else for any of them', (t) => {
  t.deepEqual(lines(iptablesRules(2), /^-A/), [
    '-A OUTPUT -d 45.64.0.0/32 -p udp -m owner --uid-owner 30000 -m udp --dport 443 -j ACCEPT',
    '-A OUTPUT -d 45.64.0.1/32 -p udp -m owner --uid-owner 30001 -m udp --dport 443 -j ACCEPT',
    '-A OUTPUT -m owner --uid-owner 30000-30001 -j REJECT',
  ]);
});

test('rules of ufw come with the tuples that it knows them by', (t) => {
  t.deepEqual(lines(ufwRules(1), /45\.64/), ['### tuple ### allow udp 443 45.64.0.0 any 0.0.0.0/0 out', '-A ufw-user-output -p udp -d 45.64.0.0 --dport 443 -j ACCEPT']);
});

test('a policy of firewalld refuses what none of its rules allows', (t) => {
  t.is(lines(firewalldPolicy(300), /<rule /).length, 300);
  t.is(lines(firewalldPolicy(300), /"45\.64\.1\.43"/).length, 1, 'the last');
  t.is(lines(firewalldPolicy(1), /target="REJECT"/).length, 1);
});

test('every address is another one', (t) => {
  t.is(new Set(lines(firewalldPolicy(10_000), /<rule /)).size, 10_000);
});
