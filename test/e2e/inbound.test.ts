/** Datagrams to UDP sockets: those of governed users are kept from them, those of everybody else are not. */
import test from 'ava';
import { link } from './plan.ts';
import { worldFor } from './sentences.ts';
import { until } from './until.ts';

const world = worldFor(test, async (made) => {
  await made.policy('webapp.yaml', 'service: webapp\nmatch: { user: webapp }\ndns: none\n');
  await made.daemon.start();
  await until('the guard is held', async () => (await made.status()).guard.state === 'held');
});

const guarded = async (): Promise<string> => (await world().exec('/usr/sbin/nft', ['list', 'set', 'inet', 'netwall_guard', 'ports'])).stdout;

test.serial("a governed user that takes the same port of the other family does not silence anybody else's", async (t) => {
  await world().as('stranger').listen({ protocol: 'udp', address: '0.0.0.0', port: 8125 });
  await world().as('webapp').listen({ protocol: 'udp', address: '::', port: 8125 });
  const client = await world().internet.client.open('udp', link.host.v4, 8125);
  t.is((await client.exchange()).result, 'echoed');
  // a port that came later, and is nobody else's, is guarded by now
  await world().as('webapp').listen({ protocol: 'udp', address: '0.0.0.0', port: 8126 });
  await until('the later port is guarded', async () => /\b8126\b/.test(await guarded()), 15_000);
  t.notRegex(await guarded(), /\b8125\b/);
  const other = await world().internet.client.open('udp', link.host.v4, 8125);
  t.is((await other.exchange()).result, 'echoed');
});

test.serial('what is guarded is so again when the wall was taken down and is put up', async (t) => {
  t.is((await world().ctl(['unload'])).exitCode, 0);
  t.is((await world().ctl(['reload'])).exitCode, 0);
  await until('the guard is held', async () => (await world().status()).guard.state === 'held');
  await until('the port is guarded', async () => /\b8126\b/.test(await guarded()), 3000);
  t.notRegex(await guarded(), /\b8125\b/);
});
