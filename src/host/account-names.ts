/**
 * What the names of users, or of groups, stand for, as last known. NSS says "not found" of what does not exist, and also of what a
 * directory service that does not answer may have. So a name that had an id keeps it until its absence is certain: nothing opens
 * because a service is restarted.
 */
import { z } from 'zod';
import type { PrincipalKind } from '../policy/policy.ts';
import { messageOf } from './host-error.ts';

/** Names asked for in one call, well under ARG_MAX. */
const BATCH = 500;
/** As many processes at once. */
const MOST_ALONE = 16;
/** systemd's dynamic users (systemd.exec(5)). */
const DYNAMIC = { first: 61_184, last: 65_519 };

/** Where an id was last seen: `files`: in /etc, under its name. `shared`: there, under another name only. `elsewhere`: not there. */
export const accountOrigin = z.enum(['files', 'shared', 'elsewhere']);
export type AccountOrigin = z.infer<typeof accountOrigin>;

export type SeenAccount = { readonly id: number; readonly origin: AccountOrigin };

/** Whom to ask. Lines are those of passwd(5) and group(5). */
export type AccountSources = {
  /** Of all sources, for names or numbers; what is not found is left out. Throws where that cannot be told. */
  readonly entries: (kind: PrincipalKind, keys: readonly string[]) => Promise<readonly string[]>;
  /** Of the file in /etc; null where it cannot be read. */
  readonly local: (kind: PrincipalKind) => Promise<readonly string[] | null>;
};

export class AccountNames {
  readonly #kind: PrincipalKind;
  readonly #sources: AccountSources;
  /** By an earlier run; what counts until a name was asked for. */
  readonly #before: Map<string, SeenAccount>;
  readonly #known = new Map<string, SeenAccount | null>();
  /** Not found, and not certainly gone. */
  readonly #doubtful = new Set<string>();
  /** Asked for when NSS failed, and not told of since. */
  readonly #unanswered = new Set<string>();
  /** How it failed the last time. */
  #failure = '';

  constructor(kind: PrincipalKind, sources: AccountSources, before: ReadonlyMap<string, SeenAccount>) {
    this.#kind = kind;
    this.#sources = sources;
    this.#before = new Map(before);
  }

  /** Null: no such account, or never seen. */
  seen(name: string): SeenAccount | null {
    return (this.#known.has(name) ? this.#known.get(name) : this.#before.get(name)) ?? null;
  }

  /** All that have an id. */
  get all(): ReadonlyMap<string, SeenAccount> {
    return new Map([...this.#before.keys(), ...this.#known.keys()].flatMap((name) => {
      const seen = this.seen(name);
      return seen === null ? [] : [[name, seen]];
    }));
  }

  /** True: some name was not found, or NSS failed to tell of it. */
  get missing(): boolean {
    return this.#unanswered.size > 0 || this.#doubtful.size > 0 || [...this.#known.values()].includes(null);
  }

  /** Names that count as last known, with their ids, for a message. */
  get doubts(): readonly string[] {
    const number = this.#kind === 'user' ? 'uid' : 'gid';
    return [...this.#doubtful].flatMap((name) => {
      const seen = this.seen(name);
      // a dynamic user's name goes when its unit stops, which is no fault
      return seen === null || (seen.id >= DYNAMIC.first && seen.id <= DYNAMIC.last) ? [] : [`${this.#kind} ${name} (${number} ${seen.id})`];
    });
  }

  /** Why NSS did not tell of some name; null: it told of all. */
  get error(): string | null {
    return this.#unanswered.size === 0 ? null : this.#failure;
  }

  /** Names without an id of which nobody knows whether there is one, for a message. */
  get untold(): readonly string[] {
    return [...this.#unanswered].filter((name) => !this.#known.has(name) && !this.#before.has(name)).map((name) => `${this.#kind} ${name}`);
  }

  /** Whether NSS tells by now of those that it failed to tell of. What it says is not kept: `refresh` asks again. */
  async answers(): Promise<boolean> {
    const names = [...this.#unanswered];
    try {
      for (const batch of batches(names)) await this.#sources.entries(this.#kind, batch);
      return names.length > 0;
    } catch {
      return false;
    }
  }

  /**
   * Looks up those never asked for, or, with `again`, all; other names are forgotten. Resolves to whether any answer changed.
   * Where NSS fails (`error`), what was known stays, and the file in /etc tells of those that it has.
   */
  async refresh(wanted: ReadonlySet<string>, again: boolean): Promise<boolean> {
    for (const names of [this.#known, this.#before, this.#doubtful, this.#unanswered]) for (const name of names.keys()) if (!wanted.has(name)) names.delete(name);
    // a directory that hangs is not waited for at every run
    const asked = [...wanted].filter((name) => again || !(this.#known.has(name) || this.#unanswered.has(name)));
    if (asked.length === 0) return false;
    // before the others are asked: what changes in between, the next look sees
    const lines = await this.#sources.local(this.#kind);
    const file = lines === null ? null : new LocalFile(lines);
    const idOf = (name: string) => this.#known.get(name)?.id ?? null;
    const before = new Map(asked.map((name) => [name, idOf(name)]));
    const told = await this.#ask(asked, file);
    for (const name of asked) {
      if (told.has(name)) this.#unanswered.delete(name);
      else {
        this.#readFrom(file, name);
        this.#unanswered.add(name);
      }
    }
    return asked.some((name) => idOf(name) !== before.get(name));
  }

  /** Asks NSS, and keeps what it says; of these names it told. */
  async #ask(names: readonly string[], file: LocalFile | null): Promise<ReadonlySet<string>> {
    // what hangs takes with it what is asked for together with it: those of which NSS failed to tell before, each by itself
    const [doubted, others] = [names.filter((name) => this.#unanswered.has(name)), names.filter((name) => !this.#unanswered.has(name))];
    const alone = doubted.length <= MOST_ALONE ? doubted.map((name) => [[name]]) : [[...batches(doubted)]];
    const told = new Set<string>();
    const attempts = [[...batches(others)], ...alone].map(async (group) => {
      for (const batch of group) await this.#askFor(batch, file, told);
    });
    for (const attempt of await Promise.allSettled(attempts)) if (attempt.status === 'rejected') this.#failure = messageOf(attempt.reason);
    return told;
  }

  /** Throws where NSS does not tell, of all or of those that it did not find. Adds to `told`. */
  async #askFor(batch: readonly string[], file: LocalFile | null, told: Set<string>): Promise<void> {
    const found = idsOf(await this.#sources.entries(this.#kind, batch));
    for (const name of batch) {
      const id = found.get(name);
      if (id === undefined) continue;
      this.#record(name, { id, origin: file?.originOf(name, id) ?? this.seen(name)?.origin ?? 'elsewhere' });
      this.#doubtful.delete(name);
      told.add(name);
    }
    const absent = batch.filter((name) => !found.has(name));
    const gone = await this.#gone(absent, file);
    for (const name of absent) {
      const now = gone.has(name) ? null : this.seen(name);
      this.#record(name, now);
      if (now === null) this.#doubtful.delete(name);
      else this.#doubtful.add(name);
      told.add(name);
    }
  }

  /** Of a name that NSS did not tell of. */
  #readFrom(file: LocalFile | null, name: string): void {
    const id = file?.idOf(name);
    const origin = this.seen(name)?.origin ?? 'files';
    // an id that NSS had from elsewhere is not given up for that of a file which it may not ask first
    if (id !== undefined && origin === 'files') this.#record(name, { id, origin });
  }

  #record(name: string, now: SeenAccount | null): void {
    this.#known.set(name, now);
    this.#before.delete(name);
  }

  /** Of names that are not found: those that certainly do not exist any more. */
  async #gone(names: readonly string[], file: LocalFile | null): Promise<ReadonlySet<string>> {
    const gone = new Set<string>();
    const elsewhere = new Map<string, number>();
    for (const name of names) {
      const seen = this.seen(name);
      if (seen?.origin === 'files' && file !== null && file.idOf(name) === undefined) gone.add(name);
      // an id that had another name all along proves nothing by it
      if (seen?.origin === 'elsewhere') elsewhere.set(name, seen.id);
    }
    if (elsewhere.size === 0) return gone;
    const owners = namesOf(await this.#sources.entries(this.#kind, [...new Set(elsewhere.values())].map(String)));
    for (const [name, id] of elsewhere) {
      const owner = owners.get(id);
      if (owner !== undefined && !owner.has(name)) gone.add(name);
    }
    return gone;
  }
}

class LocalFile {
  readonly #ids: ReadonlyMap<string, number>;
  readonly #names: ReadonlyMap<number, ReadonlySet<string>>;

  constructor(lines: readonly string[]) {
    this.#ids = idsOf(lines);
    this.#names = namesOf(lines);
  }

  idOf(name: string): number | undefined {
    return this.#ids.get(name);
  }

  originOf(name: string, id: number): AccountOrigin {
    const names = this.#names.get(id);
    if (names === undefined) return 'elsewhere';
    return names.has(name) ? 'files' : 'shared';
  }
}

function* batches(names: readonly string[]): Generator<readonly string[]> {
  for (let start = 0; start < names.length; start += BATCH) yield names.slice(start, start + BATCH);
}

function parse(lines: readonly string[]): readonly { readonly name: string; readonly id: number }[] {
  return lines.flatMap((line) => {
    const [name, , id] = line.split(':');
    return name !== undefined && id !== undefined && /^\d+$/.test(id) ? [{ name, id: Number(id) }] : [];
  });
}

/** Ids by name, of lines of an account database. */
export const idsOf = (lines: readonly string[]): ReadonlyMap<string, number> => new Map(parse(lines).map(({ name, id }) => [name, id]));

function namesOf(lines: readonly string[]): ReadonlyMap<number, ReadonlySet<string>> {
  const names = new Map<number, Set<string>>();
  for (const { name, id } of parse(lines)) names.set(id, (names.get(id) ?? new Set()).add(name));
  return names;
}
