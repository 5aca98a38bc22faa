/** The JSON of the control socket and of `netwallctl --json`, as it is promised ("at least": more keys are fine). */
import { z } from 'zod';

const count = z.int().nonnegative();
const processShape = z.looseObject({ pid: z.int(), name: z.string() });
const driftKind = z.enum(['kernel', 'identity', 'listener', 'name', 'file', 'shadow']);

const name = z.looseObject({
  name: z.string(),
  state: z.enum(['resolved', 'stale', 'failed', 'pending']),
  addresses: z.array(z.string()),
  guarded: z.array(z.string()),
  expiresInSeconds: z.number().nullable(),
  error: z.string().nullable(),
});

const service = z.looseObject({
  service: z.string(),
  mode: z.enum(['enforce', 'audit', 'block']),
  state: z.enum(['active', 'pending', 'stale', 'rejected']),
  source: z.looseObject({ file: z.string(), line: z.int().positive() }),
  message: z.string().nullable(),
  uids: z.array(z.int()),
  gids: z.array(z.int()),
  names: z.array(name),
  counters: z.looseObject({ packets: count, bytes: count, deniedPackets: count }),
});

const openDrift = z.looseObject({ id: z.union([z.string(), z.number()]), kind: driftKind, detail: z.string() });

export const statusShape = z.looseObject({
  apiVersion: z.literal('netwall/v1'),
  version: z.string(),
  state: z.enum(['starting', 'enforcing', 'degraded']),
  generation: count,
  trial: z.looseObject({ until: z.string() }).nullable(),
  grants: z.array(z.looseObject({ id: z.int(), service: z.string(), to: z.string(), ports: z.array(z.string()), remainingSeconds: count })),
  learning: z.array(z.looseObject({ service: z.string(), until: z.string() })),
  policyDirs: z.array(z.string()),
  guard: z.looseObject({ state: z.enum(['held', 'off', 'failed']), message: z.string().nullable() }),
  services: z.array(service),
  drift: z.looseObject({
    open: z.array(openDrift),
    repaired: count,
    last: z.looseObject({ kind: driftKind, detail: z.string(), process: processShape.nullable(), openMilliseconds: z.number().nullable() }).nullable(),
  }),
});

export type Status = z.infer<typeof statusShape>;
export type ServiceStatus = z.infer<typeof service>;
export type NameStatus = z.infer<typeof name>;

export const explanationShape = z.looseObject({
  verdict: z.enum(['allow', 'refuse', 'audit']),
  service: z.string().nullable(),
  rule: z.looseObject({ file: z.string(), line: z.int().positive(), column: z.int().positive() }).nullable(),
  address: z.string().nullable(),
  port: z.int().nullable(),
  protocol: z.string(),
  reason: z.string(),
  suggestion: z.string().nullable(),
});

export type Explanation = z.infer<typeof explanationShape>;
