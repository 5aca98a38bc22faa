/** `netwalld.yaml`: what the daemon works with, defaults filled in. Pure. */
import type { z } from 'zod';
import { hasErrors, type Problem, sortProblems } from '../policy/problem.ts';
import { shape } from '../policy/shape.ts';
import { positionAt, readSource } from '../policy/source-text.ts';
import { readYaml } from '../policy/yaml-source.ts';
import type { Endpoint, NameServer } from './endpoint.ts';
import { configDocument } from './schema.ts';

/** Durations are whole milliseconds, paths absolute and normal. */
export type Config = {
  /** Highest precedence first. */
  readonly policyDirs: readonly string[];
  readonly stateDir: string;
  readonly runtimeDir: string;
  readonly bootFile: string;
  readonly table: string;
  readonly nft: string;
  readonly reconcileInterval: number;
  readonly dns: {
    /** Empty: those of /etc/resolv.conf. */
    readonly servers: readonly NameServer[];
    readonly timeout: number;
    readonly tries: number;
    readonly minTtl: number;
    readonly maxTtl: number;
    readonly hold: number;
    readonly maxStale: number;
    readonly requireAd: boolean;
    readonly refuseWith: 'refused' | 'nxdomain';
  };
  /** A single bit; null: no guard. */
  readonly guardMark: number | null;
  readonly metrics: { readonly listen: Endpoint | null };
  readonly log: { readonly level: 'trace' | 'debug' | 'info' | 'warn' | 'error' | 'fatal'; readonly format: 'json' | 'pretty' };
};

/** `config` is the default configuration when a problem is an error. */
export type ParsedConfig = { readonly config: Config; readonly problems: readonly Problem[] };

export const DEFAULT_CONFIG: Config = configOf(configDocument.parse({}));

/** Reads a configuration file; every key is optional, and so is all of it. `path` is what positions say. Never throws. */
export function parseConfig(path: string, text: string | Uint8Array): ParsedConfig {
  const { source, problems: unreadable } = readSource(path, text);
  if (unreadable.length > 0) return refused(unreadable);
  const { documents, problems } = readYaml(source);
  const [document, second] = documents;
  if (second !== undefined) {
    const at = positionAt(source, second.tree.start);
    return refused([...problems, { severity: 'error', at, message: 'a second document: the configuration is one', hint: 'remove the line "---"' }]);
  }
  if (document === undefined || !document.sound || hasErrors(problems)) return refused(problems);
  const shaped = shape(configDocument, document.tree, source);
  return shaped.ok ? { config: configOf(shaped.value), problems } : refused(shaped.problems);
}

function refused(problems: readonly Problem[]): ParsedConfig {
  return { config: DEFAULT_CONFIG, problems: sortProblems(problems) };
}

function configOf(shape: z.output<typeof configDocument>): Config {
  const { policy_dirs, state_dir, runtime_dir, boot_file, table, nft, reconcile_interval, metrics, log } = shape;
  const { servers, timeout, tries, min_ttl, max_ttl, hold, max_stale, require_ad, refuse_with } = shape.dns;
  return {
    policyDirs: policy_dirs,
    stateDir: state_dir,
    runtimeDir: runtime_dir,
    bootFile: boot_file,
    table,
    nft,
    reconcileInterval: reconcile_interval,
    dns: { servers, timeout, tries, minTtl: min_ttl, maxTtl: max_ttl, hold, maxStale: max_stale, requireAd: require_ad, refuseWith: refuse_with },
    guardMark: shape.guard.mark,
    metrics,
    log,
  };
}
