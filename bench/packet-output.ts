/** What packet-client prints. Pure. */
export type Load = {
  /** Rounds, or bytes of a stream. */
  readonly total: number;
  readonly seconds: number;
  readonly cpuSeconds: number;
  /** Microseconds of a round. */
  readonly median: number;
  readonly p99: number;
};

export const parseLoad = (text: string): Load => {
  const [total, seconds, cpuSeconds, median, p99, ...more] = text.trim().split(' ').map(Number);
  const said = [total, seconds, cpuSeconds, median, p99];
  if (more.length > 0 || !said.every((value) => Number.isFinite(value))) throw new Error(`packet-client said ${JSON.stringify(text)}`);
  return { total: total ?? 0, seconds: seconds ?? 0, cpuSeconds: cpuSeconds ?? 0, median: median ?? 0, p99: p99 ?? 0 };
};
