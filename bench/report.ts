/** Recordings to documentation: docs/BENCHMARKS.md between its marks, and the drawings in docs/benchmarks. */
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { recordingOf } from './recording.ts';
import { type Report, reportOf } from './report-text.ts';

const pathOf = (path: string): string => fileURLToPath(new URL(`../${path}`, import.meta.url));
const page = pathOf('docs/BENCHMARKS.md');
const drawings = pathOf('docs/benchmarks');
const results = pathOf('bench/results');

const namesIn = (folder: string, ending: string): string[] => (existsSync(folder) ? readdirSync(folder).filter((name) => name.endsWith(ending)).sort() : []);

/** What is there now. */
export const standing = (): Report => ({
  page: readFileSync(page, 'utf8'),
  drawings: new Map(namesIn(drawings, '.svg').map((name) => [name, readFileSync(`${drawings}/${name}`, 'utf8')])),
});

/** What the recordings say should be there. */
export const due = (): Report => {
  const names = namesIn(results, '.json').map((name) => name.slice(0, -'.json'.length));
  return reportOf(standing().page, new Map(names.map((name) => [name, recordingOf(name, readFileSync(`${results}/${name}.json`, 'utf8'))])));
};

export const writeReport = (): void => {
  const report = due();
  writeFileSync(page, report.page);
  rmSync(drawings, { recursive: true, force: true });
  mkdirSync(drawings, { recursive: true });
  for (const [name, text] of report.drawings) writeFileSync(`${drawings}/${name}`, text);
};
