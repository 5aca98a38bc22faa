/** `netwallctl doctor`: what could weaken the wall on this host. Partly without the daemon, and partly without privilege. */
import { API_VERSION, type DoctorReport, EXIT } from '../control/api.ts';
import { examine } from './doctor/examine.ts';
import { gather } from './doctor/gather.ts';
import { doctorText } from './doctor/text.ts';
import { type Paint, shownAll } from './output.ts';

type Options = { readonly json: boolean; readonly all: boolean; readonly path: string; readonly paint: Paint; readonly say: (text: string) => void };

/** Returns the exit code. */
export async function doctorCommand(socket: string, { json, all, path, paint, say }: Options): Promise<number> {
  const checks = examine(await gather(socket, path));
  say(json ? JSON.stringify({ apiVersion: API_VERSION, checks } satisfies DoctorReport) : doctorText(shownAll(checks), all, paint));
  return checks.some(({ severity }) => severity === 'warning' || severity === 'critical') ? EXIT.differences : EXIT.ok;
}
