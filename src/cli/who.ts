/** `netwallctl who`. */
import type { WhoReport } from '../control/api.ts';
import { type Paint, table } from './output.ts';

const KINDS = { allow: 'may reach it', deny: 'is denied it', ingress: 'lets it in' } as const;

export function whoText({ destination, services }: WhoReport, paint: Paint): string {
  if (services.length === 0) return `no policy has an entry for ${destination}`;
  const rows = services.map(({ service, mode, kind, entry, ports, file, line }) => [
    service,
    paint(kind === 'deny' ? 'red' : 'green', KINDS[kind]),
    entry,
    ports.join(', '),
    `${file}:${line}`,
    mode === 'enforce' ? '' : `mode ${mode}`,
  ]);
  return table([['SERVICE', '', 'ENTRY', 'PORTS', 'WHERE', ''].map((title) => paint('bold', title)), ...rows]);
}
