/** `netwallctl completion`, and what the scripts it prints ask while somebody types. */
import type { Command } from 'commander';
import type { StatusReport } from '../control/api.ts';
import { ask } from '../control/client.ts';
import { type CommandLine, commandLineOf } from './command-line.ts';
import { bashCompletion } from './completion-bash.ts';
import { fishCompletion } from './completion-fish.ts';
import { zshCompletion } from './completion-zsh.ts';

export type Shell = 'bash' | 'zsh' | 'fish';
const SCRIPTS: Readonly<Record<Shell, (line: CommandLine) => string>> = { bash: bashCompletion, zsh: zshCompletion, fish: fishCompletion };

/** Without the last line feed. */
export function completionScript(program: Command, shell: Shell): string {
  return SCRIPTS[shell](commandLineOf(program)).trimEnd();
}

/** Somebody waits for the prompt. */
const PATIENCE = 3000;

/** Names of services; none when there is nobody to ask, or no right to. `words`: what is on the command line, for its `--socket`. */
export async function knownServices(words: readonly string[], socket: string): Promise<string[]> {
  try {
    const { services } = await ask<StatusReport>(socketIn(words) ?? socket, 'GET', '/v1/status', { timeout: PATIENCE });
    return services.map(({ service }) => service);
  } catch {
    return [];
  }
}

/** bash makes three words of `--socket=PATH`. */
export function socketIn(words: readonly string[]): string | null {
  const parts = words.filter((word) => word !== '=');
  const index = parts.lastIndexOf('--socket');
  const joined = parts.findLast((word) => word.startsWith('--socket='));
  return joined?.slice('--socket='.length) ?? (index < 0 ? null : (parts[index + 1] ?? null));
}
