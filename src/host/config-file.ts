/** Reads netwalld.yaml. */
import { readFileSync } from 'node:fs';
import { type Config, DEFAULT_CONFIG, parseConfig } from '../config/config.ts';
import { formatProblem, hasErrors } from '../policy/problem.ts';
import { errorCode, HostError, messageOf } from './host-error.ts';

export const CONFIG_FILE = '/etc/netwall/netwalld.yaml';

export type ReadConfig = { readonly config: Config; readonly problems: readonly string[]; readonly valid: boolean };

/** The default file need not exist; one that is named must. Throws HostError when it cannot be read. */
export function readConfigFile(path: string | null): ReadConfig {
  let bytes: Uint8Array;
  try {
    bytes = readFileSync(path ?? CONFIG_FILE);
  } catch (error) {
    if (path === null && errorCode(error) === 'ENOENT') return { config: DEFAULT_CONFIG, problems: [], valid: true };
    throw new HostError('configuration', messageOf(error), { cause: error });
  }
  const { config, problems } = parseConfig(path ?? CONFIG_FILE, bytes);
  const text = Buffer.from(bytes).toString('utf8');
  return { config, problems: problems.map((problem) => formatProblem(problem, text)), valid: !hasErrors(problems) };
}
