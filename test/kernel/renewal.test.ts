/** Elements that are about to run out get their time anew, on kernels that renew timeouts and on those that do not. */
import test from 'ava';
import { pino } from 'pino';
import { Enforcer } from '../../src/daemon/enforcer.ts';
import { renewsTimeouts } from '../../src/host/nft-features.ts';
import { openNft } from '../../src/host/nft.ts';
import { OwnProcesses } from '../../src/host/nft-own.ts';
import { gateElements, type PrincipalRuleset } from '../../src/ruleset/compile.ts';
import { readElements } from '../../src/ruleset/listing.ts';
import { createNamespace } from './namespace.ts';

const TABLE = { name: 'netwall', mark: null };
const KEYS = new Map([['user_egress4', '1001 . 45.64.7.1 . tcp . 443'], ['user_egress_net4', '1001 . 45.64.8.1 . tcp . 8000-8010']]);
const sets = [...KEYS.keys()];

const ruleset: PrincipalRuleset = {
  principal: 'user 1001',
  service: 'webapp',
  gate: gateElements('user', 1001, 'enforce'),
  elements: [...KEYS].map(([set, key]) => ({ set, key, mode: null, timeout: 600, comment: null })),
};

test('what is tried leaves nothing behind, and says what the kernel then does', async (t) => {
  const namespace = await createNamespace();
  t.teardown(() => namespace.remove());
  const answer = await renewsTimeouts(namespace.nftProgram(), 'netwall');
  t.is(await namespace.nft('list', 'ruleset'), '');
  await namespace.apply('table inet t { set s { type inet_service; flags timeout; elements = { 1 timeout 10s }; }; }\n');
  await namespace.apply('add element inet t s { 1 timeout 1h }\n');
  t.is(/1 timeout 1h/.test(await namespace.nft('list', 'set', 'inet', 't', 's')), answer);
});

test('without nft the answer is no', async (t) => {
  t.false(await renewsTimeouts('/nonexistent/nft', 'netwall'));
});

for (const way of ['as the kernel can', 'as every kernel can'] as const) {
  test(`renewed ${way}`, async (t) => {
    const namespace = await createNamespace();
    t.teardown(() => namespace.remove());
    const nft = openNft({ nft: namespace.nftProgram(), table: TABLE.name, runtimeDir: namespace.directory, own: new OwnProcesses(TABLE.name) });
    t.teardown(() => nft.close());
    const enforcer = new Enforcer({
      nft: way === 'as the kernel can' ? nft : { ...nft, renewsTimeouts: async () => false },
      guard: { release: async () => {}, hold: () => {}, drop: async () => {} },
      table: TABLE,
      log: pino({ level: 'silent' }),
      generation: 0,
    });
    await enforcer.observe([]);
    await enforcer.apply([ruleset], { drains: new Map(), oneByOne: false, since: enforcer.grantSequence });
    // as after a daemon that was away for a while
    await namespace.apply([...KEYS].flatMap(([set, key]) => [`delete element inet netwall ${set} { ${key} }\n`, `add element inet netwall ${set} { ${key} timeout 100s }\n`]).join(''));
    const left = async () => new Map(readElements(await nft.listTable()).flatMap(({ set, expires }) => (expires === null ? [] : [[set, expires] as const])));
    for (const set of sets) t.true(((await left()).get(set) ?? 600) <= 100, set);
    await enforcer.observe([ruleset]);
    for (const set of sets) t.true(((await left()).get(set) ?? 0) > 300, `${set}: ${[...(await left())].join(' ')}`);
  });
}
