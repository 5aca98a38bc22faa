/** `netwallctl allow`: adds a permission to the policy file of a service. Without `--write` it only shows the change. */
import { type AllowReport, EXIT, type ReloadReport, type StatusReport } from '../control/api.ts';
import { ask, ControlError } from '../control/client.ts';
import { editTarget, isAllText, problemsWith, readInstalled, shownPath, writeEdit } from '../host/policy-edit.ts';
import { addPermission } from '../policy/edit.ts';
import { nearest } from '../policy/nearest.ts';
import { readPermission } from '../policy/permission.ts';
import type { Position } from '../policy/policy.ts';
import type { PolicyFile } from '../policy/policy-set.ts';
import { formatProblem, hasErrors, type Problem } from '../policy/problem.ts';
import type { Rule } from '../policy/rule.ts';
import { installedConfig } from './configuration.ts';
import type { ColourPrinter } from './output.ts';
import { paintDiff, unifiedDiff } from './unified-diff.ts';

export type AllowOptions = { readonly inbound?: boolean; readonly from?: boolean; readonly comment?: string; readonly private?: boolean; readonly write?: boolean };

const place = ({ file, line, column }: Position) => `${file}:${line}:${column}`;
const position = ({ at: { file, line, column } }: Rule) => ({ file, line, column });

/** Returns the exit code. Throws ControlError and HostError. */
export async function allowCommand(socket: string, service: string, words: readonly string[], options: AllowOptions, { json, say, complain, paint }: ColourPrinter): Promise<number> {
  const asked = readPermission(words, { inbound: options.inbound === true || options.from === true, private: options.private === true });
  if (!asked.ok) throw new ControlError('invalid', `${asked.fault}${asked.hint === undefined ? '' : `: ${asked.hint}`}`);
  if (options.write === true && process.geteuid?.() !== 0) throw new ControlError('not permitted', 'policy files belong to root: be root for --write');
  const { file, installed, directories, running } = await find(socket, service);
  const report = (rest: Partial<AllowReport>): AllowReport => ({ file: file.path, outcome: 'allowed', by: [], diff: '', written: false, generation: null, ...rest });
  const complainOf = (problems: readonly Problem[], text: string) => {
    for (const problem of problems) complain(formatProblem(problem, text));
  };

  if (!isAllText(file)) {
    complainOf([...file.refusals, ...file.parsed.problems], file.text);
    return EXIT.invalidPolicy;
  }
  const groups = new Map(installed.flatMap(({ parsed }) => parsed.groups.map((group) => [group.name, group] as const)));
  const edit = addPermission({ path: file.path, text: file.text, service, permission: asked.value, comment: options.comment?.trim() || null, groups });
  if (edit.kind === 'allowed') {
    if (json) say(JSON.stringify(report({ by: edit.by.map(position) })));
    else for (const rule of edit.by) say(`already allowed by ${rule.text} at ${place(rule.at)}`);
    return EXIT.ok;
  }
  if (edit.kind === 'denied') {
    if (json) say(JSON.stringify(report({ outcome: 'denied', by: [position(edit.by)] })));
    complain(`error: ${edit.what} is denied by ${edit.by.text} at ${place(edit.by.at)}, and deny wins: remove or narrow that entry`);
    return EXIT.refused;
  }
  if (edit.kind === 'by hand') throw new ControlError('failed', [`${file.path} is left to you, ${edit.reason}; the entry would be:`, ...edit.lines].join('\n'));
  if (edit.kind === 'invalid') {
    complainOf(edit.problems, edit.text);
    return EXIT.invalidPolicy;
  }

  const target = editTarget(file.path, directories);
  const problems = problemsWith(target, file, edit.text, installed);
  complainOf(problems, edit.text);
  if (hasErrors(problems)) return EXIT.invalidPolicy;
  for (const rule of edit.except) complain(`note: the entry for ${rule.text} at ${place(rule.at)} still denies a part of it`);
  if (file.parsed.policies.find((policy) => policy.service === service)?.mode === 'block') complain(`note: "mode: block" of ${service} lets nothing pass, whatever is listed`);
  if (target.kind === 'override') complain(`note: ${file.path} comes with a package: ${target.path} takes its place`);
  if (target.kind === 'link') complain(`note: ${file.path} is a link: ${target.path} is what changes`);
  const diff = unifiedDiff(file.path, shownPath(target, file), file.text, edit.text);
  if (!json) say(paintDiff(diff, paint));
  const shown = report({ file: target.path, outcome: 'changed', diff });
  if (options.write !== true) {
    if (json) say(JSON.stringify(shown));
    else complain('nothing is changed yet: add --write to make it so');
    return EXIT.ok;
  }
  await writeEdit(target, file, edit.text);
  if (!running) {
    if (json) say(JSON.stringify({ ...shown, written: true } satisfies AllowReport));
    complain(`note: ${target.path} is written; netwalld enforces nothing now, so it counts from the next start or reload`);
    return EXIT.ok;
  }
  const reloaded = await ask<ReloadReport>(socket, 'POST', '/v1/reload').catch((error: unknown) => {
    throw error instanceof ControlError ? new ControlError(error.reason, `${target.path} is written, but ${error.message}`) : error;
  });
  return enforced(reloaded, shown, shownPath(target, file));

  function enforced({ generation, state, problems: found }: ReloadReport, before: AllowReport, path: string): number {
    const ours = found.filter((problem) => problem.startsWith(`${path}:`));
    for (const problem of found) complain(problem);
    if (state !== 'enforcing') throw new ControlError('failed', `${before.file} is written and not enforced: see netwallctl status`);
    if (json) say(JSON.stringify({ ...before, written: true, generation: ours.length === 0 ? generation : null } satisfies AllowReport));
    else if (ours.length === 0) say(`${before.file} is written and in force: generation ${generation}`);
    return ours.length === 0 ? EXIT.ok : EXIT.invalidPolicy;
  }
}

type Found = { readonly file: PolicyFile; readonly installed: readonly PolicyFile[]; readonly directories: readonly string[]; readonly running: boolean };

const defines = (file: PolicyFile, service: string) => [...file.parsed.policies, ...file.parsed.salvage].some((policy) => policy.service === service);

/** The file that the daemon says the service is from; without a daemon, or when it may not be asked, the one that says so itself. */
async function find(socket: string, service: string): Promise<Found> {
  const status = await statusOf(socket);
  const directories = status?.policyDirs ?? installedConfig().policyDirs;
  const installed = readInstalled(directories);
  const source = status?.services.find((known) => known.service === service)?.source.file;
  const file = installed.find(({ path }) => path === source) ?? (status?.trial ? undefined : installed.find((candidate) => defines(candidate, service)));
  // to re-read the files would end an unload
  const running = status !== null && status.message?.startsWith('unloaded') !== true;
  if (file !== undefined) return { file, installed, directories, running };
  if (source !== undefined) throw new ControlError('failed', `${source} is only on trial: end that first, with netwallctl try --confirm or --cancel`);
  const near = nearest(service, installed.flatMap(({ parsed }) => parsed.policies.map((policy) => policy.service)));
  throw new ControlError('failed', `no service "${service}" in ${directories.join(', ')}${near === null ? '' : `: did you mean ${near}?`}`);
}

async function statusOf(socket: string): Promise<StatusReport | null> {
  try {
    return await ask<StatusReport>(socket, 'GET', '/v1/status');
  } catch (error) {
    if (error instanceof ControlError && (error.reason === 'not reachable' || error.reason === 'not permitted')) return null;
    throw error;
  }
}
