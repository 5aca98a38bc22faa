import test from 'ava';
import { OwnProcesses } from '../../src/host/nft-own.ts';

test('where numbers mean the same to the kernel and to us, they do', (t) => {
  const own = new OwnProcesses('netwall', false);
  t.is(own.open().mark(), '');
  own.started(17);
  t.true(own.owns(17, null));
  t.false(own.owns(18, null));
});

test('elsewhere a process is known by its mark, once the monitor has told of it', (t) => {
  const own = new OwnProcesses('netwall', true);
  const child = own.open();
  const [line = ''] = child.mark().split('\n');
  t.regex(child.mark(), /^add table inet netwall_own_[0-9a-f]{16}\ndelete table inet netwall_own_[0-9a-f]{16}\n$/);
  const mark = own.markIn(line);
  own.started(2);
  t.false(own.owns(2, null), 'the number that we see says nothing');
  t.true(own.owns(4711, mark));
  t.is(child.mark(), '', 'and then needs it no more');
  t.true(own.owns(4711, null));
  t.false(own.owns(4712, null));
});

test('a mark that we did not make, or that was told of before, proves nothing', (t) => {
  const own = new OwnProcesses('netwall', true);
  const mark = own.markIn(own.open().mark().split('\n')[0] ?? '');
  t.false(own.owns(1, '0123456789abcdef'));
  t.true(own.owns(2, mark));
  t.false(own.owns(3, mark));
  t.is(own.markIn('add table inet netwall'), null);
  t.is(own.markIn('add element inet netwall_own_x y { 1 }'), null);
});
