/** Drawn packets as bytes: what the peer sends first, where it begins the flow, and then the packet that is judged. */
import { type Contents, packetBytes, TCP } from './packets.ts';
import { type Drawn, echoRequest, isLoopback } from './draw.ts';
import { type Batch, tagged } from './rig.ts';

const PEER_SEQUENCE = 1000;
const OWN_SEQUENCE = 5000;

function contents({ packet, index, flags, icmpType, begun }: Drawn): Contents {
  const { protocol, localPort, remotePort, remote } = packet;
  if (protocol === 6) {
    // what an answer to the first packet acknowledges: a SYN counts as one byte
    const acknowledged = begun === 'here' ? PEER_SEQUENCE : PEER_SEQUENCE + 1;
    return { protocol, fromPort: localPort, toPort: remotePort, flags, sequence: OWN_SEQUENCE, acknowledged: flags & TCP.ACK ? acknowledged : 0 };
  }
  if (protocol === 17) return { protocol, fromPort: localPort, toPort: remotePort };
  if (protocol === (remote.family === 4 ? 1 : 58)) return { protocol: 'icmp', type: icmpType, identifier: index };
  return { protocol: 'other', number: protocol, fromPort: 0, toPort: 0 };
}

function firstContents(drawn: Drawn): Contents {
  const { packet, index, firstFlags } = drawn;
  const { protocol, localPort, remotePort, remote } = packet;
  if (protocol === 6) {
    const sequence = firstFlags & TCP.SYN ? PEER_SEQUENCE : PEER_SEQUENCE + 1;
    return { protocol, fromPort: remotePort, toPort: localPort, flags: firstFlags, sequence, acknowledged: firstFlags & TCP.ACK ? OWN_SEQUENCE : 0 };
  }
  if (protocol === 17) return { protocol, fromPort: remotePort, toPort: localPort };
  const own = contents(drawn);
  return own.protocol === 'icmp' ? { protocol: 'icmp', type: echoRequest(remote.family), identifier: index } : own;
}

export function batchOf(drawn: readonly Drawn[]): Batch {
  const wire: Buffer[] = [];
  const self: Batch['self'][number][] = [];
  const send: Batch['send'][number][] = [];
  for (const one of drawn) {
    const { packet, local, index, begun } = one;
    const { remote, uid, gid } = packet;
    if (begun === 'by-echo') wire.push(packetBytes(remote, local, firstContents(one), tagged(index)));
    if (begun === 'by-peer') {
      const bytes = packetBytes(remote, local, firstContents(one));
      if (isLoopback(remote)) self.push({ to: local, bytes });
      else wire.push(bytes);
    }
    if (uid !== null && gid !== null) send.push({ index, uid, gid, to: remote, bytes: packetBytes(local, remote, contents(one), tagged(index)) });
  }
  return { wire, self, send };
}
