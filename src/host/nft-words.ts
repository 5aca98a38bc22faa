/** In which words this nft prints a table: it is asked, with a table that nobody else can change. */
import { randomBytes } from 'node:crypto';
import { askInteractive, writeScript } from './nft-child.ts';

/**
 * `text` writes the table under a given name, without elements. It is in the kernel for the moment of the question, and judges nobody, as its maps are empty.
 * Null: nft does not take it. Throws HostError where the script cannot be written.
 */
export async function printed(nft: string, scriptFile: string, prefix: string, text: (table: string) => string): Promise<string | null> {
  // of a name that nobody knows beforehand, or it might be somebody else's
  const table = `${prefix}_${randomBytes(6).toString('hex')}`;
  // owned, it goes with the process that asks; Linux before 5.12 does not know owners
  for (const flags of ['\tflags owner\n', '']) {
    writeScript(scriptFile, text(table).replace('\n', `\n${flags}`));
    const { stdout } = await askInteractive(nft, [`include "${scriptFile}"`, `list table inet ${table}`, `delete table inet ${table}`]);
    const start = `\n${stdout}\n`.indexOf(`\ntable inet ${table} {`);
    const end = `${stdout}\n`.indexOf('\n}\n', start);
    if (start >= 0 && end >= 0) return `${stdout}\n`.slice(start, end + 3);
  }
  return null;
}
