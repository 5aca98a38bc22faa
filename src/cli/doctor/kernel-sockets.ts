/** Packets that rules by user cannot see, as the kernel sends them from sockets of its own, for whoever asks. Pure. */
import type { DoctorCheck } from '../../control/api.ts';
import { KERNEL_SENDERS } from '../../host/survey/kernel-sockets.ts';
import { fine, finding, notChecked } from './finding.ts';
import type { Survey } from './survey.ts';

export function checkKernelSockets({ kernelSockets: { protocols, loadable, mptcp } }: Pick<Survey, 'kernelSockets'>): readonly DoctorCheck[] {
  const id = 'kernel-sockets';
  const there = protocols.ok ? KERNEL_SENDERS.filter((name) => protocols.value.includes(name.toUpperCase())) : [];
  const toLoad = loadable.ok ? loadable.value.filter((name) => !there.some((one) => one === name)) : [];
  const { endpoints, accepted } = (mptcp.ok ? mptcp.value : null) ?? { endpoints: [], accepted: 0 };
  const multipath = [...endpoints.map((endpoint) => `MPTCP connects from ${endpoint}`), ...(accepted > 0 ? [`MPTCP connects to addresses that peers name (add_addr_accepted ${accepted})`] : [])];
  const found = [...there.map((name) => `${name} is there`), ...toLoad.map((name) => `${name} is loaded for any user who asks`), ...multipath];
  if (found.length === 0) {
    const hidden = [protocols, loadable, mptcp].find(({ ok }) => !ok);
    return [hidden?.ok === false ? notChecked(id, hidden.why) : fine(id, 'no protocol is there that sends from sockets without a user')];
  }
  const remedies = [
    ...(there.length + toLoad.length > 0 ? ['the package\'s /usr/lib/modprobe.d/netwall.conf keeps users from loading them (what is loaded stays until the next boot)'] : []),
    ...(there.length > 0 ? ['where they are needed: RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6 AF_NETLINK in the units of governed services'] : []),
    ...(multipath.length > 0 ? ['ip mptcp endpoint flush; ip mptcp limits set add_addr_accepted 0'] : []),
  ];
  return [finding(id, 'warning', 'the kernel sends packets for users from sockets of its own', found, 'Such a socket has no user, and no policy governs what it sends: UDP (rxrpc), connections (rds), the handshake of one (smc, MPTCP).', remedies.join('; '))];
}
