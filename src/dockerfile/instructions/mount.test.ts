import { expect, test } from 'vitest';
import { parseMount } from './mount.js';

const read = (text: string): ReturnType<typeof parseMount> => parseMount(text, (word) => word.replace('$X', 'filled'));

test('a mount is a read-only bind unless it says otherwise', () => {
  expect(read('target=/a')).toMatchObject({ type: 'bind', target: '/a', readonly: true });
  expect(read('target=/a,rw')).toMatchObject({ readonly: false });
  expect(read('type=cache,dst=/c')).toMatchObject({ type: 'cache', target: '/c', readonly: false });
  expect(read('type=tmpfs,target=/t,size=1.5k')).toMatchObject({ size: 1536, readonly: false });
});

test('values are expanded, keys take any case', () => {
  expect(read('TYPE=Cache,ID=$X,target=/c,sharing=Locked')).toMatchObject({ id: 'filled', sharing: 'locked' });
});

test('a secret takes number and mode', () => {
  expect(read('type=secret,id=s,mode=0440,uid=5,required')).toMatchObject({ mode: 0o440, uid: 5, required: true });
});

test.each([
  ['type=bindd', 'unsupported mount type "bindd" (did you mean bind?)'],
  ['typ=bind', "unexpected key 'typ' in 'typ=bind' (did you mean type?)"],
  ['target', "invalid field 'target' must be a key=value pair"],
  ['type=bind,mode=0755', 'mode not allowed for "bind" type mounts'],
  ['type=bind,sharing=locked', 'invalid cache sharing set for bind mount'],
  ['type=cache,required', "unexpected key 'required' for mount type 'cache'"],
  ['type=secret', 'invalid secret mount. one of source, target required'],
  ['type=cache,mode=9', 'invalid value 9 for mode'],
  ['readonly=x', 'invalid value for readonly: x'],
  ['a"b', 'failed to parse csv mounts: parse error on line 1, column 2: bare " in non-quoted-field'],
])('%s is refused', (text, message) => {
  expect(() => read(text)).toThrow(message);
});

test('a field in quotes may hold a comma', () => {
  expect(read('"target=/a,b"')).toMatchObject({ target: '/a,b' });
});
