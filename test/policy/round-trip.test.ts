import test from 'ava';
import * as fc from 'fast-check';
import { parsePolicyFile } from '../../src/policy/parse.ts';
import { destinationGroup, groupsYaml, placeless, policy, policyYaml } from './arbitrary.ts';

test('a policy written as YAML is read as that policy', (t) => {
  fc.assert(
    fc.property(policy, (policy) => {
      const text = policyYaml(policy);
      const parsed = parsePolicyFile('policy.yaml', text);
      t.deepEqual(parsed.problems.filter(({ severity }) => severity === 'error'), [], text);
      t.deepEqual(placeless(parsed.policies), [policy], text);
    }),
    { numRuns: 400 },
  );
});

test('several policies and groups of one file are read in their order', (t) => {
  const policies = fc.uniqueArray(policy, { minLength: 2, maxLength: 4, selector: ({ service }) => service });
  const groups = fc.uniqueArray(destinationGroup, { minLength: 1, maxLength: 4, selector: ({ name }) => name });
  fc.assert(
    fc.property(policies, groups, (policies, groups) => {
      // principals may be there once, services as well
      const apart = policies.map((policy, index) => ({ ...policy, subjects: policy.subjects.map((subject) => ({ ...subject, id: `u${index}-${subject.id}` })) }));
      const text = [...apart.map(policyYaml), groupsYaml(groups)].join('---\n');
      const parsed = parsePolicyFile('policy.yaml', text);
      t.deepEqual(parsed.problems.filter(({ severity }) => severity === 'error'), [], text);
      t.deepEqual(placeless(parsed.policies), apart);
      const byName = new Map(parsed.groups.map((group) => [group.name, group]));
      t.deepEqual(placeless(groups.map(({ name }) => byName.get(name))), groups);
      t.is(byName.size, groups.length);
    }),
    { numRuns: 150 },
  );
});
