/** Completion for fish. */
import { type CommandLine, type Switch, switchesEverywhere, switchesOf, type Value, type Verb } from './command-line.ts';

export function fishCompletion(line: CommandLine): string {
  const { name, verbs, switches } = line;
  const everywhere = switchesEverywhere(line);
  const first = switches.filter((one) => !everywhere.includes(one));
  return `# fish completion of ${name}, made by: ${name} completion fish
function __${name}_at --description 'whether that command was given, and so many arguments behind it'
  set -l command ''
  set -l position 0
  set -l value no
  for word in (commandline -opc)[2..-1]
    if test $value = yes
      set value no
      continue
    end
    switch $word
      case '-*'
        if contains -- $word ${flagsWithValue(everywhere).join(' ')}
          or contains -- "$command $word" ${verbs.flatMap((verb) => flagsWithValue(switchesOf(verb, line)).map((flag) => quoted(`${verb.name} ${flag}`))).join(' ')}
          set value yes
        end
      case '*'
        if test -z "$command"
          set command $word
        else
          set position (math $position + 1)
        end
    end
  end
  test "$command" = "$argv[1]"
  and begin
    not set -q argv[2]
    or test $position = $argv[2]
  end
end

function __${name}_services
  set -l words (commandline -opc)
  $words[1] __complete services -- $words[2..-1] 2>/dev/null
end

complete -c ${name} -f
${[
  ...everywhere.map((one) => option(`complete -c ${name}`, name, one)),
  ...first.map((one) => option(`complete -c ${name} ${at(name, '')}`, name, one)),
  ...verbs.map((verb) => `complete -c ${name} ${at(name, '')} -a ${quoted(verb.name)} -d ${quoted(verb.description)}`),
  ...verbs.flatMap((verb) => [...switchesOf(verb, line).map((one) => option(`complete -c ${name} ${at(name, verb.name)}`, name, one)), ...values(name, verb)]),
].join('\n')}
`;
}

function at(program: string, verb: string, position = ''): string {
  return `-n '__${program}_at "${verb}"${position}'`;
}

function flagsWithValue(switches: readonly Switch[]): string[] {
  return switches.flatMap(({ flags, value }) => (value === null ? [] : flags));
}

function option(complete: string, program: string, { flags, value, description }: Switch): string {
  const names = flags.map((flag) => (flag.startsWith('--') ? `-l ${flag.slice(2)}` : `-s ${flag.slice(1)}`));
  return [complete, ...names, ...(value === null ? [] : [value.kind === 'path' ? '-r' : '-x', offer(program, value)]), `-d ${quoted(description)}`].filter((part) => part !== '').join(' ');
}

function values(program: string, { name, values }: Verb): string[] {
  return values.flatMap((value, index) => {
    const offered = offer(program, value);
    return offered === '' ? [] : [`complete -c ${program} ${at(program, name, value.variadic ? '' : ` ${index}`)} ${offered}`];
  });
}

function offer(program: string, { kind, choices }: Value): string {
  if (choices.length > 0) return `-a ${quoted(choices.join(' '))}`;
  return { service: `-a '(__${program}_services)'`, path: '-F', text: '' }[kind];
}

function quoted(text: string): string {
  return `'${text.replaceAll(/['\\]/g, String.raw`\$&`)}'`;
}
