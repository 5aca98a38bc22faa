/** All that `netwallctl doctor` judges, as data: what the daemon says, what the policy files say, what the host shows. */
import type { StatusReport } from '../../control/api.ts';
import type { Config } from '../../config/config.ts';
import type { Conntrack } from '../../host/survey/conntrack.ts';
import type { EngineSocket, Owned } from '../../host/survey/files.ts';
import type { Kernel } from '../../host/survey/kernel.ts';
import type { KernelSockets } from '../../host/survey/kernel-sockets.ts';
import type { Known } from '../../host/survey/known.ts';
import type { People } from '../../host/survey/people.ts';
import type { Processes } from '../../host/survey/processes.ts';
import type { Capable, Program } from '../../host/survey/programs.ts';
import type { Units } from '../../host/survey/units.ts';
import type { Mode, DnsMode, PrincipalKind } from '../../policy/policy.ts';
import type { LinkedPolicy } from '../../policy/rule.ts';

export type Daemon =
  | { readonly reach: 'answers'; readonly status: StatusReport }
  | { readonly reach: 'not reachable' | 'not permitted' | 'failed'; readonly message: string };

/** A service, from the daemon where it answers, else from the policy files. */
export type Governed = {
  readonly service: string;
  readonly mode: Mode;
  readonly dns: DnsMode;
  readonly kind: PrincipalKind;
  readonly ids: readonly number[];
  /** What its file says; null: it is not readable, or not good. */
  readonly linked: LinkedPolicy | null;
};

export type Survey = {
  readonly now: Date;
  /** Of Node, which the daemon runs on as well. */
  readonly runtime: string;
  readonly daemon: Daemon;
  readonly config: Config;
  /** What is wrong with the configuration file. */
  readonly configProblem: string | null;
  readonly services: readonly Governed[];
  readonly conntrack: Known<Conntrack | null>;
  /** Sentences about other tables on the hooks of ours. */
  readonly otherTables: Known<readonly string[]>;
  readonly nftablesConf: Known<string | null>;
  readonly ufwConf: Known<string | null>;
  readonly nsswitch: Known<string | null>;
  /** Which sockets of name services anybody may connect to. */
  readonly nameSockets: readonly string[];
  readonly processes: Processes;
  readonly people: Known<People>;
  readonly setIdPrograms: readonly Program[];
  readonly capablePrograms: Known<readonly Capable[]>;
  readonly sudoers: Known<string | null>;
  /** Accounts with a crontab, and uids with an at job. */
  readonly crontabs: Known<readonly string[]>;
  readonly atJobs: Known<readonly number[]>;
  readonly engines: Known<readonly EngineSocket[]>;
  readonly kernel: Known<Kernel>;
  readonly kernelSockets: KernelSockets;
  readonly nft: string | null;
  readonly units: Known<Units | null>;
  /** Each directory with all above it. */
  readonly policyDirectories: readonly { readonly path: string; readonly way: Known<readonly Owned[]> }[];
  readonly bootFile: { readonly way: Known<readonly Owned[]>; readonly text: Known<string | null> };
  readonly stateDirectory: Known<Owned | null>;
};
