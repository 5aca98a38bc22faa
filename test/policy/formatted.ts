/** The YAML of a policy as a person may have written it: comments, blank lines, quotes, brackets or lines, LF or CRLF. */
import type { Policy, PortMatch } from '../../src/policy/policy.ts';
import { portText } from './arbitrary.ts';
import { describeDestination } from './describe.ts';

/** A number below `bound`. */
export type Pick = (bound: number) => number;

export function formatted({ service, kind, subjects, mode, dns, egress, ingress }: Policy, pick: Pick): string {
  const lines: string[] = [];
  const step = ' '.repeat(1 + pick(4));
  const indented = pick(4) > 0;
  const comments = pick(3);
  const remark = (spaces: string) => (comments > 0 && pick(4) === 0 ? `${spaces}# ${['note', 'a: b', '- to: [x]', "it's", '{'][pick(5)]}` : '');
  const say = (text: string) => {
    const column = ' '.repeat(pick(12));
    if (comments > 1 && pick(5) === 0) lines.push(pick(2) === 0 ? '' : `${column}# ${text.trim()}`);
    lines.push(text + remark(' '.repeat(1 + pick(3))));
  };
  const scalar = (value: string | number): string => {
    if (typeof value === 'number') return String(value);
    const style = pick(4);
    if (style === 0) return `"${value}"`;
    if (style === 1) return `'${value}'`;
    return /^[a-z0-9][a-z0-9_./-]*$/i.test(value) && !/^[0-9]+$/.test(value) ? value : `"${value}"`;
  };
  const brackets = (values: readonly (string | number)[]): string => {
    const space = ' '.repeat(pick(2));
    return `[${space}${values.map(scalar).join([', ', ',', ' , '][pick(3)])}${pick(5) === 0 ? ',' : ''}${space}]`;
  };
  const inline = (values: readonly (string | number)[]): string => (values.length === 1 && pick(2) === 0 ? scalar(values[0] ?? '') : brackets(values));
  type Field = readonly [key: string, values: readonly (string | number)[]];
  const field = ([key, values]: Field, first: string, rest: string): void => {
    if (pick(3) > 0) return say(`${first}${key}: ${inline(values)}`);
    say(`${first}${key}:`);
    const column = rest + (indented ? step : '');
    for (const value of values) say(`${column}- ${scalar(value)}`);
  };
  const list = (key: string, entries: readonly (readonly Field[])[]): void => {
    const braces = (fields: readonly Field[]) => `{ ${fields.map(([name, values]) => `${name}: ${inline(values)}`).join(', ')} }`;
    const form = pick(4);
    if (entries.length === 0) return say(`${step}${key}: []`);
    if (form === 0) return say(`${step}${key}: [${entries.map(braces).join(', ')}${pick(3) === 0 ? ', ' : ''}]`);
    if (form === 1) {
      say(`${step}${key}: [`);
      entries.forEach((fields, index) => say(`${step}${step}${braces(fields)}${index < entries.length - 1 || pick(2) === 0 ? ',' : ''}`));
      return say(`${step}]`);
    }
    say(`${step}${key}:`);
    const column = step + (indented ? step : '');
    const dash = `-${' '.repeat(1 + pick(3))}`;
    for (const fields of entries) {
      if (pick(3) === 0) say(`${column}- ${braces(fields)}`);
      else fields.forEach((one, index) => field(one, column + (index === 0 ? dash : ' '.repeat(dash.length)), column + ' '.repeat(dash.length)));
    }
  };
  const shuffled = (fields: readonly Field[]): readonly Field[] => (pick(3) === 0 ? fields.toReversed() : fields);
  const numbers = (ports: readonly PortMatch[]) => ports.map(portText);
  const sections = [
    () => say(`service: ${scalar(service)}`),
    () => say(`match: { ${kind}: [${subjects.map(({ id }) => (typeof id === 'number' ? id : JSON.stringify(id))).join(', ')}] }`),
    () => say(`mode: ${mode}`),
    () => say(`dns: ${dns}`),
    () => {
      if (egress.allow.length + egress.deny.length === 0 && pick(2) === 0) return;
      say('egress:');
      const allow = () =>
        list('allow', egress.allow.map((entry): readonly Field[] => [...shuffled([['to', entry.to.map(describeDestination)], ['ports', numbers(entry.ports)]])]));
      const deny = () => list('deny', egress.deny.map((entry): readonly Field[] => shuffled([['to', entry.to.map(describeDestination)], ['ports', numbers(entry.ports)]])));
      const both = egress.allow.length === 0 && pick(2) === 0 ? [deny] : [allow, deny];
      for (const one of pick(3) === 0 ? both.toReversed() : both) one();
    },
    () => {
      if (ingress.allow.length === 0) return;
      say('ingress:');
      list('allow', ingress.allow.map(({ from, ports }): readonly Field[] => (from === null ? [['ports', numbers(ports)]] : shuffled([['from', from.map(describeDestination)], ['ports', numbers(ports)]]))));
    },
  ];
  for (const section of pick(3) === 0 ? sections.toReversed() : sections) section();
  const end = pick(3) === 0 ? '\r\n' : '\n';
  return lines.join(end) + (pick(4) === 0 ? '' : end);
}
