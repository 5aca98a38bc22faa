/** As many rules as there are policies, in the words of other firewalls: one allowed destination each, everything else refused. Pure. */
import { accountOf } from '../policies.ts';

export const destinationOf = (index: number): string => `45.64.${(index >> 8) & 255}.${index & 255}`;

const indices = (rules: number): number[] => Array.from({ length: rules }, (_, index) => index);

/** For iptables-restore: it can match whose packet it is, so every rule names the user of a policy. */
export const iptablesRules = (rules: number): string =>
  [
    '*filter',
    ':INPUT ACCEPT [0:0]',
    ':FORWARD ACCEPT [0:0]',
    ':OUTPUT ACCEPT [0:0]',
    ...indices(rules).map((index) => `-A OUTPUT -d ${destinationOf(index)}/32 -p udp -m owner --uid-owner ${accountOf(index).uid} -m udp --dport 443 -j ACCEPT`),
    `-A OUTPUT -m owner --uid-owner ${accountOf(0).uid}-${accountOf(rules - 1).uid} -j REJECT`,
    'COMMIT',
    '',
  ].join('\n');

/** /etc/ufw/user.rules as ufw itself writes it. */
export const ufwRules = (rules: number): string => {
  const chains = ['user', 'before-logging', 'user-logging', 'after-logging'].flatMap((kind) => ['input', 'output', 'forward'].map((way) => `ufw-${kind}-${way}`));
  const others = ['ufw-logging-deny', 'ufw-logging-allow', 'ufw-user-limit', 'ufw-user-limit-accept'];
  return [
    '*filter',
    ...[...chains, ...others].map((chain) => `:${chain} - [0:0]`),
    '### RULES ###',
    '',
    ...indices(rules).flatMap((index) => [
      `### tuple ### allow udp 443 ${destinationOf(index)} any 0.0.0.0/0 out`,
      `-A ufw-user-output -p udp -d ${destinationOf(index)} --dport 443 -j ACCEPT`,
      '',
    ]),
    '### END RULES ###',
    '',
    '### LOGGING ###',
    ...['input', 'output', 'forward'].map((way) => `-I ufw-user-logging-${way} -j RETURN`),
    '### END LOGGING ###',
    '',
    '### RATE LIMITING ###',
    '-A ufw-user-limit -j REJECT',
    '-A ufw-user-limit-accept -j ACCEPT',
    '### END RATE LIMITING ###',
    'COMMIT',
    '',
  ].join('\n');
};

/** A policy of firewalld, for what the host itself sends. */
export const firewalldPolicy = (rules: number): string =>
  [
    '<?xml version="1.0" encoding="utf-8"?>',
    '<policy target="REJECT" priority="-1">',
    '  <ingress-zone name="HOST"/>',
    '  <egress-zone name="ANY"/>',
    ...indices(rules).map((index) => `  <rule family="ipv4"><destination address="${destinationOf(index)}"/><port port="443" protocol="udp"/><accept/></rule>`),
    '</policy>',
    '',
  ].join('\n');
