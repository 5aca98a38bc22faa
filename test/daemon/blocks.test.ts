import test from 'ava';
import { Blocks, type GovernedBy, savedBlocks } from '../../src/daemon/blocks.ts';

const users = (service: string, ...ids: readonly number[]): GovernedBy => ({ service, kind: 'user', ids });
const [SINCE, LATER] = ['2026-01-01T00:00:00.000Z', '2026-01-02T00:00:00.000Z'];

/** Who is shut, of services that share no principal. */
const SERVICES = [users('a', 1), users('b', 2), users('c', 3), { service: 'g', kind: 'group', ids: [1] } as const];

const ENDED: readonly [what: string, blocked: readonly GovernedBy[], ended: readonly GovernedBy[], shut: readonly string[]][] = [
  ['a block ends by its own name', [users('a', 1)], [users('a', 1)], []],
  ['… whomever its service governs by now', [users('a', 1)], [users('a', 7)], []],
  ['… and by the name of who has its principals', [users('old', 1)], [users('a', 1)], []],
  ['of two whom a block shuts one is freed', [users('old', 1, 2)], [users('a', 1)], ['b']],
  ['… the other way round', [users('old', 1, 2)], [users('b', 2)], ['a']],
  ['… one after the other', [users('old', 1, 2)], [users('b', 2), users('a', 1)], []],
  ['of several blocks each loses whom it is asked to free, and no other', [users('old', 1, 2), users('older', 1, 3)], [users('a', 1)], ['b', 'c']],
  ['its own block ends whole, of another only its own part', [users('a', 1), users('old', 1, 2)], [users('a', 1)], ['b']],
  ['a group of the same number is another principal', [{ service: 'old', kind: 'group', ids: [1] }, users('older', 1)], [users('a', 1)], ['g']],
  ['who is not shut ends nothing', [users('old', 1, 2)], [users('c', 3)], ['a', 'b']],
];
for (const [what, blocked, ended, shut] of ENDED) {
  test(what, (t) => {
    const blocks = new Blocks();
    for (const one of blocked) blocks.add(one, SINCE);
    for (const one of ended) blocks.end(one);
    const restarted = new Blocks(savedBlocks.parse(JSON.parse(JSON.stringify(blocks.save()))));
    for (const now of [blocks, restarted]) t.deepEqual(SERVICES.filter((one) => now.since(one) !== null).map(({ service }) => service), shut);
  });
}

test('who stays shut is shut since when it was', (t) => {
  const blocks = new Blocks();
  blocks.add(users('old', 1, 2), SINCE);
  blocks.add(users('old', 1, 2), LATER);
  blocks.end(users('a', 1));
  t.is(blocks.since(users('b', 2)), SINCE);
});
