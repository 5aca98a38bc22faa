/** What the load generators say of a run. Throws where questions were lost or not answered well: then it measured something else. */

export type Latencies = { readonly median: number; readonly p99: number; /** Answers per second. */ readonly rate: number };

/** `median p99 seconds missing bad`, as dns-client prints them; microseconds. */
export const readClient = (output: string, count: number): Latencies => {
  const [median = Number.NaN, p99 = Number.NaN, seconds = Number.NaN, missing = Number.NaN, bad = Number.NaN] = output.trim().split(' ').map(Number);
  if (missing !== 0 || bad !== 0) throw new Error(`Of ${count} questions ${missing} were not answered and ${bad} not well: ${output}`);
  return { median, p99, rate: count / seconds };
};

/** Questions per second. */
export const readDnsperf = (output: string): number => {
  const lost = /Queries lost:\s+(\d+)/.exec(output)?.[1];
  if (lost !== '0' || !/Response codes:\s+NOERROR \d+ \(100\.00%\)/.test(output)) throw new Error(`dnsperf: ${output}`);
  return Number(/Queries per second:\s+([\d.]+)/.exec(output)?.[1]);
};
