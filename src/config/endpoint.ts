/** Addresses with ports, as the configuration writes them: where to ask for names, where to listen. */
import { type Address, formatAddress, type Parsed, parseAddress } from '../net/address.ts';
import { quoted } from '../policy/visible.ts';

export type NameServer = {
  readonly transport: 'udp' | 'tls';
  /** Canonical text, without brackets. */
  readonly address: string;
  readonly port: number;
  /** The name its certificate must have; null: the certificate must have the address. Always null with udp. */
  readonly serverName: string | null;
};

export type Endpoint = { readonly address: string; readonly port: number };

const DEFAULT_PORTS = { udp: 53, tls: 853 } as const;

/** Reads `9.9.9.9`, `udp://[::1]:5353` or `tls://9.9.9.9#dns.quad9.net`. A name cannot stand for the address. Never throws. */
export function parseNameServer(text: string): Parsed<NameServer> {
  const what = quoted(text);
  const [, scheme, rest = ''] = /^(?:([a-z0-9+.-]*):\/\/)?(.*)$/is.exec(text) ?? [];
  const transport = scheme ?? 'udp';
  if (transport !== 'udp' && transport !== 'tls') {
    const meant = { dot: 'tls', dns: 'udp', tcp: 'udp' }[transport.toLowerCase()] ?? transport.toLowerCase();
    const hint = meant === 'udp' || meant === 'tls' ? `did you mean ${quoted(`${meant}://${rest}`)}?` : 'write udp://ADDRESS or tls://ADDRESS#NAME';
    return { ok: false, fault: `${what}: ${quoted(transport)} is not udp or tls`, hint };
  }
  const hash = rest.indexOf('#');
  const serverName = hash < 0 ? null : rest.slice(hash + 1);
  if (serverName !== null && transport === 'udp') return { ok: false, fault: `${what}: only tls has a server name`, hint: `did you mean ${quoted(`tls://${rest}`)}?` };
  if (serverName !== null && !isServerName(serverName)) return { ok: false, fault: `${what}: ${quoted(serverName)} is not a server name`, hint: 'write a domain after the "#", for example dns.quad9.net' };
  const place = parsePlace(what, hash < 0 ? rest : rest.slice(0, hash), scheme !== undefined, DEFAULT_PORTS[transport]);
  return place.ok ? { ok: true, value: { transport, ...place.value, serverName } } : place;
}

/** Reads `127.0.0.1:9477` or `[::1]:9477`. Never throws. */
export function parseEndpoint(text: string): Parsed<Endpoint> {
  const place = parsePlace(quoted(text), text, true, null);
  return place.ok || place.hint !== undefined ? place : { ...place, hint: 'write an address and a port, for example 127.0.0.1:9477' };
}

/** `bracketed`: IPv6 needs brackets, as it does wherever a port can follow. `port`: what it is when none follows; null: one must. */
function parsePlace(what: string, text: string, bracketed: boolean, port: number | null): Parsed<Endpoint> {
  const whole = parseAddress(text);
  if (whole.ok && !(bracketed && whole.value.family === 6)) {
    return port === null ? { ok: false, fault: `${what} has no port`, hint: `did you mean ${formatAddress(whole.value)}:9477?` } : placed(whole.value, port);
  }
  if (whole.ok) return { ok: false, fault: `${what}: an IPv6 address needs brackets here`, hint: `write [${formatAddress(whole.value)}]` };
  const [, inBrackets, bare, digits] = /^(?:\[([^\]]*)\]|([^:]*))(?::([^:]*))?$/.exec(text) ?? [];
  const address = parseAddress(inBrackets ?? bare ?? text);
  if (!address.ok) {
    const hint = address.hint ?? 'write an IP address: names cannot be looked up before there is a name server';
    return { ok: false, fault: text.length > 60 ? `${what} is not an IP address` : address.fault, hint };
  }
  if (inBrackets !== undefined && address.value.family === 4) return { ok: false, fault: `${what}: brackets are for IPv6`, hint: `write ${formatAddress(address.value)}` };
  if (digits === undefined) return port === null ? { ok: false, fault: `${what} has no port` } : placed(address.value, port);
  if (!/^[1-9][0-9]{0,4}$/.test(digits) || Number(digits) > 65535) return { ok: false, fault: `${what}: ${quoted(digits)} is not a port`, hint: 'ports are 1 to 65535' };
  return placed(address.value, Number(digits));
}

function placed(address: Address, port: number): Parsed<Endpoint> {
  return { ok: true, value: { address: formatAddress(address), port } };
}

function isServerName(name: string): boolean {
  return name.length <= 253 && /^(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z](?:[a-z0-9-]{0,61}[a-z0-9])?$/i.test(name);
}
