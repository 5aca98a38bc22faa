/** `netwallctl check`: no daemon, no privilege. */
import { EXIT } from '../control/api.ts';
import { checkCandidates, checkInstalled } from '../host/check-policies.ts';
import { readConfigFile } from '../host/config-file.ts';
import { formatProblem, hasErrors } from '../policy/problem.ts';

type Say = (text: string) => void;

/** Returns the exit code. Problems go to stderr, one after the other, as compilers show them. Throws HostError. */
export function checkCommand(paths: readonly string[], json: boolean, say: Say, complain: Say): number {
  const { config } = readConfigFile(null);
  const { files, bad, set } = paths.length > 0 ? checkCandidates(paths, config.policyDirs) : checkInstalled(config.policyDirs);
  const problems = bad.flatMap((file) => file.problems.map((problem) => ({ ...problem, text: file.text })));
  const valid = !hasErrors(problems);
  if (json) {
    const listed = problems.map(({ severity, at, message, hint }) => ({ severity, ...at, message, hint: hint ?? null }));
    say(JSON.stringify({ valid, files, services: [...new Set(set.services.map(({ service }) => service))], problems: listed }));
  } else {
    for (const problem of problems) complain(formatProblem(problem, problem.text));
    if (valid) say(`${files} ${files === 1 ? 'file' : 'files'}: good`);
  }
  return valid ? EXIT.ok : EXIT.invalidPolicy;
}
