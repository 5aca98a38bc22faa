import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:http';
import { once } from 'node:events';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import test from 'ava';
import type { ReloadReport } from '../../src/control/api.ts';
import { attempt } from '../e2e/run.ts';

const CTL = fileURLToPath(new URL('../../src/cli/main.ts', import.meta.url));
const PROBLEM = '/etc/netwall.d/a.yaml:1:1: error: no';

const CASES: readonly [what: string, report: Pick<ReloadReport, 'state' | 'problems'>, exitCode: number, stderr: string][] = [
  ['enforced', { state: 'enforcing', problems: [] }, 0, ''],
  ['enforced, but for a file that is not valid', { state: 'enforcing', problems: [PROBLEM] }, 4, PROBLEM],
  ['not enforced', { state: 'degraded', problems: [] }, 1, 'error: not enforced: see netwallctl status'],
  ['not enforced, and a file is not valid', { state: 'degraded', problems: [PROBLEM] }, 1, `${PROBLEM}\nerror: not enforced: see netwallctl status`],
];
for (const [what, report, exitCode, stderr] of CASES) {
  test(`reload: ${what}`, async (t) => {
    const directory = mkdtempSync(join(tmpdir(), 'netwall-reload-'));
    const server = createServer((_request, response) => response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify({ generation: 7, ...report })));
    t.teardown(() => {
      server.close();
      rmSync(directory, { recursive: true, force: true });
    });
    const socket = join(directory, 'control.sock');
    await once(server.listen(socket), 'listening');
    t.deepEqual(await attempt([process.execPath, CTL, '--socket', socket, 'reload']), { exitCode, stdout: 'generation 7', stderr });
  });
}
