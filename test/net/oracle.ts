/** ipaddr.js, as somebody else's opinion on addresses. */
import ipaddr from 'ipaddr.js';
import type { Address } from '../../src/net/address.ts';

/** By its octets: of what is written it takes "::1.2.3.4" for the mapped form. */
export const oracleOf = ({ family, value }: Address): ipaddr.IPv4 | ipaddr.IPv6 => ipaddr.fromByteArray([...Buffer.from(value.toString(16).padStart(family === 4 ? 8 : 32, '0'), 'hex')]);
