/** Load generators are compiled when they are needed. */
import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** Where the program of bench/NAME.c is. */
export const compiled = (directory: string, name: string): string => {
  const program = join(directory, name);
  execFileSync('/usr/bin/gcc', ['-O2', '-o', program, fileURLToPath(new URL(`${name}.c`, import.meta.url))]);
  return program;
};
