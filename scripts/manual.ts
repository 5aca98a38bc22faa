/**
 * The manual pages: prose from docs/man, and lists of commands, options and keys from the programs and schemas themselves. Prose below
 * a term of such a list takes the place of the short description; a term that is no command, option or key is a mistake.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { type CommandLine, commandLineOf, type Switch, switchesOf, type Value, type Verb } from '../src/cli/command-line.ts';
import { program as netwallctl } from '../src/cli/program.ts';
import { configJsonSchema } from '../src/config/json-schema.ts';
import { VERSION } from '../src/control/api.ts';
import { program as netwalld } from '../src/daemon/program.ts';
import type { JsonSchema } from '../src/policy/json-schema.ts';
import { manOf, type Page, readPage } from './man-page.ts';

const folder = new URL('../docs/man/', import.meta.url);

/** Names and texts of the pages, as man(1) reads them. */
export function manualPages(): { readonly name: string; readonly text: string }[] {
  return readdirSync(folder)
    .filter((file) => file.endsWith('.scd'))
    .map((file) => {
      const page = filled(readPage(readFileSync(new URL(file, folder), 'utf8')));
      return { name: `${page.name}.${page.section}`, text: manOf(page, `netwalld ${VERSION}`) };
    });
}

/** An entry of a list; `body` is what is said of it when the page does not say more. */
type Entry = { readonly key: string; readonly term: string; readonly body: readonly string[]; readonly more: readonly string[] };

/** Which sections of which pages are lists, and of what. */
const LISTS: ReadonlyMap<string, () => readonly Entry[]> = new Map([
  ['netwalld OPTIONS', () => optionEntries(commandLineOf(netwalld).switches)],
  ['netwallctl OPTIONS', () => optionEntries(commandLineOf(netwallctl).switches)],
  ['netwallctl COMMANDS', () => commandEntries(commandLineOf(netwallctl))],
  ['netwalld.yaml KEYS', () => keyEntries(configJsonSchema())],
]);

/** A page with its lists. */
export function filled(page: Page): Page {
  const sections = page.sections.map((section) => {
    const entries = LISTS.get(`${page.name} ${section.title}`)?.();
    return entries === undefined ? section : { ...section, lines: listed(entries, proseIn(section.lines), `${page.name}: ${section.title}`) };
  });
  return { ...page, sections };
}

function listed(entries: readonly Entry[], prose: ReadonlyMap<string, readonly string[]>, place: string): string[] {
  const strange = [...prose.keys()].find((key) => !entries.some((entry) => entry.key === key));
  if (strange !== undefined) throw new Error(`${place} tells of "${strange}", which is not there`);
  return entries.flatMap(({ key, term, body, more }) => [term, ...[...(prose.get(key) ?? body), ...more].map((line) => (line === '' ? '' : `\t${line}`)), '']);
}

/** What a section says already, by the first bold word of its terms. Several terms of one key are one. */
function proseIn(lines: readonly string[]): ReadonlyMap<string, readonly string[]> {
  const prose = new Map<string, string[]>();
  let key = '';
  for (const line of lines) {
    if (line.startsWith('\t')) prose.get(key)?.push(line.slice(1));
    else if (line === '') prose.get(key)?.push('');
    else {
      key = /^\*([^*]+)\*/.exec(line)?.[1] ?? line;
      if (!prose.has(key)) prose.set(key, []);
    }
  }
  // without the empty lines before the next term
  return new Map([...prose].map(([key, lines]) => [key, lines.slice(0, lines.findLastIndex((line) => line !== '') + 1)]));
}

function commandEntries(line: CommandLine): Entry[] {
  return line.verbs.map((verb) => {
    const switches = switchesOf(verb, line);
    return { key: verb.name, term: usage(verb, switches), body: [sentence(verb.description)], more: ['', ...listed(optionEntries(switches), new Map(), verb.name)].slice(0, -1) };
  });
}

/** `*try* [*--timeout* _DURATION_] [_PATHS_ …]` */
function usage({ name, values }: Verb, switches: readonly Switch[]): string {
  const options = switches.map(({ flags, value, mandatory }) => {
    const option = [bold(flags.at(-1) ?? ''), ...(value === null ? [] : [placeholder(value)])].join(' ');
    return mandatory ? option : `[${option}]`;
  });
  return [bold(name), ...options, ...values.map(valueUsage)].join(' ');
}

function valueUsage(value: Value): string {
  const text = value.choices.length > 0 && value.choices.length < 5 ? value.choices.map(bold).join('|') : placeholder(value);
  const repeated = value.variadic ? `${text} ...` : text;
  return value.required ? repeated : `[${repeated}]`;
}

function optionEntries(switches: readonly Switch[]): Entry[] {
  return switches.map(({ flags, value, description, byDefault }) => ({
    key: flags.at(-1) ?? '',
    term: `${flags.map(bold).join(', ')}${value === null ? '' : ` ${placeholder(value)}`}`,
    body: [sentence(description), ...choicesOf(value?.choices ?? []), ...defaultOf(byDefault)],
    more: [],
  }));
}

/** Of sections of the configuration their keys, with their names in full. */
function keyEntries({ properties = {} }: JsonSchema, prefix = ''): Entry[] {
  return Object.entries(properties).flatMap(([key, part]) => {
    if (typeof part !== 'object') return [];
    if (part.properties !== undefined) return keyEntries(part, `${prefix}${key}.`);
    const name = prefix + key;
    const { default: byDefault, enum: choices = [], description = '', examples = [] } = part;
    const [example] = examples.filter((one) => one !== byDefault).map(written);
    const body = [plain(description), ...(example === undefined ? [] : [`For example ${underlined(example)}.`]), ...choicesOf(choices.map(String)), ...defaultOf(written(byDefault))];
    return [{ key: name, term: bold(name), body, more: [] }];
  });
}

/** As YAML has it. */
export function written(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(written).join(', ')}]`;
  return typeof value === 'string' && /^0x|[:#]/.test(value) ? `"${value}"` : String(value);
}

const choicesOf = (choices: readonly string[]) => (choices.length === 0 ? [] : [`One of ${choices.map(underlined).join(', ')}.`]);
const defaultOf = (value: string | null) => (value === null ? [] : [`Default: ${underlined(value)}.`]);
const placeholder = ({ name }: Value) => underlined(name.toUpperCase());
const bold = (text: string) => `*${plain(text)}*`;
const underlined = (text: string) => `_${plain(text)}_`;

function sentence(text: string): string {
  const marked = plain(text.slice(0, 1).toUpperCase() + text.slice(1));
  return /[.!?]$/.test(marked) ? marked : `${marked}.`;
}

/** Marks are themselves. */
function plain(text: string): string {
  return text.replaceAll(/[\\*_]/g, String.raw`\$&`);
}
