import test from 'ava';
import type { AccountSources } from '../../src/host/account-names.ts';
import { openAccounts, type SavedAccounts, savedAccounts } from '../../src/host/accounts.ts';
import type { PrincipalKind } from '../../src/policy/policy.ts';

const none = new Set<string>();
const NAMES = { user: new Set(['webapp', 'ldapsvc']), group: none };

/** A host whose users are in /etc/passwd and in a directory, and whose groups are none. */
function host(saved: SavedAccounts | null = null) {
  const users = { file: ['webapp:x:1001:1001::/:'], directory: ['ldapsvc:*:5001:5000::/:'], answers: true, readable: true, hangs: false, hangsForIds: false, hangsFor: '' };
  const asked: string[] = [];
  const sources: AccountSources = {
    async entries(kind: PrincipalKind, keys) {
      asked.push(`${kind} ${keys.join(' ')}`);
      if (kind === 'user' && (users.hangs || keys.includes(users.hangsFor) || (users.hangsForIds && keys.some((key) => /^\d+$/.test(key))))) throw new Error('no answer');
      const lines = kind === 'group' ? ['team:x:2001:'] : [...users.file, ...(users.answers ? users.directory : [])];
      return keys.flatMap((key) => lines.find((line) => [line.split(':')[0], line.split(':')[2]].includes(key)) ?? []);
    },
    local: async (kind) => (users.readable ? (kind === 'user' ? users.file : []) : null),
  };
  const accounts = openAccounts(saved, sources);
  return {
    users,
    accounts,
    look: (names: Parameters<typeof accounts.refresh>[0] = NAMES) => accounts.refresh(names, true),
    ids: () => [accounts.id('user', 'webapp'), accounts.id('user', 'ldapsvc')],
    /** What was asked since the last call. */
    asked: () => asked.splice(0),
  };
}

test('as long as all is found, a look is one question', async (t) => {
  const { look, ids, asked, accounts } = host();
  await look();
  await look();
  t.deepEqual(asked(), ['user webapp ldapsvc', 'user webapp ldapsvc']);
  t.deepEqual(ids(), [1001, 5001]);
  t.is(accounts.doubt, null);
  t.false(accounts.missing());
});

test('what the directory does not tell of counts as last known, until it tells', async (t) => {
  const { users, look, ids, asked, accounts } = host();
  await look();
  users.answers = false;
  asked();
  await look();
  t.deepEqual(asked(), ['user webapp ldapsvc', 'user 5001']);
  t.deepEqual(ids(), [1001, 5001]);
  t.regex(accounts.doubt ?? '', /user ldapsvc \(uid 5001\); the ids/);
  t.true(accounts.missing(), 'it is looked for soon');
  await accounts.refresh(NAMES, false);
  t.regex(accounts.doubt ?? '', /ldapsvc/, 'who asks for nothing learns nothing');
  users.answers = true;
  await look();
  t.is(accounts.doubt, null);
  t.false(accounts.missing());
});

test('what was never seen has no id, however often it is not found', async (t) => {
  const { users, look, ids, accounts } = host();
  users.answers = false;
  await look();
  await look();
  t.deepEqual(ids(), [1001, null]);
  t.is(accounts.doubt, null);
  t.true(accounts.missing());
});

test('a local account that is deleted is gone, and is not asked for by its id', async (t) => {
  const { users, look, ids, asked, accounts } = host();
  await look();
  users.file = [];
  asked();
  await look();
  t.deepEqual(asked(), ['user webapp ldapsvc']);
  t.deepEqual(ids(), [null, 5001]);
  t.is(accounts.doubt, null);
});

test('… but not while the file cannot be read, or has it', async (t) => {
  const { users, look, ids, accounts } = host();
  await look();
  const { file } = users;
  Object.assign(users, { file: [], readable: false });
  await look();
  t.deepEqual(ids(), [1001, 5001]);
  t.regex(accounts.doubt ?? '', /user webapp \(uid 1001\)/);
  Object.assign(users, { file, readable: true });
  await look();
  t.is(accounts.doubt, null);
});

test("an account of the directory is gone when its id is another's", async (t) => {
  const { users, look, ids, accounts } = host();
  await look();
  users.directory = ['heir:*:5001:5000::/:'];
  await look();
  t.deepEqual(ids(), [1001, null]);
  t.is(accounts.doubt, null);
});

test('… but not when that one had the id all along', async (t) => {
  const { users, look, ids, accounts } = host();
  users.file.push('alias:x:5001:5000::/:');
  await look();
  users.answers = false;
  await look();
  t.deepEqual(ids(), [1001, 5001]);
  t.regex(accounts.doubt ?? '', /ldapsvc/);
});

test('a name that nobody wants any more is forgotten', async (t) => {
  const { users, look, ids, accounts } = host();
  await look();
  users.answers = false;
  await look();
  await look({ user: new Set(['webapp']), group: none });
  t.deepEqual(ids(), [1001, null]);
  t.is(accounts.doubt, null);
  t.false(accounts.missing());
});

test('what is saved counts at the next start as it did', async (t) => {
  const first = host();
  await first.look();
  const saved = savedAccounts.parse(JSON.parse(JSON.stringify(first.accounts.save())));
  const second = host(saved);
  t.deepEqual(second.ids(), [1001, 5001]);
  Object.assign(second.users, { file: [], answers: false });
  await second.look();
  t.deepEqual(second.ids(), [null, 5001], 'the file had the one, and had not the other');
  t.deepEqual(second.accounts.save(), { user: { ldapsvc: 5001 }, group: {}, origins: { user: { ldapsvc: 'elsewhere' }, group: {} } });
});

test('saved by an earlier version: all count until they are found, or another has their id', async (t) => {
  const saved = savedAccounts.parse({ user: { webapp: 1001, ldapsvc: 5001 }, group: {} });
  const { users, look, ids } = host(saved);
  Object.assign(users, { file: [], answers: false });
  await look();
  t.deepEqual(ids(), [1001, 5001]);
  users.file = ['heir:x:1001:1001::/:'];
  await look();
  t.deepEqual(ids(), [null, 5001]);
});

test('where nobody answers at all, what was known stays, saved ids too, and the file tells of its own', async (t) => {
  const { users, look, ids, accounts } = host(savedAccounts.parse({ user: { ldapsvc: 5001 }, group: {} }));
  users.hangs = true;
  await look();
  t.deepEqual(ids(), [1001, 5001]);
  t.is(accounts.error, 'no answer');
  t.is(accounts.untold, null);
  t.deepEqual(accounts.save(), { user: { ldapsvc: 5001, webapp: 1001 }, group: {}, origins: { user: { ldapsvc: 'elsewhere', webapp: 'files' }, group: {} } });
  users.hangs = false;
  await look();
  t.deepEqual(ids(), [1001, 5001]);
  t.is(accounts.error, null);
});

test('… of those that were never seen, and nobody knows of the others', async (t) => {
  const { users, look, ids, accounts } = host();
  users.hangs = true;
  await look();
  t.deepEqual(ids(), [1001, null]);
  t.is(accounts.untold, 'user ldapsvc');
  users.file = ['webapp:x:1002:1002::/:'];
  await look();
  t.deepEqual(ids(), [1002, null]);
  Object.assign(users, { readable: false });
  await look();
  t.deepEqual(ids(), [1002, null]);
  await look({ user: new Set(['webapp']), group: none });
  t.is(accounts.untold, null);
});

test('one name that hangs keeps another that comes meanwhile from being known for one look only', async (t) => {
  const { users, look, accounts } = host();
  const names = { user: new Set(['webapp', 'ldapsvc', 'dynamic']), group: none };
  await look(names);
  t.is(accounts.id('user', 'dynamic'), null);
  users.hangsFor = 'ldapsvc';
  await look(names);
  users.directory.push('dynamic:*:61200:61200::/:');
  await look(names);
  t.is(accounts.id('user', 'dynamic'), 61_200);
  t.is(accounts.id('user', 'ldapsvc'), 5001);
  t.is(accounts.error, 'no answer');
});

test('… but not in the place of an id that was seen elsewhere', async (t) => {
  const { users, look, ids } = host();
  await look();
  users.hangs = true;
  users.file.push('ldapsvc:x:1009:1009::/:');
  await look();
  t.deepEqual(ids(), [1001, 5001]);
  users.hangs = false;
  await look();
  t.deepEqual(ids(), [1001, 1009]);
});

test('… and groups are asked for although users cannot be told of', async (t) => {
  const { users, look, accounts } = host();
  users.hangs = true;
  await look({ user: NAMES.user, group: new Set(['team']) });
  t.is(accounts.id('group', 'team'), 2001);
  t.is(accounts.error, 'no answer');
});

test('whom NSS did not tell of is asked for again only where that is wanted, and until then it is missing', async (t) => {
  const { users, look, ids, asked, accounts } = host();
  users.hangs = true;
  await look();
  asked();
  t.true(accounts.missing());
  await accounts.refresh(NAMES, false);
  t.deepEqual(asked(), [], 'a run does not wait for what hangs');
  t.is(accounts.error, 'no answer');
  t.false(await accounts.answers());
  t.deepEqual(asked(), ['user webapp ldapsvc']);
  users.hangs = false;
  t.true(await accounts.answers());
  t.deepEqual(ids(), [1001, null]);
  t.true(accounts.missing());
  await look();
  t.deepEqual(ids(), [1001, 5001]);
  t.false(accounts.missing());
  t.false(await accounts.answers(), 'nothing is left to be told');
});

test('who was found is known although it cannot be told what became of the others', async (t) => {
  const { users, look, ids, accounts } = host();
  await look();
  users.answers = false;
  users.file = ['webapp:x:1002:1002::/:'];
  users.hangsForIds = true;
  await look();
  t.deepEqual(ids(), [1002, 5001]);
  t.is(accounts.error, 'no answer');
});

test("a dynamic user keeps its id while its unit does not run, and that is no fault", async (t) => {
  const { users, look, ids, accounts } = host();
  users.directory = ['ldapsvc:!*:64001:64001::/:'];
  await look();
  users.answers = false;
  await look();
  t.deepEqual(ids(), [1001, 64001]);
  t.is(accounts.doubt, null);
});

test('of many, a few are named', async (t) => {
  const { users, look, accounts } = host();
  const names = Array.from({ length: 12 }, (_, index) => `user${index}`);
  users.directory = names.map((name, index) => `${name}:*:${6000 + index}:1::/:`);
  await look({ user: new Set(names), group: none });
  users.answers = false;
  await look({ user: new Set(names), group: none });
  t.regex(accounts.doubt ?? '', /user user0 \(uid 6000\), .*user9 \(uid 6009\) and 2 more; /);
});
