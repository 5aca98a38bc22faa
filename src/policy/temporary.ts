/** Permissions that are in no file: read by the same parser as those that are. Pure. */
import { parsePolicyFile } from './parse.ts';
import { contains } from './permission.ts';
import type { DnsMode } from './policy.ts';
import { linkPolicy, type Rule } from './rule.ts';

/** `to` and `ports` as one would write them in a policy. */
export type Temporary = { readonly to: string; readonly ports: readonly string[]; readonly private: boolean };

export type TemporaryRules = { readonly ok: true; readonly rules: readonly Rule[] } | { readonly ok: false; readonly error: string };

const problem = ({ message, hint }: { readonly message: string; readonly hint?: string }) => (hint === undefined ? message : `${message}; ${hint}`);

/** `dns`: how the service resolves names. `file`: what the rules' places say. */
export function temporaryRules({ to, ports, private: special }: Temporary, dns: DnsMode, file: string): TemporaryRules {
  const entry = { to: [to], ports, ...(special ? { private: true } : {}) };
  // JSON is YAML
  const { policies, problems } = parsePolicyFile(file, JSON.stringify({ service: 'temporary', match: { user: 0 }, dns, egress: { allow: [entry] } }));
  const [wrong] = problems.filter(({ severity }) => severity === 'error');
  const [policy] = policies;
  if (wrong !== undefined || policy === undefined) return { ok: false, error: wrong === undefined ? 'no destination' : problem(wrong) };
  const { linked, problems: unlinked } = linkPolicy(policy, new Map());
  const [missing] = unlinked.filter(({ severity }) => severity === 'error');
  if (missing !== undefined) return { ok: false, error: to.startsWith('@') ? 'groups of policy files cannot be granted: name the destination itself' : problem(missing) };
  const at = { file, line: 1, column: 1 };
  return { ok: true, rules: linked.allow.map((rule) => ({ ...rule, at })) };
}

const covers = (deny: Rule, { ports }: Rule) =>
  ports.every((match) => deny.ports.some((denied) => denied.protocol === 'any' || (denied.protocol === match.protocol && denied.first <= match.first && match.last <= denied.last)));

/** Whether a deny entry leaves nothing of a rule, as far as one entry alone can tell. */
export const deniesAll = (deny: Rule, rule: Rule): boolean => covers(deny, rule) && contains(deny.target, rule.target);
