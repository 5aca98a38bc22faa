/** Asks the upstream servers: several tries, the servers that answer first, TCP where UDP is too small. */
import { randomInt } from 'node:crypto';
import { askFor, type RecordType } from '../dns/message.ts';
import type { NameServer } from '../config/endpoint.ts';
import { serverText } from '../dns/server.ts';
import { askStream, askUdp, type Outcome } from './exchange.ts';
import { messageOf } from './host-error.ts';

export type UpstreamOptions = {
  readonly servers: () => readonly NameServer[];
  /** Milliseconds for each try. */
  readonly timeout: number;
  readonly tries: number;
};

/** A server that failed is asked last for this long. */
const DEMOTED_MILLISECONDS = 30_000;

export type Upstream = (domain: string, type: RecordType) => Promise<Outcome>;

async function askOnce(server: NameServer, domain: string, type: RecordType, timeout: number): Promise<Outcome> {
  const query = askFor(domain, type, (below) => randomInt(below));
  if (server.transport === 'tls') return askStream(server, query, timeout);
  const answer = await askUdp(server, query, timeout);
  return answer.kind === 'truncated' ? askStream(server, query, timeout) : answer;
}

export function openUpstream({ servers, timeout, tries }: UpstreamOptions): Upstream {
  const demotedUntil = new Map<string, number>();
  const ordered = () => {
    const now = performance.now();
    return servers().toSorted((a, b) => Number((demotedUntil.get(serverText(a)) ?? 0) > now) - Number((demotedUntil.get(serverText(b)) ?? 0) > now));
  };
  return async (domain, type) => {
    const failures: string[] = [];
    const list = ordered();
    for (let attempt = 0; attempt < Math.max(tries, 1); attempt += 1) {
      const server = list[attempt % list.length];
      if (server === undefined) return { kind: 'failure', reason: 'no name server is known' };
      try {
        const outcome = await askOnce(server, domain, type, timeout);
        if (outcome.kind !== 'failure') {
          demotedUntil.delete(serverText(server));
          return outcome;
        }
        failures.push(`${serverText(server)}: ${outcome.reason}`);
      } catch (error) {
        failures.push(`${serverText(server)}: ${messageOf(error)}`);
        demotedUntil.set(serverText(server), performance.now() + DEMOTED_MILLISECONDS);
      }
    }
    return { kind: 'failure', reason: [...new Set(failures)].join('; ') };
  };
}
