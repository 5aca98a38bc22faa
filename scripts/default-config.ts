/** The configuration as it is installed: every key with what it means and its default, commented out but for what is set. From the schema. */
import { configJsonSchema } from '../src/config/json-schema.ts';
import type { JsonSchema } from '../src/policy/json-schema.ts';
import { written } from './manual.ts';

const WIDTH = 110;

/** The journal is read by people. */
export const INSTALLED = { 'log.format': 'pretty' } as const;

/** What is commented out is a setting if no single space follows the mark, and prose if one does. */
export function defaultConfigText(): string {
  const head = ['# The configuration of netwalld, see netwalld.yaml(5). Every key is optional; what is commented out here is the default.', '# Remove the "#" and nothing else; a key below another needs the other one, too. Then: netwalld --check && systemctl restart netwalld'];
  return `${[...head, ...keys(configJsonSchema(), '', '')].join('\n')}\n`;
}

function keys({ properties = {} }: JsonSchema, path: string, indent: string): string[] {
  const set = new Map<string, string>(Object.entries(INSTALLED));
  return Object.entries(properties).flatMap(([key, part]) => {
    if (typeof part !== 'object') return [];
    const gap = indent === '' ? [''] : [];
    const prose = lines(part.description ?? '', indent);
    const inside = `${path}${key}.`;
    if (part.properties !== undefined) {
      const mark = [...set.keys()].some((one) => one.startsWith(inside)) ? '' : '#';
      return [...gap, ...prose, `${mark}${indent}${key}:`, ...keys(part, inside, `${indent}  `)];
    }
    const own = set.get(`${path}${key}`);
    return [...gap, ...prose, own === undefined ? `#${indent}${key}: ${written(part.default)}` : `${indent}${key}: ${own} # default: ${written(part.default)}`];
  });
}

function lines(text: string, indent: string): string[] {
  const words = text.split(' ');
  const filled: string[] = [];
  for (const word of words) {
    const last = filled.at(-1);
    if (last !== undefined && last.length + word.length < WIDTH) filled[filled.length - 1] = `${last} ${word}`;
    else filled.push(word);
  }
  return filled.map((line) => (indent === '' ? `# ${line}` : `#${indent}# ${line}`));
}
