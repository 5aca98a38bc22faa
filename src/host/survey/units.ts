/** What systemd says of units; null where it is not the init system. */
import { existsSync } from 'node:fs';
import { execa } from 'execa';
import { type Known, known, unknown } from './known.ts';

export type ServiceUnit = {
  readonly unit: string;
  /** A name or a number; empty: root, or nobody has looked. */
  readonly user: string;
  readonly ambient: readonly string[];
  /** Internet sockets that systemd opens for it, as root. */
  readonly sockets: readonly string[];
};
export type UnitState = { readonly loaded: boolean; readonly active: boolean; readonly enabled: boolean };
export type Units = { readonly services: readonly ServiceUnit[]; readonly states: ReadonlyMap<string, UnitState> };

const SYSTEMCTL = '/usr/bin/systemctl';

type Block = ReadonlyMap<string, readonly string[]>;

/** Blocks of `KEY=VALUE`; a key may come again. */
export function blocks(text: string): readonly Block[] {
  return text.trim().split(/\n\n+/).map((block) => {
    const values = new Map<string, string[]>();
    for (const line of block.split('\n')) {
      const at = line.indexOf('=');
      if (at > 0) values.set(line.slice(0, at), [...(values.get(line.slice(0, at)) ?? []), line.slice(at + 1)]);
    }
    return values;
  });
}

const one = (block: Block, key: string) => block.get(key)?.[0] ?? '';
const words = (block: Block, key: string) => one(block, key).split(/\s+/).filter(Boolean);

async function show(properties: string, units: readonly string[]): Promise<readonly Block[]> {
  if (units.length === 0) return [];
  const { stdout, failed } = await execa(SYSTEMCTL, ['show', `--property=${properties}`, '--', ...units], { env: {}, extendEnv: false, stdin: 'ignore', reject: false, timeout: 15_000, cwd: '/' });
  if (failed) throw new Error('systemctl does not answer');
  return blocks(stdout ?? '');
}

/** `80`, `[::]:80`, `10.0.0.1:80`: no path, no abstract name, no netlink family. */
const isInternet = (listen: string) => /^(?:\S*:)?\d+ \((?:Stream|Datagram|SequentialPacket)\)$/.test(listen);

/** Whether a unit's user is somebody to look at; `states`: units whose state is wanted. */
export async function readUnits(isGoverned: (user: string) => boolean, states: readonly string[]): Promise<Known<Units | null>> {
  // sd_booted(3)
  if (!existsSync('/run/systemd/system')) return known(null);
  try {
    const services = (await show('Id,User,DynamicUser,AmbientCapabilities,TriggeredBy', ['*.service'])).filter((unit) => isGoverned(one(unit, 'User')));
    const sockets = [...new Set(services.flatMap((unit) => words(unit, 'TriggeredBy')))].filter((unit) => unit.endsWith('.socket'));
    const listens = new Map((await show('Id,Listen', sockets)).map((unit) => [one(unit, 'Id'), (unit.get('Listen') ?? []).filter(isInternet)]));
    const found = await show('Id,LoadState,ActiveState,UnitFileState', states);
    return known({
      services: services.map((unit) => ({
        unit: one(unit, 'Id'),
        user: one(unit, 'User'),
        ambient: words(unit, 'AmbientCapabilities'),
        sockets: words(unit, 'TriggeredBy').flatMap((socket) => (listens.get(socket) ?? []).map((listen) => `${socket} ${listen}`)),
      })),
      states: new Map(found.map((unit) => [one(unit, 'Id'), { loaded: one(unit, 'LoadState') === 'loaded', active: one(unit, 'ActiveState') === 'active', enabled: one(unit, 'UnitFileState').startsWith('enabled') }])),
    });
  } catch (error) {
    return unknown(error instanceof Error ? error.message : 'systemctl fails');
  }
}
