/** `DEST[:PORT[/PROTO]]` of the command line: `10.0.0.1:443`, `[::1]:53/udp`, `api.github.com`, `10.0.0.1/icmp`. Pure. */
export type DestinationText = { readonly host: string; readonly port: number | null; readonly protocol: 'tcp' | 'udp' | 'icmp' };

type Outcome = { readonly ok: true; readonly value: DestinationText } | { readonly ok: false; readonly error: string };

const FORM = /^(?:\[(?<bracketed>[^\]]+)\]|(?<plain>[^:[\]/]+)|(?<bare>[0-9a-fA-F:.]*:[0-9a-fA-F:.]*:[0-9a-fA-F:.]*))(?::(?<port>\d{1,5}))?(?:\/(?<protocol>[a-z]+))?$/;

export function parseDestinationText(text: string): Outcome {
  const found = FORM.exec(text)?.groups;
  const usage = 'write DEST[:PORT[/PROTO]], e.g. api.github.com:443, [2001:db8::1]:53/udp or 10.0.0.1/icmp';
  const host = found?.['bracketed'] ?? found?.['plain'] ?? found?.['bare'];
  if (found === undefined || host === undefined) return { ok: false, error: `cannot read destination "${text.slice(0, 100)}": ${usage}` };
  const { port, protocol = 'tcp' } = found;
  if (protocol !== 'tcp' && protocol !== 'udp' && protocol !== 'icmp') return { ok: false, error: `unknown protocol "${protocol}": tcp, udp or icmp` };
  const number = port === undefined ? null : Number(port);
  if (number !== null && number > 65535) return { ok: false, error: `port ${number} is out of range` };
  return { ok: true, value: { host, port: number, protocol } };
}
