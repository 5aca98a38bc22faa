/** Log entries in the journal. */
import test from 'ava';
import { pino } from 'pino';
import { journalLine } from '../../src/daemon/journal-line.ts';

const entry = (more: object) => JSON.stringify({ level: 'info', msg: 'enforced', ...more });

for (const [what, more, line] of [
  ['a message alone', {}, '<6>enforced'],
  ['numbers, words and lists', { generation: 3, table: 'netwall', causes: ['start', 'files'], services: [] }, '<6>enforced generation=3 table=netwall causes=start,files services=[]'],
  ['a list of texts', { repaired: ['one rule', 'x'] }, '<6>enforced repaired=["one rule","x"]'],
  ['a text of several words', { process: 'nft flush' }, '<6>enforced process="nft flush"'],
  ['an empty text is seen', { process: '' }, '<6>enforced process=""'],
  ['null', { process: null }, '<6>enforced process=null'],
  ['what went wrong', { level: 'error', msg: 'cannot enforce', err: 'nft: no', retry: 5 }, '<3>cannot enforce: nft: no retry=5'],
  ['several lines are one', { level: 'warn', err: 'one\n  two\nthree', said: 'a\nb' }, '<4>enforced: one | two | three said="a\\nb"'],
  ['a line that pretends to be of another priority', { msg: 'x\n<0>panic' }, '<6>x | <0>panic'],
] as const) {
  test(what, (t) => t.is(journalLine(entry(more)), `${line}\n`));
}

test('each level of pino has its priority', (t) => {
  const lines: string[] = [];
  const log = pino({ level: 'trace', base: null, timestamp: false, formatters: { level: (label) => ({ level: label }) } }, { write: (line) => lines.push(journalLine(line)) });
  for (const level of ['trace', 'debug', 'info', 'warn', 'error', 'fatal'] as const) log[level]('x');
  t.deepEqual(lines, ['<7>x\n', '<7>x\n', '<6>x\n', '<4>x\n', '<3>x\n', '<2>x\n']);
});
