/** A governed user who sends without end where it must not, and the count of what arrived on the far side. */
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Who } from './plan.ts';
import type { World } from './world.ts';

export type Flood = {
  /** Ends it. `tried`: datagrams handed to the kernel; `arrived`: those that came out on the far side. */
  readonly stop: () => Promise<{ readonly tried: number; readonly arrived: number }>;
  readonly arrived: () => Promise<number>;
};

const PORT = 4444;

export const startFlood = async (world: World, who: Who, address: string): Promise<Flood> => {
  const before = await world.internet.arrived('udp', address, PORT);
  const sender = world.spawn('/usr/bin/perl', [`${world.repository}/test/e2e/flood.pl`, address, `${PORT}`], who);
  let output = '';
  sender.stdout?.setEncoding('utf8').on('data', (text: string) => (output += text));
  const ended = once(sender, 'exit');
  await sleep(50);
  const arrived = async () => (await world.internet.arrived('udp', address, PORT)) - before;
  return {
    arrived,
    stop: async () => {
      sender.stdin?.end();
      await ended;
      return { tried: Number(output.trim()), arrived: await arrived() };
    },
  };
};
