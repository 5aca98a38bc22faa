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

/** Of one policy: as many elements as 10,000 policies of ten addresses have. */
const MANY = 100_000;

/** In a file: as many as its size allows. */
const EACH = 50_000;

/** One policy that allows `MANY` addresses besides, which stand in files of their own. */
export const wideFiles = (uid: number): string[] => {
  const groups = Array.from({ length: MANY / EACH }, (_, group) => {
    const addresses = Array.from({ length: EACH }, (_, index) => `45.${64 + group}.${index >> 8}.${index & 255}`);
    return { name: `wide-${group}`, text: `groups:\n  wide-${group}: [${addresses.join(', ')}]\n` };
  });
  const policy = ['service: wide', `match: { user: ${uid} }`, 'dns: none', 'egress:', '  allow:', `    - to: [${groups.map(({ name }) => `"@${name}"`).join(', ')}]`, '      ports: [443]', permission].join('\n');
  return [policy, ...groups.map(({ text }) => text)];
};
