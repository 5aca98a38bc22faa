/** The daemon from outside: its control socket and netwallctl. */
import { get } from 'node:http';
import type { Host } from './host.ts';
import { insideRepository, type Namespaces } from './namespace.ts';
import { accountOf, type Who } from './plan.ts';
import type { NameStatus, ServiceStatus, Status } from './report-shapes.ts';
import { attempt, type Outcome, type RunOptions } from './run.ts';
import { until } from './until.ts';

export type Answer = Outcome & {
  /** What stdout says as JSON; undefined when it is none. */
  readonly json: unknown;
};

export type Control = {
  /** Runs `netwallctl ARGS…` on the host, as root unless told otherwise. */
  readonly ctl: (args: readonly string[], options?: RunOptions & { readonly who?: Who }) => Promise<Answer>;
  /** `GET /v1/status`, not validated. */
  readonly status: () => Promise<Status>;
  /** What status says about one service; throws when it says nothing. */
  readonly service: (name: string) => Promise<ServiceStatus>;
  readonly domain: (service: string, name: string) => Promise<NameStatus>;
  /** Waits until the daemon says it enforces, with at least this generation. */
  readonly waitEnforced: (generation?: number, within?: number) => Promise<Status>;
  /** Waits until the service is in this state. */
  readonly waitState: (service: string, state: ServiceStatus['state'], within?: number) => Promise<ServiceStatus>;
};

export const controlSocket = '/run/netwall/control.sock';

export const createControl = (namespaces: Namespaces, host: Host): Control => {
  const status = async (): Promise<Status> => {
    const answer: Status = JSON.parse(await getText(host.path(controlSocket), '/v1/status'));
    return answer;
  };
  const service: Control['service'] = async (name) => {
    const found = (await status()).services.find((candidate) => candidate.service === name);
    if (found === undefined) throw new Error(`status says nothing about ${name}`);
    return found;
  };
  return {
    status,
    service,
    domain: async (of, domain) => {
      const found = (await service(of)).names.find((candidate) => candidate.name === domain);
      if (found === undefined) throw new Error(`status says nothing about ${domain} of ${of}`);
      return found;
    },
    ctl: async (args, { who = 'root', ...options } = {}) => {
      const outcome = await attempt([...namespaces.enterHost(accountOf(who)), `${insideRepository}/dist/netwallctl`, ...args], options);
      return { ...outcome, json: parse(outcome.stdout) };
    },
    waitEnforced: (generation = 0, within = 10_000) =>
      until(`the daemon enforces generation ${generation}`, async () => {
        const now = await status();
        return now.state !== 'starting' && now.generation >= generation && now;
      }, within),
    waitState: (of, state, within = 5000) =>
      until(`${of} is ${state}`, async () => {
        const now = await service(of);
        return now.state === state && now;
      }, within),
  };
};

const parse = (text: string): unknown => {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
};

const getText = (socketPath: string, path: string): Promise<string> =>
  new Promise((resolve, reject) => {
    const request = get({ socketPath, path, timeout: 5000, agent: false }, (response) => {
      const chunks: string[] = [];
      response.setEncoding('utf8').on('data', (chunk: string) => chunks.push(chunk));
      response.on('error', reject).on('end', () => {
        if (response.statusCode === 200) resolve(chunks.join(''));
        else reject(new Error(`GET ${path}: ${response.statusCode} ${chunks.join('')}`));
      });
    });
    request.on('error', reject).on('timeout', () => request.destroy(new Error(`GET ${path}: no answer`)));
  });
