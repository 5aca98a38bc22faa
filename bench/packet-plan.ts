/** Whom is talked to, and what everybody who is measured is allowed. Pure. */
export const server = { address: '91.200.0.1', sink: 443, echo: 500, answer: 443, swallow: 500, forbidden: 600 } as const;

/** The same for every contestant. No two ports next to each other: what is measured is the permission of single ones. */
export const permitted = [
  ['udp', server.sink],
  ['udp', server.echo],
  ['tcp', server.answer],
  ['tcp', server.swallow],
] as const;

/** As the last entry of a policy. */
export const permission = `    - to: ${server.address}\n      ports: [${permitted.map(([protocol, port]) => `${port}/${protocol}`).join(', ')}]\n`;

/** Of one policy, with two ports each: as many elements as 10,000 policies of ten addresses have. */
const MANY = 50_000;

/** One policy that allows `MANY` addresses besides. */
export const widePolicy = (uid: number): string =>
  [
    'service: wide',
    `match: { user: ${uid} }`,
    'dns: none',
    'egress:',
    '  allow:',
    `    - to: [${Array.from({ length: MANY }, (_, index) => `45.64.${index >> 8}.${index & 255}`).join(', ')}]`,
    '      ports: [443, 8443]',
    permission,
  ].join('\n');
