/** One element through the lasting nft against one through a spawned nft. */
import { z } from 'zod';
import type { World } from '../test/e2e/world.ts';
import { median, quantile, single } from './figures.ts';
import type { Effort, Outcome } from './outcome.ts';

const timesShape = z.object({ lasting: z.array(z.number()), spawned: z.array(z.number()) });

export const element = async (world: World, effort: Effort): Promise<Outcome> => {
  const { exitCode, stdout, stderr } = await world.exec(process.execPath, [`${world.repository}/bench/element-inside.ts`, ...(effort === 'short' ? ['5', '100'] : ['200', '20000'])], { timeout: 120_000 });
  if (exitCode !== 0) throw new Error(`element-inside.ts ended with ${exitCode}\n${stderr}`);
  const { lasting, spawned } = timesShape.parse(JSON.parse(stdout));
  return {
    figures: [
      median('one element, lasting nft', 'ms', lasting),
      median('one element, spawned nft', 'ms', spawned),
      single('spawned / lasting, p50', quantile(spawned, 0.5) / quantile(lasting, 0.5), 'times'),
    ],
  };
};
