/** A policy file: text to policies and groups, or to everything that is wrong with it. Pure, and never throws. */
import { groupOf, policyOf } from './document.ts';
import { privateSuffixWarnings, repeatedNames, rootWarnings, unresolvableWildcards } from './policy-checks.ts';
import type { DestinationGroup, Policy } from './policy.ts';
import { hasErrors, type Problem, sortProblems } from './problem.ts';
import { type Salvage, salvage } from './salvage.ts';
import { groupsDocument, policyDocument } from './schema.ts';
import { shape } from './shape.ts';
import { problemIn, readSource, type SourceText } from './source-text.ts';
import { readYaml, type YamlDocument } from './yaml-source.ts';
import { keyStart } from './yaml-tree.ts';

export type { Salvage } from './salvage.ts';
export { MAX_FILE_SIZE } from './source-text.ts';

export type ParsedFile = {
  /** Only meaningful when no problem is an error, as the groups are. */
  readonly policies: readonly Policy[];
  readonly groups: readonly DestinationGroup[];
  /** By place; several at once. */
  readonly problems: readonly Problem[];
  /** Of a refused file: what its documents still name. Empty for a good one. */
  readonly salvage: readonly Salvage[];
};

/** Of one file: who has made that many mistakes starts with the first. */
const MAX_PROBLEMS = 100;

type Contents = { readonly policies: readonly Policy[]; readonly groups: readonly DestinationGroup[]; readonly problems: readonly Problem[] };

/**
 * Reads a policy file. `path` is what positions say. Bytes must be UTF-8. A file without any document is a file without
 * policies. `@groups` are not looked up: they may be in other files.
 */
export function parsePolicyFile(path: string, text: string | Uint8Array): ParsedFile {
  const { source, problems: unreadable } = readSource(path, text);
  const yaml = readYaml(source);
  const contents = unreadable.length > 0 ? { policies: [], groups: [], problems: unreadable } : readDocuments(yaml.documents, yaml.problems, source);
  const problems = atMost(sortProblems(contents.problems));
  if (!hasErrors(problems)) return { policies: contents.policies, groups: contents.groups, problems, salvage: [] };
  return { policies: [], groups: [], problems, salvage: yaml.documents.flatMap(({ tree }) => salvage(tree, source)) };
}

function readDocuments(documents: readonly YamlDocument[], found: readonly Problem[], source: SourceText): Contents {
  const parts = documents.map((document) => (document.sound ? readDocument(document, source) : NOTHING));
  const policies = parts.flatMap((part) => part.policies);
  const groups = parts.flatMap((part) => part.groups);
  const checks = [
    ...repeatedNames(policies, groups),
    ...policies.flatMap((policy) => [...unresolvableWildcards(policy), ...rootWarnings(policy), ...privateSuffixWarnings(policy)]),
  ];
  return { policies, groups, problems: [...found, ...parts.flatMap(({ problems }) => problems), ...checks] };
}

const NOTHING: Contents = { policies: [], groups: [], problems: [] };

function readDocument({ tree }: YamlDocument, source: SourceText): Contents {
  const keys = tree.kind === 'map' ? [...tree.entries.keys()] : [];
  const isGroups = keys.includes('groups');
  const policyKey = keys.find((key) => Object.hasOwn(policyDocument.shape, key));
  if (isGroups && policyKey !== undefined && tree.kind === 'map') {
    const message = `a document holds a policy or "groups", not both: this one has "${policyKey}" as well`;
    return { ...NOTHING, problems: [problemIn(source, keyStart(tree, 'groups'), 'groups'.length, message, 'put a line "---" between the two')] };
  }
  if (isGroups && tree.kind === 'map') {
    const shaped = shape(groupsDocument, tree, source);
    return shaped.ok ? { ...NOTHING, groups: groupOf(shaped.value, tree, source) } : { ...NOTHING, problems: shaped.problems };
  }
  const shaped = shape(policyDocument, tree, source);
  return shaped.ok ? { ...NOTHING, policies: [policyOf(shaped.value, tree, source)] } : { ...NOTHING, problems: shaped.problems };
}

function atMost(problems: readonly Problem[]): readonly Problem[] {
  if (problems.length <= MAX_PROBLEMS) return problems;
  // errors go first, so that a file with many warnings is refused all the same
  const kept = sortProblems([...problems].sort((a, b) => severityRank(a) - severityRank(b)).slice(0, MAX_PROBLEMS - 1));
  const last = kept.at(-1) ?? problems[0];
  if (last === undefined) return problems;
  return [...kept, { severity: hasErrors(problems) ? 'error' : 'warning', at: last.at, message: `${problems.length - kept.length} more problems are not shown`, hint: 'look at these first' }];
}

function severityRank({ severity }: Problem): number {
  return severity === 'error' ? 0 : 1;
}
