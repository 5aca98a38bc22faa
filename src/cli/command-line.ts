/** What may stand on a command line, as plain data from the commander program: completion and manual pages are made from it. */
import type { Command, Option } from 'commander';

/** What an argument, or the value of an option, may be: one of `choices`, if there are any. */
export type Value = {
  readonly name: string;
  readonly kind: 'service' | 'path' | 'text';
  readonly choices: readonly string[];
  readonly required: boolean;
  readonly variadic: boolean;
  readonly description: string;
};

export type Switch = {
  /** `-f`, `--follow`: the short one first. */
  readonly flags: readonly string[];
  /** It cannot be left out. */
  readonly mandatory: boolean;
  readonly value: Value | null;
  readonly description: string;
  /** As text; null: none, or false. */
  readonly byDefault: string | null;
};

export type Verb = { readonly name: string; readonly description: string; readonly switches: readonly Switch[]; readonly values: readonly Value[] };

/** `name` is the program's. What is hidden is left out. */
export type CommandLine = Verb & { readonly verbs: readonly Verb[] };

/** Arguments are called by what they are. */
const KINDS: ReadonlyMap<string, Value['kind']> = new Map([
  ...['service', 'services', 'who'].map((name) => [name, 'service'] as const),
  ...['path', 'paths', 'file', 'files', 'directory'].map((name) => [name, 'path'] as const),
]);

export function commandLineOf(program: Command): CommandLine {
  const help = program.createHelp();
  const verbs = help.visibleCommands(program);
  const names = verbs.map((verb) => verb.name());
  return {
    ...verbOf(program),
    verbs: verbs.map((command) => {
      const verb = verbOf(command);
      return verb.name === 'help' ? { ...verb, values: verb.values.map((value) => ({ ...value, choices: names })) } : verb;
    }),
  };
}

function verbOf(command: Command): Verb {
  return {
    name: command.name(),
    description: command.description(),
    switches: command.createHelp().visibleOptions(command).map(switchOf),
    values: command.registeredArguments.map((argument) => ({
      name: argument.name(),
      kind: KINDS.get(argument.name()) ?? 'text',
      choices: argument.argChoices ?? [],
      required: argument.required,
      variadic: argument.variadic,
      description: argument.description,
    })),
  };
}

function switchOf({ short, long, flags, argChoices, mandatory, required, optional, variadic, description, defaultValue }: Option): Switch {
  const [, name] = /[<[]([^>\].]+)/.exec(flags) ?? [];
  const value = name === undefined || !(required || optional) ? null : { name, kind: KINDS.get(name) ?? 'text', choices: argChoices ?? [], required, variadic, description: '' };
  return {
    flags: [short, long].filter((flag) => flag !== undefined),
    mandatory,
    value,
    description,
    byDefault: typeof defaultValue === 'string' || typeof defaultValue === 'number' ? String(defaultValue) : null,
  };
}

const isOf = (flags: readonly string[], switches: readonly Switch[]) => switches.some((one) => one.flags.some((flag) => flags.includes(flag)));

/** What may stand before and behind every verb. */
export function switchesEverywhere({ switches }: CommandLine): readonly Switch[] {
  return switches.filter(({ flags }) => !flags.includes('--version'));
}

/** What belongs to one verb. */
export function switchesOf({ switches }: Verb, line: CommandLine): readonly Switch[] {
  return switches.filter(({ flags }) => !isOf(flags, line.switches));
}
