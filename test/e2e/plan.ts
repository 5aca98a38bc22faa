/**
 * The made-up world's addresses and accounts. Addresses outside `lan` are ordinary global unicast ones, because the address
 * guard refuses special-use ranges; none of this ever leaves the two namespaces, which have no uplink.
 */

/** The link between the confined host (`eth0`) and the internet (`up0`), and who is who on it. */
export const link = {
  host: { v4: '203.0.112.2', v6: '2a0f:9401:1::2' },
  internet: { v4: '203.0.112.1', v6: '2a0f:9401:1::1' },
  prefix: { v4: 24, v6: 64 },
} as const;

/** Where the scriptable DNS server listens (UDP and TCP, port 53). resolv.conf names the first one. */
export const nameservers = { first: '203.0.112.53', second: '203.0.112.54', v6: '2a0f:9401:1::53' } as const;

/** Where a test's own name server may listen: the world's does not. */
export const spareServers = { main: '203.0.112.66', other: '203.0.112.67' } as const;

/**
 * Networks of which every address answers: TCP and UDP echo on every port but 53 of a name server and `closedPort`, and ping.
 * `lan` stands for what surrounds a real host: private networks and the cloud's metadata service.
 */
export const networks = {
  internet: { v4: ['45.64.0.0/15', '91.200.0.0/16'], v6: ['2a0f:9400::/32', '2a0e:5000::/32'] },
  lan: { v4: ['10.20.0.0/16', '169.254.169.254/32', '192.168.7.0/24', '100.64.0.0/16'], v6: ['fd00::/16'] },
} as const;

/** Nobody listens on this port anywhere: a connection is refused by the far side, not by the wall. */
export const closedPort = 9;

/** TCP ports of the internet on which a test's own servers listen, and nobody else. */
export const sparePorts = { first: 27_000, last: 27_099 } as const;

export type Account = {
  readonly uid: number;
  /** The primary group. */
  readonly gid: number;
  /** Supplementary groups. */
  readonly groups: readonly number[];
};

const own = (id: number): Account => ({ uid: id, gid: id, groups: [] });

export const ci = 20100;

/** Accounts of the host's private /etc/passwd; every one but the runners has a group of its own name. */
export const accounts = {
  webapp: own(20001),
  billing: own(20002),
  worker: own(20003),
  loner: own(20004),
  /** Two accounts whose primary group is `ci`. */
  runner: { uid: 20011, gid: ci, groups: [] },
  deployer: { uid: 20012, gid: ci, groups: [] },
  /** In `ci` as a supplementary group only. */
  helper: { uid: 20013, gid: 20013, groups: [ci] },
  /** No policy ever names this one: what it cannot reach, the world itself does not let through. */
  stranger: own(20099),
} as const satisfies Record<string, Account>;

export type AccountName = keyof typeof accounts;

/** Whose sockets: an account's name, `root`, or numbers that need no account behind them. */
export type Who = AccountName | 'root' | Account;

export const accountOf = (who: Who): Account => {
  if (typeof who !== 'string') return who;
  return who === 'root' ? own(0) : accounts[who];
};
