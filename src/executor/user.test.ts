import { expect, test } from 'vitest';
import { lookUpUser } from './user.js';

const passwd = `root:x:0:0:root:/root:/bin/sh
daemon:x:1:1::/usr/sbin:/bin/false

app:x:1000:1000::/home/app:/bin/sh
77:x:1234:1234::/seven:/bin/sh
`;
const group = 'root:x:0:\ndaemon:x:1:\nwheel:x:10:root\napp:x:1000:\nextra:x:2001:nobody,app\n';

const files = { 'etc/passwd': passwd, 'etc/group': group };
const look = (user: string, from: Partial<typeof files> = files): ReturnType<typeof lookUpUser> =>
  lookUpUser(user, async (path) => (from[path] === undefined ? undefined : Buffer.from(from[path])));

test.each([
  ['', 0, 0, [0, 10], '/root'],
  ['root', 0, 0, [0, 10], '/root'],
  ['0', 0, 0, [0, 10], '/root'],
  ['app', 1000, 1000, [1000, 2001], '/home/app'],
  ['app:daemon', 1000, 1, [1], '/home/app'],
  ['app:1', 1000, 1, [1], '/home/app'],
  ['1000', 1000, 1000, [1000, 2001], '/home/app'],
  ['1000:1', 1000, 1, [1], '/home/app'],
  ['1000:extra', 1000, 2001, [2001], '/home/app'],
  [':daemon', 0, 1, [1], '/root'],
  ['4242', 4242, 0, [0], '/'],
  ['4242:4343', 4242, 4343, [4343], '/'],
  ['4242:app', 4242, 1000, [1000], '/'],
  ['77', 77, 0, [0], '/'], // a number is never a name
])('USER %s', async (user, uid, gid, additionalGids, home) => {
  expect(await look(user)).toEqual({ uid, gid, additionalGids, home });
});

test('names must be there, numbers need not', async () => {
  await expect(look('nosuch')).rejects.toThrow('unable to find user nosuch: no matching entries in passwd file');
  await expect(look('app:nosuch')).rejects.toThrow('unable to find group nosuch: no matching entries in group file');
  await expect(look('root', {})).rejects.toMatchObject({ code: 'RUN_FAILED' });
  expect(await look('', {})).toEqual({ uid: 0, gid: 0, additionalGids: [0], home: '/' });
  expect(await look('5:6', {})).toEqual({ uid: 5, gid: 6, additionalGids: [6], home: '/' });
});

test('ids are bounded', async () => {
  for (const user of ['2147483648', '0:2147483648', '-1']) await expect(look(user)).rejects.toThrow('must be in range');
});
