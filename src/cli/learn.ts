/** `netwallctl learn`: watches a service for a while, and prints the policy that comes of it. */
import { accessSync, constants, existsSync, writeFileSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { EXIT, type LearningReport } from '../control/api.ts';
import { ask, ControlError } from '../control/client.ts';
import { messageOf } from '../host/host-error.ts';
import type { Printer } from './output.ts';

export type LearnOptions = { readonly for: string; readonly wildcards?: boolean; readonly write?: string; readonly stop?: boolean };

const LOOK_MILLISECONDS = 500;

/** An existing file is somebody's work: it is not written over. Throws ControlError. */
function save(path: string, text: string): void {
  try {
    writeFileSync(path, text, { flag: 'wx', mode: 0o644 });
  } catch (error) {
    throw new ControlError('failed', `${path} is not written: ${messageOf(error)}`);
  }
}

function writable(path: string): void {
  if (existsSync(path)) throw new ControlError('failed', `${path} exists: remove it, or name another`);
  try {
    accessSync(dirname(resolve(path)), constants.W_OK);
  } catch (error) {
    throw new ControlError('failed', `${path} cannot be written: ${messageOf(error)}`);
  }
}

/** Returns the exit code. Throws ControlError. */
export async function learnCommand(socket: string, service: string, options: LearnOptions, { json, say, complain }: Printer): Promise<number> {
  const query = new URLSearchParams({ service });
  const stop = () => ask<LearningReport>(socket, 'POST', `/v1/learn/stop?${query.toString()}`);
  const finish = (report: LearningReport): number => {
    const policy = report.policy ?? '';
    if (options.write !== undefined) {
      save(options.write, policy);
      complain(`${report.destinations} new destinations; written to ${options.write}: read it, then try it with netwallctl try ${options.write}`);
    }
    if (json) say(JSON.stringify(report));
    else if (options.write === undefined) say(policy.trimEnd());
    return EXIT.ok;
  };
  if (options.stop === true) return finish(await stop());
  // before anything is let loose
  if (options.write !== undefined) writable(options.write);
  const wanted = new URLSearchParams({ service, for: options.for, ...(options.wildcards === true ? { wildcards: '1' } : {}) });
  let report = await ask<LearningReport>(socket, 'POST', `/v1/learn?${wanted.toString()}`);
  complain(`until ${new Date(report.until).toLocaleString('sv-SE')} ${service} may do what it likes; Ctrl-C ends it and prints what was learnt so far`);
  let ending: Promise<LearningReport> | null = null;
  for (const signal of ['SIGINT', 'SIGTERM']) {
    process.on(signal, () => {
      ending ??= stop();
    });
  }
  while (report.active) {
    await sleep(LOOK_MILLISECONDS);
    report = await (ending ?? ask<LearningReport>(socket, 'GET', `/v1/learn?${query.toString()}`));
  }
  return finish(report);
}
