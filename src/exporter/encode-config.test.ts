import { expect, test } from 'vitest';
import { encodeConfig } from './encode-config.js';

test('members stand in the order of BuildKit, whatever order they were set in', () => {
  const config = {
    rootfs: { diff_ids: ['sha256:1'], type: 'layers' },
    os: 'linux',
    architecture: 'amd64',
    created: null,
    config: {
      Shell: ['/bin/sh'],
      Healthcheck: { Retries: 1, Test: ['NONE'] },
      Labels: { b: '1', '2': '2', a: '3', user: '4', Z: '5' },
      Env: ['A=1'],
      User: 'x',
    },
    history: [{ empty_layer: true, comment: 'c', created_by: 'b', created: 'a' }],
  };
  expect(encodeConfig(config)).toBe(
    '{"architecture":"amd64","config":{"User":"x","Env":["A=1"],"Labels":{"2":"2","Z":"5","a":"3","b":"1","user":"4"},' +
      '"Healthcheck":{"Test":["NONE"],"Retries":1},"Shell":["/bin/sh"]},"created":null,' +
      '"history":[{"created":"a","created_by":"b","comment":"c","empty_layer":true}],"os":"linux",' +
      '"rootfs":{"type":"layers","diff_ids":["sha256:1"]}}',
  );
});

test('strings are escaped as Go does, also in names of members', () => {
  const text = '{"config":{"Labels":{"\\u003ca\\u003e":"\\u0026 \\"q\\" \\\\ \\n\\u0001 ü \\u2028"}}}';
  expect(encodeConfig({ config: { Labels: { '<a>': '& "q" \\ \n\u0001 ü \u2028' } } })).toBe(text);
});

test('a label that is named like a part of the config has no order of its own', () => {
  expect(encodeConfig({ config: { Labels: { type: 't', diff_ids: 'd' } } })).toBe(
    '{"config":{"Labels":{"diff_ids":"d","type":"t"}}}',
  );
});
