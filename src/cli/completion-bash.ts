/** Completion for bash. It needs no bash-completion beside it. */
import { type CommandLine, type Switch, switchesEverywhere, switchesOf, type Value, type Verb } from './command-line.ts';

export function bashCompletion(line: CommandLine): string {
  const { name, verbs } = line;
  const everywhere = switchesEverywhere(line);
  const withValue = [...patterns(null, everywhere), ...verbs.flatMap((verb) => patterns(verb.name, switchesOf(verb, line)))];
  const flags = (switches: readonly Switch[]) => switches.flatMap(({ flags }) => flags);
  return `# bash completion of ${name}, made by: ${name} completion bash
_${name}() {
  local IFS=$' \\t\\n' word=\${COMP_WORDS[COMP_CWORD]} command= flag= position=0 one
  for one in "\${COMP_WORDS[@]:1:COMP_CWORD-1}"; do
    [ "$one" = = ] && continue # bash makes three words of --flag=value
    if [ -n "$flag" ]; then
      flag=
      continue
    fi
    case $one in
      -*)
        case "$command $one" in
          ${withValue.map(({ pattern }) => pattern).join(' | ')}) flag=$one ;;
        esac
        ;;
      *) if [ -z "$command" ]; then command=$one; else position=$((position + 1)); fi ;;
    esac
  done
  [ "$word" = = ] && word=
  COMPREPLY=()
  if [ -n "$flag" ]; then
    case "$command $flag" in
${withValue.map(({ pattern, value }) => `      ${pattern}) ${offersNothing(value) ? ':' : offer(name, value)} ;;`).join('\n')}
    esac
    return
  fi
  case $word in
    -*)
      case $command in
        '') ${words(name, flags(line.switches))} ;;
${verbs.map((verb) => `        ${quoted(verb.name)}) ${words(name, flags([...switchesOf(verb, line), ...everywhere]))} ;;`).join('\n')}
      esac
      return
      ;;
  esac
  case "$command $position" in
    ' '*) ${words(name, verbs.map(({ name }) => name))} ;;
${verbs.flatMap((verb) => positions(name, verb)).join('\n')}
  esac
}

_${name}_words() { mapfile -t COMPREPLY < <(compgen -W "$1" -- "$2"); }
_${name}_services() { _${name}_words "$("\${COMP_WORDS[0]}" __complete services -- "\${COMP_WORDS[@]:1}" 2>/dev/null)" "$1"; }
_${name}_paths() {
  compopt -o filenames 2>/dev/null
  mapfile -t COMPREPLY < <(compgen -f -- "$1")
}

complete -F _${name} ${name}
`;
}

/** Those with a value, as patterns of "VERB FLAG". */
function patterns(verb: string | null, switches: readonly Switch[]) {
  const pattern = (flag: string) => (verb === null ? `*${quoted(` ${flag}`)}` : quoted(`${verb} ${flag}`));
  return switches.flatMap(({ flags, value }) => (value === null ? [] : flags.map((flag) => ({ pattern: pattern(flag), value }))));
}

function positions(program: string, { name, values }: Verb): string[] {
  return values.flatMap((value, index) => (offersNothing(value) ? [] : [`    ${value.variadic ? `${quoted(`${name} `)}*` : quoted(`${name} ${index}`)}) ${offer(program, value)} ;;`]));
}

function offersNothing({ kind, choices }: Value): boolean {
  return kind === 'text' && choices.length === 0;
}

function offer(program: string, { kind, choices }: Value): string {
  if (choices.length > 0) return words(program, choices);
  return `_${program}_${kind}s "$word"`;
}

function words(program: string, offered: readonly string[]): string {
  return `_${program}_words ${quoted(offered.join(' '))} "$word"`;
}

function quoted(text: string): string {
  return `'${text.replaceAll("'", String.raw`'\''`)}'`;
}
