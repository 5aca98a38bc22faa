/** The other end of the control socket. */
import { request } from 'node:http';
import { createInterface } from 'node:readline';
import type { ErrorReport } from './api.ts';

/** The daemon could not be asked, or said no. `reason` decides the exit code. */
export class ControlError extends Error {
  readonly reason: 'not reachable' | 'not permitted' | 'failed' | 'invalid' | 'invalid policy';

  constructor(reason: ControlError['reason'], message: string) {
    super(message);
    this.name = 'ControlError';
    this.reason = reason;
  }
}

const TIMEOUT = 60_000;

function unreachable(socketPath: string, error: NodeJS.ErrnoException): ControlError {
  if (error.code === 'EACCES' || error.code === 'EPERM') {
    return new ControlError('not permitted', `no permission to use ${socketPath}: be root, or in group netwall to read`);
  }
  return new ControlError('not reachable', `netwalld does not answer on ${socketPath} (${error.code ?? error.message}): systemctl start netwalld`);
}

/** Hands over each line of an answer; `until` ends it. One that has no end must not end by itself: the daemon is gone. Throws ControlError. */
export function follow(socketPath: string, path: string, line: (value: unknown) => void, until?: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const question = request({ socketPath, path, method: 'GET', agent: false, ...(until === undefined ? {} : { signal: until }) }, (response) => {
      if (response.statusCode !== 200) return reject(new ControlError('failed', `netwalld says ${response.statusCode}: is it of an older version?`));
      const lines = createInterface({ input: response });
      lines.on('line', (text) => line(JSON.parse(text)));
      const over = () => {
        if (until?.aborted === true || path.includes('follow=0')) resolve();
        else reject(new ControlError('not reachable', `netwalld went away: it no longer answers on ${socketPath}`));
      };
      lines.on('close', over);
      lines.on('error', over); // it passes on those of its input
      response.on('error', over);
    });
    question.on('error', (error) => (until?.aborted === true ? resolve() : reject(unreachable(socketPath, error))));
    question.end();
  });
}

/** Undefined: it is no JSON. */
function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** One question, one answer. `body` becomes JSON. `timeout` in milliseconds. Throws ControlError. */
export function ask<T>(socketPath: string, method: 'GET' | 'POST', path: string, { timeout = TIMEOUT, body }: { readonly timeout?: number; readonly body?: unknown } = {}): Promise<T> {
  return new Promise((resolve, reject) => {
    const question = request({ socketPath, path, method, timeout, agent: false }, (response) => {
      let text = '';
      response.setEncoding('utf8');
      response.on('data', (chunk: string) => (text += chunk));
      response.on('error', (error) => reject(unreachable(socketPath, error)));
      response.on('end', () => {
        const status = response.statusCode ?? 0;
        const answer = parsed(text);
        if (answer === undefined) return reject(new ControlError('failed', status === 431 ? 'that is too much for one question' : `netwalld says ${status}: is it of another version?`));
        // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- the daemon's side of api.ts
        if (status === 200) return resolve(answer as T);
        // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- as above
        const { error, problems = [] } = answer as ErrorReport;
        const reason = status === 403 ? 'not permitted' : status === 400 ? 'invalid' : problems.length > 0 ? 'invalid policy' : 'failed';
        return reject(new ControlError(reason, [error, ...problems].join('\n')));
      });
    });
    question.on('timeout', () => question.destroy(new Error(`no answer within ${timeout} ms`)));
    question.on('error', (error) => reject(unreachable(socketPath, error)));
    question.end(body === undefined ? undefined : JSON.stringify(body));
  });
}
