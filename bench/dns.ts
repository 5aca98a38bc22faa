/** `dns: filtered` beside dnsmasq with --nftset: the same namespace, upstream and questions, in turns. */
import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import type { Who } from '../test/e2e/plan.ts';
import type { World } from '../test/e2e/world.ts';
import { medianOf } from './comparison-table.ts';
import { type Figure, single } from './figures.ts';
import { interleaved } from './interleave.ts';
import type { Outcome } from './outcome.ts';
import { residentOf } from './processes.ts';

const ROUNDS = 5;
const SEQUENTIAL = 2000;
const SECONDS = 4;
/** Distinct names over which memory must stay where it is. */
const MANY = 1_000_000;
const upstream = { address: '127.0.0.9', port: 5399 };

type Contestant = { readonly name: string; readonly who: Who; readonly server: string; readonly port: number };
const netwalld: Contestant = { name: 'netwalld', who: 'webapp', server: '9.9.9.9', port: 53 };
const dnsmasq: Contestant = { name: 'dnsmasq', who: 'root', server: '127.0.0.10', port: 5310 };
const contestants = [netwalld, dnsmasq];

const policy = `service: webapp
match: { user: webapp }
dns: filtered
egress:
  allow:
    - to: "*.wild.net"
      ports: [443]
`;

const compile = (directory: string, name: string): string => {
  const program = join(directory, name);
  execFileSync('/usr/bin/gcc', ['-O2', '-o', program, fileURLToPath(new URL(`${name}.c`, import.meta.url))]);
  return program;
};

/** Numbers that no question before had. */
let next = 0;
const fresh = (count: number): number => (next += count) - count;

type Sequential = { readonly median: number; readonly p99: number };

const sequential = async (world: World, program: string, { who, server, port }: Contestant, prefix: string, step: 0 | 1): Promise<Sequential> => {
  const first = fresh(SEQUENTIAL);
  const { stdout } = await world.exec(program, [server, `${port}`, prefix, `${first}`, `${SEQUENTIAL}`, `${step}`], { who });
  const [median = Number.NaN, p99 = Number.NaN, bad = Number.NaN] = stdout.trim().split(' ').map(Number);
  if (bad !== 0) throw new Error(`${bad} of ${SEQUENTIAL} questions to ${server} were not answered well`);
  return { median, p99 };
};

/** Queries per second at 50 in flight. Without `names`, one name again and again. */
const throughput = async (world: World, directory: string, { who, server, port }: Contestant, prefix: string, names: number): Promise<number> => {
  const questions = join(directory, 'questions');
  const first = fresh(names);
  writeFileSync(questions, Array.from({ length: Math.max(names, 1) }, (_, index) => `${prefix}${names === 0 ? 0 : first + index}.wild.net A\n`).join(''));
  const limit = names === 0 ? ['-l', `${SECONDS}`] : ['-n', '1'];
  const { stdout } = await world.exec('/usr/bin/dnsperf', ['-s', server, '-p', `${port}`, '-q', '50', '-c', '1', '-T', '1', '-d', questions, ...limit], { who, timeout: 120_000 });
  const lost = Number(/Queries lost:\s+(\d+)/.exec(stdout)?.[1]);
  const bad = /Response codes:\s+NOERROR \d+ \(100\.00%\)/.test(stdout) ? 0 : 1;
  if (lost > 0 || bad > 0) throw new Error(`dnsperf to ${server}: ${stdout}`);
  return Number(/Queries per second:\s+([\d.]+)/.exec(stdout)?.[1]);
};

/** Each contestant in turn, `ROUNDS` times; medians. */
const compare = async (measure: (contestant: Contestant) => Promise<number>): Promise<Readonly<Record<string, number>>> => {
  const series = await interleaved(contestants, ROUNDS, measure);
  return Object.fromEntries(series.map((each) => [each.name, medianOf(each)]));
};

const both = (what: string, unit: string, { netwalld: ours = Number.NaN, dnsmasq: theirs = Number.NaN }: Readonly<Record<string, number>>, atMost?: number): Figure[] => [
  single(`${what}: netwalld`, ours, unit),
  single(`${what}: dnsmasq --nftset`, theirs, unit),
  single(`${what}: ratio`, ours / theirs, '×', atMost),
];

const programs = { '/usr/bin/gcc': 'gcc libc6-dev', '/usr/bin/dnsperf': 'dnsperf', '/usr/sbin/dnsmasq': 'dnsmasq-base' } as const;

export const dns = async (world: World): Promise<Outcome> => {
  const missing = Object.entries(programs).flatMap(([program, packages]) => (existsSync(program) ? [] : [packages]));
  if (missing.length > 0) throw new Error(`programs are missing: apt-get install ${missing.join(' ')}`);
  const directory = mkdtempSync(join(tmpdir(), 'netwall-bench-'));
  try {
    const [answering, asking] = [compile(directory, 'dns-upstream'), compile(directory, 'dns-sequential')];
    execFileSync('/usr/bin/chmod', ['755', directory]);
    world.spawn(answering, [upstream.address, `${upstream.port}`]);
    await world.nft('table inet rival {\nset allowed { type ipv4_addr; flags timeout; timeout 1d; size 1000000; }\n}');
    world.spawn('/usr/sbin/dnsmasq', ['--keep-in-foreground', '--conf-file=/dev/null', '--user=root', '--pid-file=', '--no-resolv', '--no-hosts', `--port=${dnsmasq.port}`,
      `--listen-address=${dnsmasq.server}`, '--bind-interfaces', `--server=${upstream.address}#${upstream.port}`, '--cache-size=10000', '--dns-forward-max=1000', '--nftset=/wild.net/4#inet#rival#allowed']);
    await world.policy('webapp.yaml', policy);
    await world.daemon.start({ config: { dns: { servers: [`udp://${upstream.address}:${upstream.port}`] } } });
    await sleep(1000);
    const figures: Figure[] = [];
    const cases = [
      ['sequential, new names of one address, p50', 'f', 1],
      ['sequential, a new address each, p50', 'r', 1],
      ['sequential, cached, p50', 'f', 0],
    ] as const;
    for (const [what, prefix, step] of cases) {
      figures.push(...both(what, 'µs', await compare(async (contestant) => (await sequential(world, asking, contestant, prefix, step)).median), 1.2));
    }
    figures.push(...both('new names of one address, 50 in flight', '/s', await compare((contestant) => throughput(world, directory, contestant, 'f', 30_000))));
    figures.push(...both('a new address each, 50 in flight', '/s', await compare((contestant) => throughput(world, directory, contestant, 'r', 5000))));
    figures.push(...both('cached, 50 in flight', '/s', await compare((contestant) => throughput(world, directory, contestant, 'f', 0))));
    const pid = world.daemon.pid();
    await throughput(world, directory, netwalld, 'f', MANY / 10);
    const before = residentOf(pid);
    await throughput(world, directory, netwalld, 'f', MANY);
    figures.push(single('memory before many names', before, 'MB'), single(`memory after ${MANY} more names`, residentOf(pid), 'MB', before * 1.2));
    return { figures };
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
};
