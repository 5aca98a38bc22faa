/** The configuration as it is installed, for commands that read policy files themselves. */
import type { Config } from '../config/config.ts';
import { ControlError } from '../control/client.ts';
import { readConfigFile } from '../host/config-file.ts';

/** Throws ControlError where it is not valid: where policies are is not known then. Throws HostError. */
export function installedConfig(): Config {
  const { config, problems, valid } = readConfigFile(null);
  if (!valid) throw new ControlError('invalid policy', `the configuration is not valid, so where policies are is not known\n${problems.join('\n')}`);
  return config;
}
