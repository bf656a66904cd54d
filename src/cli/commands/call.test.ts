import { expect, test } from 'vitest';
import { parseCall } from './call.js';

test.each([
  ['check', { method: 'check', format: 'text', ignoreStatus: false }],
  ['lint,format=json', { method: 'check', format: 'json', ignoreStatus: false }],
  ['format=json,outline', { method: 'outline', format: 'json', ignoreStatus: false }],
  ['targets,ignorestatus=true', { method: 'targets', format: 'text', ignoreStatus: true }],
  ['build', undefined],
])('`--call %s`', (text, call) => {
  expect(parseCall(text)).toEqual(call);
});

test.each(['nothing', 'check,outline', 'check,x=y', 'check,ignorestatus=maybe'])('`--call %s` is refused', (text) => {
  expect(() => parseCall(text)).toThrow(expect.objectContaining({ code: 'USAGE' }));
});
