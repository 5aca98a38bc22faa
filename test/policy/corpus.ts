/** The corpus: policy files whose first lines say, as comments, what is to become of them. */
import { readdirSync, readFileSync } from 'node:fs';

const folder = new URL('../corpus/', import.meta.url);

export type CorpusFile = { readonly name: string; readonly bytes: Uint8Array; readonly header: readonly string[] };

/** Files of a folder of the corpus, in name order. `header`: its first comment lines, without the `#`. */
export function corpusFiles(kind: 'bad' | 'good'): CorpusFile[] {
  const names = readdirSync(new URL(kind, folder)).sort();
  return names.map((name) => {
    const bytes = readFileSync(new URL(`${kind}/${name}`, folder));
    const lines = bytes.toString('utf8').replace(/^\ufeff/, '').split(/\r?\n/);
    const end = lines.findIndex((line) => !/^#( |$)/.test(line));
    return { name, bytes, header: lines.slice(0, end < 0 ? lines.length : end).map((line) => line.slice(2)) };
  });
}

export type ExpectedProblem = {
  readonly line: number;
  readonly column: number;
  readonly severity: string;
  readonly message: string;
  readonly hint: string | null;
};

/** `expect LINE:COLUMN SEVERITY: part of the message`, and `  hint: part of it` below. */
export function expectedProblems({ name, header }: CorpusFile): ExpectedProblem[] {
  const expected: ExpectedProblem[] = [];
  for (const line of header) {
    const [, row, column, severity, message] = /^expect (\d+):(\d+) (error|warning): (.+)$/.exec(line) ?? [];
    const [, hint] = /^ {2}hint: (.+)$/.exec(line) ?? [];
    const last = expected.at(-1);
    if (message !== undefined && severity !== undefined) expected.push({ line: Number(row), column: Number(column), severity, message, hint: null });
    else if (hint !== undefined && last !== undefined) expected.splice(-1, 1, { ...last, hint });
    else throw new Error(`${name}: cannot read the expectation ${JSON.stringify(line)}`);
  }
  return expected;
}
