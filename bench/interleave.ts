/** Contestants take turns, so that what else the machine does meanwhile falls on all alike. */
import type { Series } from './outcome.ts';

/** In every second round the order is turned round: nobody always comes after the same one. */
export const interleaved = async <Contestant extends { readonly name: string }>(
  contestants: readonly Contestant[],
  rounds: number,
  measure: (contestant: Contestant, round: number) => Promise<number>,
): Promise<Series[]> => {
  const samples = new Map<string, number[]>(contestants.map(({ name }) => [name, []]));
  for (let round = 0; round < rounds; round += 1) {
    for (const contestant of round % 2 === 0 ? contestants : contestants.toReversed()) samples.get(contestant.name)?.push(await measure(contestant, round));
  }
  return [...samples].map(([name, values]) => ({ name, samples: values }));
};
