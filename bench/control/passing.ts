/** What the program `passage` prints. */

/** From this moment, in milliseconds, datagrams got through, or did not. */
export type Passing = { readonly at: number; readonly open: boolean };

export const passingOf = (line: string): Passing => {
  const [, nanoseconds, open] = /^(\d+) ([01])$/.exec(line) ?? [];
  if (nanoseconds === undefined) throw new Error(`passage printed: ${line}`);
  return { at: Number(nanoseconds) / 1e6, open: open === '1' };
};

/** When it first became so after `since`; null: it did not yet. */
export const firstAfter = (seen: readonly Passing[], open: boolean, since: number): number | null => seen.find((each) => each.open === open && each.at >= since)?.at ?? null;
