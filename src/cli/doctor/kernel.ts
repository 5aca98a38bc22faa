/** Features of the kernel and of nft that the wall builds on. Pure. */
import type { DoctorCheck } from '../../control/api.ts';
import { fine, finding, notChecked } from './finding.ts';
import type { Survey } from './survey.ts';

/** -1, 0 or 1, by the numbers that a version begins with. */
export function compareVersions(a: string, b: string): number {
  const numbers = (text: string) => (/^\d+(?:\.\d+)*/.exec(text)?.[0] ?? '0').split('.').map(Number);
  const [left, right] = [numbers(a), numbers(b)];
  for (let at = 0; at < Math.max(left.length, right.length); at += 1) {
    const [x = 0, y = 0] = [left[at], right[at]];
    if (x !== y) return x < y ? -1 : 1;
  }
  return 0;
}

/** What older kernels lack. */
const FEATURES: readonly (readonly [since: string, lacks: string])[] = [
  ['6.12', 'a timeout of an element cannot be renewed: it is removed and added in one transaction'],
  ['6.16', 'closed sockets do not say whose they were: what is left to send in those of a withdrawn policy still leaves'],
];
const OLDEST = { kernel: '5.11', nft: '1.0.6' };

function kernelVersion(release: string): DoctorCheck {
  const id = 'kernel';
  if (compareVersions(release, OLDEST.kernel) < 0) return finding(id, 'critical', `Linux ${release}`, [], `The table needs Linux ${OLDEST.kernel}: counters of elements, ranges in concatenations.`, 'boot a newer kernel');
  const lacks = FEATURES.filter(([since]) => compareVersions(release, since) < 0).map(([since, text]) => `before ${since} ${text}`);
  return lacks.length === 0 ? fine(id, `Linux ${release} has all that netwalld uses`) : finding(id, 'info', `Linux ${release}`, lacks, 'netwalld does without.', 'a newer kernel, when the distribution has one');
}

function nftVersion({ nft, config }: Pick<Survey, 'nft' | 'config'>): DoctorCheck {
  const id = 'nft';
  if (nft === null) return finding(id, 'critical', `${config.nft} does not start`, [], 'Without nft nothing can be changed in the kernel.', 'apt install nftables, or nft: in netwalld.yaml');
  if (compareVersions(nft, OLDEST.nft) < 0) return finding(id, 'warning', `nft ${nft}`, [], `netwalld is made for nft ${OLDEST.nft} and later.`, 'install a newer nftables');
  return fine(id, `nft ${nft}`);
}

function modules({ daemon, kernel }: Pick<Survey, 'daemon' | 'kernel'>): DoctorCheck {
  const id = 'kernel-modules';
  if (daemon.reach === 'answers' && daemon.status.state === 'enforcing') return fine(id, 'the kernel has taken the table');
  if (!kernel.ok) return notChecked(id, kernel.why);
  const { missingModules } = kernel.value;
  if (!missingModules.ok) return notChecked(id, missingModules.why);
  if (missingModules.value.length === 0) return fine(id, 'the kernel has the modules that the table needs');
  return finding(id, 'critical', 'the kernel lacks modules that the table needs', missingModules.value, 'The table cannot be loaded without them.', 'install the modules of this kernel, or boot the one that is installed');
}

function loopback({ kernel }: Pick<Survey, 'kernel'>): DoctorCheck {
  const id = 'route-localnet';
  if (!kernel.ok) return notChecked(id, kernel.why);
  const { routeLocalnet } = kernel.value;
  if (routeLocalnet.length === 0) return fine(id, 'nobody outside reaches 127.0.0.0/8');
  return finding(id, 'warning', 'packets from outside reach 127.0.0.0/8', routeLocalnet.map((name) => `net.ipv4.conf.${name}.route_localnet is 1`), 'Neighbours can talk to what listens on loopback only, the daemon\'s DNS ports among it (CVE-2020-8558).', routeLocalnet.map((name) => `sysctl -w net.ipv4.conf.${name}.route_localnet=0`).join('; '));
}

function ipv6({ kernel }: Pick<Survey, 'kernel'>): DoctorCheck {
  if (!kernel.ok) return notChecked('ipv6', kernel.why);
  return fine('ipv6', { on: 'IPv6 is on, and confined like IPv4', disabled: 'IPv6 is disabled', absent: 'this kernel has no IPv6' }[kernel.value.ipv6]);
}

/** https://github.com/nodejs/Release */
const END_OF_LIFE: Readonly<Record<string, string>> = { 20: '2026-04-30', 22: '2027-04-30', 23: '2025-06-01', 24: '2028-04-30', 25: '2026-06-01', 26: '2029-04-30' };

function runtime({ runtime, now }: Pick<Survey, 'runtime' | 'now'>): DoctorCheck {
  const id = 'runtime';
  const major = /\d+/.exec(runtime)?.[0] ?? '';
  const end = END_OF_LIFE[major];
  if (end === undefined ? Number(major) >= 20 : now.getTime() < Date.parse(end)) return fine(id, `Node ${runtime}`);
  return finding(id, 'info', `Node ${runtime} is no longer maintained${end === undefined ? '' : ` since ${end}`}`, [], 'Faults of the runtime that the daemon brings are not mended any more.', 'install a newer netwalld');
}

export function checkKernel(survey: Pick<Survey, 'kernel' | 'nft' | 'config' | 'daemon' | 'runtime' | 'now'>): readonly DoctorCheck[] {
  const { kernel } = survey;
  return [kernel.ok ? kernelVersion(kernel.value.release) : notChecked('kernel', kernel.why), nftVersion(survey), modules(survey), ipv6(survey), loopback(survey), runtime(survey)];
}
