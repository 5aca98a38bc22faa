/** The registry of metrics. It is told what happens; what is so is read when somebody asks, and not more often than once a second. */
import { Counter, Gauge, Histogram, Registry } from 'prom-client';
import type { Forwarder } from '../host/forward.ts';
import { DRIFT_KINDS, type Drift, type DriftChange } from './drift.ts';
import { FAMILIES, type Family, type Snapshot } from './metric-families.ts';
import type { Run } from './reconciler.ts';

/** Of what `text` gives: version 0.0.4 of the exposition format. */
export const METRICS_TYPE = Registry.PROMETHEUS_CONTENT_TYPE;

/** Whoever asks within this time gets what the one before got. */
const FRESH_MILLISECONDS = 1000;
/** An answer from memory takes some tens of microseconds, one from a distant server that has to be asked three times seconds. */
const DNS_BUCKETS = [0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];
/** An element takes a fraction of a millisecond, a first load of 40,000 a second. */
const APPLY_BUCKETS = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30];
const LAG_BUCKETS = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];
const UPSTREAM_OUTCOMES = ['answered', 'error', 'none'] as const;

type Take = (snapshot: Snapshot) => void;
type Reply = Buffer | null;

function registered({ name, type, help, labels, samples }: Family, registry: Registry): Take {
  const options = { name, help, labelNames: labels, registers: [registry] };
  const metric = type === 'gauge' ? new Gauge(options) : new Counter(options);
  return (snapshot) => {
    metric.reset();
    for (const [values, value] of samples(snapshot)) metric.inc(Object.fromEntries(labels.map((label, index) => [label, values[index] ?? ''])), value);
  };
}

export class Metrics {
  readonly #registry = new Registry();
  readonly #takes = FAMILIES.map((family) => registered(family, this.#registry));
  readonly #snapshot: () => Promise<Snapshot>;
  #last: { readonly text: Promise<string>; readonly until: number } | null = null;

  readonly #runs = this.#counter('netwall_reconciler_runs_total', 'Runs of the reconciler; one that had several causes counts for each.', ['cause']);
  readonly #failures = this.#counter('netwall_reconciler_failures_total', 'Runs that could not enforce.', []);
  readonly #enforced = new Gauge({ name: 'netwall_last_enforced_timestamp_seconds', help: 'When a run last ended well, since the epoch.', registers: [this.#registry] });
  readonly #runSeconds = this.#histogram('netwall_reconciler_run_duration_seconds', 'How long runs took, from the first look to the last transaction.', [], APPLY_BUCKETS);
  readonly #transactionSeconds = this.#histogram('netwall_transaction_duration_seconds', 'How long nft took for a transaction.', ['result'], APPLY_BUCKETS);
  readonly #opened = this.#counter('netwall_drift_opened_total', 'Drifts that were found.', ['kind']);
  readonly #repaired = this.#counter('netwall_drift_repaired_total', 'Drifts that were repaired, or went away.', ['kind']);
  readonly #repairSeconds = this.#histogram('netwall_drift_repair_duration_seconds', 'How long what netwalld repaired by itself had been open.', [], APPLY_BUCKETS);
  readonly #answerSeconds = this.#histogram('netwall_dns_answer_duration_seconds', 'How long services waited for filtered DNS: at_once, or waited for name servers or the kernel.', ['path'], DNS_BUCKETS);
  readonly #upstream = this.#counter('netwall_dns_upstream_queries_total', 'Questions to the name servers: answered (also that there is no such name), an error code, or none.', ['outcome']);
  readonly #upstreamSeconds = this.#histogram('netwall_dns_upstream_duration_seconds', 'How long the name servers took, with further tries.', [], DNS_BUCKETS);
  readonly #lagSeconds = this.#histogram('netwall_event_loop_lag_seconds', 'How late the daemon got to what was due, looked at every second.', [], LAG_BUCKETS);

  constructor(snapshot: () => Promise<Snapshot>) {
    this.#snapshot = snapshot;
    // a series that begins with its first event would hide it from rate()
    for (const kind of DRIFT_KINDS) for (const counter of [this.#opened, this.#repaired]) counter.inc({ kind }, 0);
    for (const outcome of UPSTREAM_OUTCOMES) this.#upstream.inc({ outcome }, 0);
    for (const result of ['applied', 'failed']) this.#transactionSeconds.zero({ result });
    for (const path of ['at_once', 'waited']) this.#answerSeconds.zero({ path });
  }

  #counter<Label extends string>(name: string, help: string, labelNames: readonly Label[]): Counter<Label> {
    return new Counter({ name, help, labelNames, registers: [this.#registry] });
  }

  #histogram<Label extends string>(name: string, help: string, labelNames: readonly Label[], buckets: number[]): Histogram<Label> {
    return new Histogram({ name, help, labelNames, buckets, registers: [this.#registry] });
  }

  ran({ causes, milliseconds, failed }: Run): void {
    for (const cause of causes) this.#runs.inc({ cause });
    this.#runSeconds.observe(milliseconds / 1000);
    if (failed) this.#failures.inc();
    else this.#enforced.setToCurrentTime();
  }

  applied(milliseconds: number, failed: boolean): void {
    this.#transactionSeconds.observe({ result: failed ? 'failed' : 'applied' }, milliseconds / 1000);
  }

  drifted(change: DriftChange, { kind, openMilliseconds }: Drift): void {
    if (change !== 'closed') this.#opened.inc({ kind });
    if (change !== 'opened') this.#repaired.inc({ kind });
    if (change === 'repaired') this.#repairSeconds.observe((openMilliseconds ?? 0) / 1000);
  }

  /** Passes on what `answer` gives, with its time. */
  answering(answer: () => Reply | Promise<Reply>): Reply | Promise<Reply> {
    const started = performance.now();
    const done = (path: string, reply: Reply) => {
      this.#answerSeconds.observe({ path }, (performance.now() - started) / 1000);
      return reply;
    };
    const reply = answer();
    return reply instanceof Promise ? reply.then((later) => done('waited', later)) : done('at_once', reply);
  }

  /** The same forwarder, watched. */
  asking(forwarder: Forwarder): Forwarder {
    return {
      ask: async (question) => {
        const started = performance.now();
        const outcome = await forwarder.ask(question);
        this.#upstreamSeconds.observe((performance.now() - started) / 1000);
        this.#upstream.inc({ outcome: outcome.kind === 'reply' ? 'answered' : outcome.bytes === null ? 'none' : 'error' });
        return outcome;
      },
      close: () => forwarder.close(),
    };
  }

  late(milliseconds: number): void {
    this.#lagSeconds.observe(Math.max(0, milliseconds) / 1000);
  }

  /** Everything, in Prometheus' format. */
  text(): Promise<string> {
    const last = this.#last;
    if (last !== null && performance.now() < last.until) return last.text;
    const text = this.#render();
    // while it is being put together nobody begins another
    this.#last = { text, until: Number.POSITIVE_INFINITY };
    const over = () => {
      this.#last = { text, until: performance.now() + FRESH_MILLISECONDS };
    };
    text.then(over, () => (this.#last = null));
    return text;
  }

  async #render(): Promise<string> {
    const snapshot = await this.#snapshot();
    for (const take of this.#takes) take(snapshot);
    return this.#registry.metrics();
  }
}
