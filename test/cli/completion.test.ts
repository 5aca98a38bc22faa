/** Completion in the shells themselves, with and without a daemon to ask. */
import { execFile, execFileSync } from 'node:child_process';
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import test from 'ava';
import { commandLineOf, switchesEverywhere, switchesOf } from '../../src/cli/command-line.ts';
import { completionScript, type Shell, socketIn } from '../../src/cli/completion.ts';
import { program } from '../../src/cli/program.ts';

const folder = mkdtempSync(join(tmpdir(), 'netwall-completion-'));
const socket = join(folder, 'control.sock');
const scripts = { bash: join(folder, 'netwallctl.bash'), zsh: join(folder, '_netwallctl'), fish: join(folder, 'netwallctl.fish') } as const;
const SHELLS: readonly Shell[] = ['bash', 'zsh', 'fish'];
const line = commandLineOf(program);
const names = line.verbs.map(({ name }) => name);

/** A daemon as far as completion asks for one. */
const daemon = createServer((request, response) => {
  response.statusCode = request.url === '/v1/status' ? 200 : 404;
  response.end(JSON.stringify({ services: [{ service: 'billing' }, { service: 'webapp' }] }));
});

test.before(async () => {
  const main = fileURLToPath(new URL('../../src/cli/main.ts', import.meta.url));
  mkdirSync(join(folder, 'bin'));
  writeFileSync(join(folder, 'bin/netwallctl'), `#!/bin/sh\nexec ${process.execPath} ${main} "$@"\n`);
  chmodSync(join(folder, 'bin/netwallctl'), 0o755);
  mkdirSync(join(folder, 'policies'));
  writeFileSync(join(folder, 'policies/web app.yaml'), '');
  writeFileSync(join(folder, 'policies/worker.yaml'), '');
  for (const shell of SHELLS) writeFileSync(scripts[shell], `${completionScript(program, shell)}\n`);
  await new Promise<void>((resolve) => daemon.listen(socket, resolve));
});

test.after.always(() => {
  daemon.close();
  // a shell that is ending may still write
  rmSync(folder, { recursive: true, force: true, maxRetries: 5 });
});

const environment = { PATH: `${folder}/bin:/usr/bin:/bin`, HOME: folder, LC_ALL: 'C.UTF-8', TERM: 'dumb', HISTFILE: '/dev/null' };
const run = promisify(execFile);
const lines = (text: string) => text.split('\n').filter((one) => one !== '');

/** What is offered for the last of the words. */
const complete: Readonly<Record<'bash' | 'fish', (words: readonly string[]) => Promise<string[]>>> = {
  // as bash calls it, with its own word breaks at "="
  bash: async (words) => {
    const code = 'source "$0"; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _netwallctl; printf "%s\\n" "${COMPREPLY[@]}"';
    const broken = ['netwallctl', ...words].flatMap((word) => (word.startsWith('--') ? word.split(/(=)/) : [word])).filter((word, index, all) => word !== '' || index === all.length - 1);
    return lines((await run('bash', ['--norc', '--noprofile', '-c', code, scripts.bash, ...broken], { env: environment })).stdout);
  },
  fish: async (words) => {
    const { stdout } = await run('fish', ['--no-config', '-c', 'source $argv[1]; complete -C $argv[2]', scripts.fish, ['netwallctl', ...words].join(' ')], { env: environment });
    return lines(stdout).map((one) => one.split('\t')[0] ?? '');
  },
};

for (const shell of SHELLS) {
  test.serial(`${shell} reads its script`, (t) => {
    t.is(execFileSync(shell, ['-n', scripts[shell]], { env: environment }).toString(), '');
  });
}

test('the program is read as it is', (t) => {
  t.true(names.length > 12 && names.includes('status') && names.includes('help'));
  t.false(names.some((name) => name.startsWith('_')), 'hidden');
  const tries = line.verbs.find(({ name }) => name === 'try');
  t.deepEqual(tries?.values.map(({ kind, variadic }) => ({ kind, variadic })), [{ kind: 'path', variadic: true }]);
  t.like(tries === undefined ? [] : switchesOf(tries, line).find(({ flags }) => flags.includes('--timeout')), { value: { name: 'duration', kind: 'text' }, byDefault: '60s' });
});

for (const shell of ['bash', 'fish'] as const) {
  const offered = async (...words: string[]) => (await complete[shell](words)).sort();

  test.serial(`${shell}: commands`, async (t) => {
    t.deepEqual(await offered(''), [...names].sort());
    t.deepEqual(await offered('unb'), ['unblock']);
    t.deepEqual(await offered('--json', 'unb'), ['unblock']);
    t.deepEqual(await offered('--socket', socket, 'unb'), ['unblock']);
  });

  test.serial(`${shell}: options, of every command its own`, async (t) => {
    for (const verb of line.verbs) {
      const flags = (await offered(verb.name, '--')).map((flag) => flag.replace(/=$/, ''));
      t.deepEqual(flags, [...switchesOf(verb, line), ...switchesEverywhere(line)].flatMap(({ flags }) => flags).filter((flag) => flag.startsWith('--')).sort(), verb.name);
    }
    t.true((await offered('--')).includes('--version'));
    t.deepEqual(await offered('try', '--con'), ['--confirm']);
  });

  test.serial(`${shell}: services, from the daemon`, async (t) => {
    t.deepEqual(await offered('--socket', socket, 'status', ''), ['billing', 'webapp']);
    t.deepEqual(await offered('status', '--socket', socket, 'b'), ['billing']);
    t.deepEqual(await offered(`--socket=${socket}`, 'block', 'web'), ['webapp']);
    t.deepEqual(await offered('--socket', socket, 'explain', 'web'), ['webapp']);
    t.deepEqual(await offered('--socket', socket, 'explain', 'webapp', ''), []);
  });

  test.serial(`${shell}: nothing, and no word of it, when the daemon is away`, async (t) => {
    t.deepEqual(await offered('--socket', join(folder, 'none.sock'), 'status', ''), []);
  });

  test.serial(`${shell}: choices`, async (t) => {
    t.deepEqual(await offered('completion', ''), ['bash', 'fish', 'zsh']);
    t.deepEqual(await offered('schema', 'c'), ['config']);
    t.deepEqual(await offered('help', 'unl'), ['unload']);
  });

  test.serial(`${shell}: files where files are wanted`, async (t) => {
    const inside = join(folder, 'policies');
    t.deepEqual((await offered('check', `${inside}/`)).map((path) => path.replaceAll('\\', '')), [`${inside}/web app.yaml`, `${inside}/worker.yaml`]);
    t.deepEqual(await offered('try', `${inside}/worker.yaml`, '--timeout', '5s', `${inside}/wo`), [`${inside}/worker.yaml`]);
    t.deepEqual(await offered('--socket', `${folder}/con`), [socket]);
    t.deepEqual(await offered('status', `${inside}/`), []);
    t.deepEqual(await offered('try', '--timeout', ''), []);
  });
}

/** A shell on a terminal of its own, that somebody types into; zsh has what it takes. The line as it was completed is in the answer as `<line>`. */
const TYPING = String.raw`
zmodload zsh/zpty
zpty shell $2 $3 -i
say() { zpty -w shell "$1"; zpty -r shell answer "*$2*"; }
say "PS1=; stty cols 250; print() { printf '%s\n' \"\$*\"; }; print READY''NOW" READYNOW
if [ $2 = zsh ]; then
  say "unsetopt zle_bracketed_paste; autoload -U compinit; compinit -u -D; source $1; print READ''IT" READIT
  say 'shown() { printf "<%s>\n" "$BUFFER"; BUFFER=; zle .accept-line }; zle -N shown; bindkey "^X" shown; print BOUND''NOW' BOUNDNOW
else
  say "source $1; print READ''IT" READIT
  say $'bind -x \'"\\C-x": printf "<%s>\\n" "$READLINE_LINE"\'; print BOUND\'\'NOW' BOUNDNOW
fi
zpty -w -n shell "$4"$'\t\x18'
zpty -r shell answer '*<netwallctl*>*'
printf '%s\n' "$answer"
zpty -d shell
`;
const typing: readonly (readonly [typed: string, completed: string])[] = [
  ['netwallctl unb', 'netwallctl unblock'],
  [`netwallctl --socket ${socket} block bil`, `netwallctl --socket ${socket} block billing`],
  [`netwallctl --socket=${socket} status web`, `netwallctl --socket=${socket} status webapp`],
  [`netwallctl --socket=${folder}/con`, `netwallctl --socket=${socket}`],
  ['netwallctl try --con', 'netwallctl try --confirm'],
  ['netwallctl schema c', 'netwallctl schema config'],
  [`netwallctl check ${folder}/policies/wo`, `netwallctl check ${folder}/policies/worker.yaml`],
  [`netwallctl check ${folder}/policies/web`, `netwallctl check ${folder}/policies/web\\ app.yaml`],
  [`netwallctl --socket ${folder}/none.sock block bil`, `netwallctl --socket ${folder}/none.sock block bil`],
];
for (const shell of ['bash', 'zsh'] as const) {
  for (const [typed, completed] of typing) {
    test.serial(`${shell}, on a terminal: ${typed.replaceAll(folder, '')}`, async (t) => {
      const { stdout } = await run('zsh', ['-f', '-c', TYPING, 'zsh', scripts[shell], shell, shell === 'zsh' ? '-f' : '--norc', typed], { env: environment, timeout: 60_000 });
      t.is(/<(netwallctl[^>]*)>/.exec(stdout)?.[1]?.trim(), completed, stdout);
    });
  }
}

test('the socket that is on the command line', (t) => {
  t.is(socketIn(['status', '']), null);
  t.is(socketIn(['--socket', '/a', 'status']), '/a');
  t.is(socketIn(['--socket', '=', '/a', 'status']), '/a');
  t.is(socketIn(['status', '--socket=/a']), '/a');
  t.is(socketIn(['status', '--socket']), null);
});
