/** A host whose firewall is the real kernel's, and what becomes of packets on it. See rig.pl for the sending half. */
import { once } from 'node:events';
import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { z } from 'zod';
import type { Address } from '../../src/net/address.ts';
import { type Namespace, namespaceOf } from './namespace.ts';
import { addressBytes } from './packets.ts';

/** Every packet that is to be judged ends in this and its index. */
export function tagged(index: number): Buffer {
  const bytes = Buffer.from('NWDT\0\0\0\0', 'latin1');
  bytes.writeUInt32BE(index, 4);
  return bytes;
}

/** Where packets come from: a local address for each index, so that no two have a flow in common. */
export const LOCAL = { 4: 0xac1e_0000n /* 172.30.0.0/16 */, 6: 0xfd99n << 112n } as const;
/** The same for what the kernel itself answers; elsewhere it is kept quiet. */
export const KERNEL_LOCAL = { 4: 0xac1f_0000n /* 172.31.0.0/16 */, 6: 0xfd98n << 112n } as const;
export const MOST_INDEX = 0xffff;

export type Send = { readonly index: number; readonly uid: number; readonly gid: number; readonly to: Address; readonly bytes: Buffer };

export type Batch = {
  /** Come in from the peer, before anything is sent. */
  readonly wire: readonly Buffer[];
  /** Sent to the host by itself, as by somebody ungoverned, before anything else is sent. */
  readonly self: readonly { readonly to: Address; readonly bytes: Buffer }[];
  readonly send: readonly Send[];
};

/** What the kernel did, by index. */
export type Fate = {
  /** Was at the output hook. */
  readonly reached: ReadonlySet<number>;
  /** What conntrack said of it there; in neither: nothing. */
  readonly original: ReadonlySet<number>;
  readonly reply: ReadonlySet<number>;
  /** Was handed to a network interface. */
  readonly left: ReadonlySet<number>;
  /** What the sender was told, where that was an error. */
  readonly errno: ReadonlyMap<number, number>;
};

export type Rig = {
  readonly namespace: Namespace;
  /** Forgets all flows and all that was seen. */
  reset(): Promise<void>;
  run(batch: Batch): Promise<Fate>;
};

const OBSERVER = `
table inet observer {
	set reached { typeof meta mark; size 65536; flags dynamic; }
	set original { typeof meta mark; size 65536; flags dynamic; }
	set reply { typeof meta mark; size 65536; flags dynamic; }

	# Answers of the kernel's own to what nobody listens to would end the flow, before conntrack as they are.
	chain silence {
		type filter hook output priority -300; policy accept;
		ip saddr 172.31.0.0/16 accept
		ip6 saddr fd98::/64 accept
		meta skuid != 4294967295 accept
		drop
	}

	# What the host sent to itself has left it by now.
	chain looped {
		type filter hook prerouting priority -300; policy accept;
		iifname "lo" drop
	}

	# After conntrack, before the wall.
	chain arrival {
		type filter hook output priority -10; policy accept;
		meta mark 0 accept
		add @reached { meta mark }
		ct direction original add @original { meta mark }
		ct direction reply add @reply { meta mark }
	}
}
`;

const RESET = ['reached', 'original', 'reply'].map((set) => `flush set inet observer ${set}\n`).join('');

const observation = z.object({
  nftables: z.array(z.looseObject({ set: z.object({ name: z.string(), elem: z.array(z.number()).default([]) }).optional() })),
});

function commands({ wire, self, send }: Batch): string {
  const hex = (bytes: Buffer) => bytes.toString('hex');
  return [
    ...wire.map((bytes) => `wire ${hex(bytes)}`),
    ...self.map(({ to, bytes }) => `self ${to.family} ${hex(addressBytes(to))} ${hex(bytes)}`),
    ...send.map(({ index, uid, gid, to, bytes }) => `send ${index} ${uid} ${gid} ${to.family} ${hex(addressBytes(to))} ${hex(bytes)}`),
    'go\n',
  ].join('\n');
}

export async function startRig(): Promise<Rig> {
  const script = fileURLToPath(new URL('rig.pl', import.meta.url));
  const hands = spawn('/usr/bin/perl', [script], { stdio: ['pipe', 'pipe', 'pipe'], env: { PATH: '/usr/sbin:/usr/bin:/sbin:/bin', LC_ALL: 'C' } });
  const errors: string[] = [];
  hands.stderr.setEncoding('utf8').on('data', (text: string) => errors.push(text));
  hands.stdin.on('error', () => {}); // EPIPE: the end below tells what happened
  const ended = once(hands, 'close');
  const lines = createInterface({ input: hands.stdout })[Symbol.asyncIterator]();
  const line = async (): Promise<string> => {
    const next = await lines.next();
    if (next.done === true) throw new Error(`the rig ended: ${errors.join('')}`);
    return next.value;
  };

  if ((await line()) !== 'ready' || hands.pid === undefined) throw new Error('the rig is not ready');
  const namespace = namespaceOf(hands.pid, async () => {
    hands.stdin.end();
    await ended;
  });
  await namespace.apply(OBSERVER);

  async function seen(): Promise<Pick<Fate, 'reached' | 'original' | 'reply'>> {
    const { nftables } = observation.parse(JSON.parse(await namespace.nft('-j', 'list', 'table', 'inet', 'observer')));
    const sets = new Map(nftables.flatMap(({ set }) => (set === undefined ? [] : [[set.name, new Set(set.elem)] as const])));
    const of = (name: string) => {
      const found = sets.get(name);
      if (found === undefined) throw new Error(`the observer has no set ${name}`);
      return found;
    };
    return { reached: of('reached'), original: of('original'), reply: of('reply') };
  }

  return {
    namespace,
    async reset() {
      await namespace.apply(RESET);
      await namespace.run('/usr/sbin/conntrack', '-F');
    },
    async run(batch) {
      hands.stdin.write(commands(batch));
      const errno = new Map<number, number>();
      for (;;) {
        const [word, ...values] = (await line()).split(' ');
        if (word === 'errno') errno.set(Number(values[0]), Number(values[1]));
        else if (word === 'left') {
          if ((await line()) !== 'done') throw new Error('the rig lost count');
          return { ...(await seen()), left: new Set(values.map(Number)), errno };
        } else throw new Error(`the rig says ${word}`);
      }
    },
  };
}
