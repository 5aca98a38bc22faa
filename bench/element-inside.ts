/**
 * Runs on the world's host. Adds elements one by one, in turn through a lasting nft and through one that is spawned; prints milliseconds.
 * Arguments: how many of each, and how many there are before.
 */
import { execa } from 'execa';
import { NFT_ENVIRONMENT, NftChild, writeScript } from '../src/host/nft-child.ts';
import { skeletonText } from '../src/ruleset/skeleton.ts';

const TABLE = 'bench';
const [ROUNDS = 0, STANDING = 0] = process.argv.slice(2).map(Number);
const NFT = '/usr/sbin/nft';
const script = '/run/element.nft';

const key = (index: number): string => `1001 . 45.64.${index >> 8}.${index & 255} . tcp . 443`;
const adding = (...keys: string[]): string => `add element inet ${TABLE} user_egress4 { ${keys.join(', ')} }\n`;

const child = new NftChild({ nft: NFT, scriptFile: '/run/element-child.nft', timeout: 30_000 });
const lasting = (text: string): Promise<void> => child.apply(text);
const spawned = async (text: string): Promise<void> => {
  writeScript(script, text);
  await execa(NFT, ['-f', script], { env: NFT_ENVIRONMENT, extendEnv: false, stdin: 'ignore', cwd: '/' });
};
const timed = async (task: () => Promise<void>): Promise<number> => {
  const start = performance.now();
  await task();
  return performance.now() - start;
};

await lasting(skeletonText({ name: TABLE, mark: null }));
await lasting(adding(...Array.from({ length: STANDING }, (_, index) => key(index))));
const times = { lasting: [] as number[], spawned: [] as number[] };
for (let round = 0; round < ROUNDS; round += 1) {
  const next = STANDING + round * 2;
  times.lasting.push(await timed(() => lasting(adding(key(next)))));
  times.spawned.push(await timed(() => spawned(adding(key(next + 1)))));
}
child.stop();
process.stdout.write(JSON.stringify(times));
