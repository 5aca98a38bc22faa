/** Completion for zsh: a file for `$fpath`, which may be sourced as well. */
import { type CommandLine, type Switch, switchesEverywhere, switchesOf, type Value, type Verb } from './command-line.ts';

export function zshCompletion(line: CommandLine): string {
  const { name, verbs, switches } = line;
  const everywhere = switchesEverywhere(line);
  return `#compdef ${name}
# zsh completion of ${name}, made by: ${name} completion zsh
_${name}() {
  local curcontext=$curcontext state line
  local -a all=("$words[@]") # _arguments takes words away
  local -a everywhere=(
${everywhere.map((one) => `    ${option(name, one)}`).join('\n')}
  )
  typeset -A opt_args
  _arguments -C $everywhere ${[...switches.filter((one) => !everywhere.includes(one)).map((one) => option(name, one)), "': :->command'", "'*:: :->arguments'"].join(' ')}
  case $state in
    command)
      local -a commands=(
${verbs.map((verb) => `        ${quoted(`${escaped(verb.name)}:${verb.description}`)}`).join('\n')}
      )
      _describe -t commands command commands
      ;;
    arguments)
      case $words[1] in
${verbs.map((verb) => `        ${verb.name}) _arguments ${['$everywhere', ...switchesOf(verb, line).map((one) => option(name, one)), ...values(name, verb)].join(' ')} ;;`).join('\n')}
      esac
      ;;
  esac
}

_${name}_services() {
  local -a services=(\${(f)"$($all[1] __complete services -- "\${(@)all[2,-1]}" 2>/dev/null)"})
  compadd -a services
}

# sourced, or called by its name from $fpath
if [ "$funcstack[1]" = "_${name}" ]; then _${name} "$@"; else compdef _${name} ${name}; fi
`;
}

function option(program: string, { flags, value, description }: Switch): string {
  const what = `[${escaped(description)}]${value === null ? '' : `:${escaped(value.name)}:${action(program, value)}`}`;
  const [first = ''] = flags;
  return flags.length === 1 ? quoted(`${first}${value === null || !first.startsWith('--') ? '' : '='}${what}`) : `'(${flags.join(' ')})'{${flags.map((flag) => (value !== null && flag.startsWith('--') ? `${flag}=` : flag)).join(',')}}${quoted(what)}`;
}

function values(program: string, { values }: Verb): string[] {
  return values.map((value, index) => quoted(`${value.variadic ? '*' : index + 1}:${escaped(value.name)}:${action(program, value)}`));
}

function action(program: string, { kind, choices }: Value): string {
  if (choices.length > 0) return `(${choices.join(' ')})`;
  return { service: `_${program}_services`, path: '_files', text: '' }[kind];
}

/** Of a specification: what would end a part of it. */
function escaped(text: string): string {
  return text.replaceAll(/[[\]:\\]/g, String.raw`\$&`);
}

function quoted(text: string): string {
  return `'${text.replaceAll("'", String.raw`'\''`)}'`;
}
