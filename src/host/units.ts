/** Whom systemd runs units as. */
import { existsSync } from 'node:fs';
import { execa } from 'execa';

/** `user`: a name or a number; with DynamicUser= the name that systemd makes up; null where the unit says nothing and is started as root. */
export type UnitAccount = { readonly unit: string; readonly user: string | null };

const SYSTEMCTL = '/usr/bin/systemctl';
const TIMEOUT = 10_000;
/** Arguments of one call. */
const AT_ONCE = 500;

const fields = (block: string) => new Map(block.split('\n').map((line) => [line.slice(0, line.indexOf('=')), line.slice(line.indexOf('=') + 1)]));

/** By service: the account of the loaded unit of the same name. Empty where systemd does not run or does not answer. */
export async function unitAccounts(services: readonly string[]): Promise<ReadonlyMap<string, UnitAccount>> {
  const found = new Map<string, UnitAccount>();
  // sd_booted(3)
  if (!existsSync('/run/systemd/system')) return found;
  for (let start = 0; start < services.length; start += AT_ONCE) {
    const units = services.slice(start, start + AT_ONCE).map((service) => `${service}.service`);
    const { stdout } = await execa(SYSTEMCTL, ['show', '--property=Id,LoadState,User,DynamicUser', '--', ...units], { reject: false, timeout: TIMEOUT, stdin: 'ignore', extendEnv: false, cwd: '/' });
    for (const block of (stdout ?? '').split('\n\n')) {
      const unit = fields(block.trim());
      const id = unit.get('Id') ?? '';
      if (unit.get('LoadState') !== 'loaded' || !id.endsWith('.service')) continue;
      const service = id.slice(0, -'.service'.length);
      const user = unit.get('User') ?? '';
      found.set(service, { unit: id, user: user !== '' ? user : unit.get('DynamicUser') === 'yes' ? service : null });
    }
  }
  return found;
}
