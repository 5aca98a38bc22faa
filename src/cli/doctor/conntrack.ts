/** Connection tracking: it says which way a packet goes, so which half of a policy judges it. Pure. */
import type { DoctorCheck } from '../../control/api.ts';
import { count, fine, finding, notChecked } from './finding.ts';
import type { Survey } from './survey.ts';

const FULL = { warning: 0.8, critical: 0.95 };
const DIRECTION = 'Without it answers cannot be told from new flows: what ingress allows is refused.';
const PLACE = 'net.netfilter.nf_conntrack_max';

export function checkConntrack({ conntrack, daemon }: Pick<Survey, 'conntrack' | 'daemon'>): readonly DoctorCheck[] {
  if (!conntrack.ok) return [notChecked('conntrack', conntrack.why)];
  if (conntrack.value === null) {
    const enforcing = daemon.reach === 'answers' && daemon.status.state === 'enforcing' && daemon.status.services.length > 0;
    return [finding('conntrack', enforcing ? 'critical' : 'info', 'connection tracking is not loaded', enforcing ? [] : ['It is loaded with the table.'], DIRECTION, 'modprobe nf_conntrack')];
  }
  const { loose, count: entries, max, dropped, earlyDropped } = conntrack.value;
  const share = max > 0 ? entries / max : 0;
  const fill = `${entries} of ${max} entries (${Math.floor(share * 100)} %)`;
  const nearlyFull = share >= FULL.warning;
  const room = `sysctl -w ${PLACE}=${Math.max(max * 2, 65_536)}, and the same in /etc/sysctl.d`;
  const lost = [...(dropped > 0 ? [`${count(dropped, 'packet')} dropped`] : []), ...(earlyDropped > 0 ? [`${count(earlyDropped, 'entry', 'entries')} thrown out early`] : [])];
  return [
    fine('conntrack', 'connection tracking works'),
    loose
      ? fine('conntrack-loose', 'TCP flows are taken up in the middle')
      : finding(
          'conntrack-loose',
          'info',
          'TCP flows are not taken up in the middle',
          ['net.netfilter.nf_conntrack_tcp_loose is 0.'],
          'Flows that are older than the table have no direction: they go on where the policy allows them, but end when their address leaves DNS instead of draining.',
          'sysctl -w net.netfilter.nf_conntrack_tcp_loose=1',
        ),
    nearlyFull
      ? finding('conntrack-table', share >= FULL.critical ? 'critical' : 'warning', 'the connection table is nearly full', [fill], 'When it is full the kernel drops new flows, whatever a policy allows, and forgets old ones.', room)
      : fine('conntrack-table', `connection table: ${fill}`),
    lost.length > 0
      ? finding('conntrack-drops', nearlyFull ? 'warning' : 'info', 'connection tracking has dropped since boot', [lost.join(', ')], 'Flows that a policy allows were cut. It is a count since boot: see whether it grows.', room)
      : fine('conntrack-drops', 'connection tracking has dropped nothing'),
  ];
}
