/** `netwallctl check`: no daemon, no privilege. */
import { EXIT } from '../control/api.ts';
import { checkCandidates, checkInstalled } from '../host/check-policies.ts';
import { formatProblem, hasErrors, type Problem } from '../policy/problem.ts';
import { installedConfig } from './configuration.ts';

/** Of a file that nobody gave, and that those given make bad. */
const brokenText = ({ at, message }: Problem) => `${at.file}:${at.line}:${at.column} would no longer be valid (its last good version stays in force): ${message}`;

type Say = (text: string) => void;

/** Returns the exit code. Problems go to stderr, one after the other, as compilers show them. Throws HostError. */
export function checkCommand(paths: readonly string[], json: boolean, say: Say, complain: Say): number {
  const config = installedConfig();
  const { files, bad, broken, set } = paths.length > 0 ? checkCandidates(paths, config.policyDirs) : checkInstalled(config.policyDirs);
  const problems = bad.flatMap((file) => file.problems.map((problem) => ({ ...problem, text: file.text })));
  const valid = !hasErrors(problems);
  // of others there is something to tell only where these could be installed
  const notes = valid ? broken.flatMap((file) => file.problems.filter(({ severity }) => severity === 'error').map(brokenText)) : [];
  if (json) {
    const listed = problems.map(({ severity, at, message, hint }) => ({ severity, ...at, message, hint: hint ?? null }));
    say(JSON.stringify({ valid, files, services: [...new Set(set.services.map(({ service }) => service))], problems: listed, notes }));
  } else {
    for (const problem of problems) complain(formatProblem(problem, problem.text));
    if (valid) say(`${files} ${files === 1 ? 'file' : 'files'}: good`);
    for (const note of notes) say(`note: ${note}`);
  }
  return valid ? EXIT.ok : EXIT.invalidPolicy;
}
