/** Many made-up policies, one file each, for uids that need no account. */
import type { Account } from '../test/e2e/plan.ts';
import type { World } from '../test/e2e/world.ts';

const FIRST_UID = 30_000;

/** Answers in the world, and no policy made here lists it unless told to. */
export const elsewhere = '91.200.0.1';

export const accountOf = (index: number): Account => ({ uid: FIRST_UID + index, gid: FIRST_UID + index, groups: [] });
const fileOf = (index: number): string => `service-${String(index).padStart(4, '0')}.yaml`;
export const pathOf = (index: number): string => `/etc/netwall.d/${fileOf(index)}`;

/** Addresses of one policy: different ones for different policies. */
const addressesOf = (index: number, count: number): string[] => {
  const start = index * count;
  return Array.from({ length: count }, (_, offset) => `45.64.${((start + offset) >> 8) & 255}.${(start + offset) & 255}`);
};

export type Shape = { readonly addresses: number; readonly domains?: readonly string[]; readonly probed?: string };

export const policyText = (index: number, { addresses, domains = [], probed }: Shape): string =>
  [
    `service: service-${index}`,
    'match:',
    `  user: ${FIRST_UID + index}`,
    'dns: none',
    'egress:',
    '  allow:',
    '    - to:',
    ...[...addressesOf(index, addresses), ...domains].map((to) => `        - ${to}`),
    '      ports: [443]',
    ...(probed === undefined ? [] : [`    - to: ${probed}`, '      ports: [443/udp]']),
    '',
  ].join('\n');

export const writePolicies = async (world: World, count: number, shapeOf: (index: number) => Shape): Promise<void> => {
  for (let index = 0; index < count; index += 1) await world.policy(fileOf(index), policyText(index, shapeOf(index)));
};
