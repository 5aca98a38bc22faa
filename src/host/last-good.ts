/** The last good versions of policy files, as the daemon keeps them. */
import { existsSync } from 'node:fs';
import { z } from 'zod';
import type { GoodVersion } from '../policy/policy-set.ts';
import { HostError } from './host-error.ts';
import { openStateFiles } from './state-files.ts';

export const goodVersions = z.array(z.object({ name: z.string(), path: z.string(), hash: z.string(), text: z.string(), groups: z.string() }));

/** By file name. Null: only who owns the state directory may know. */
export async function readLastGood(stateDirectory: string): Promise<ReadonlyMap<string, GoodVersion> | null> {
  if (!existsSync(stateDirectory)) return new Map();
  try {
    const { data } = await (await openStateFiles(stateDirectory)).read('last-good', goodVersions);
    return new Map((data ?? []).map((version) => [version.name, version]));
  } catch (error) {
    if (error instanceof HostError) return null;
    throw error;
  }
}
