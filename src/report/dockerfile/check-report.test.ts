import { expect, test } from 'vitest';
import type { CheckReport } from '../../dockerfile/checks/check-report.js';
import { checkGithub } from './check-github.js';
import { checkJson } from './check-json.js';
import { checkSarif } from './check-sarif.js';
import { checkErrorText, checkText, warningSummary } from './check-text.js';

const SOURCE = 'FROM a\nRUN x \\\n  y\nMAINTAINER me\nCMD a\nCMD b\n';
const LATER = {
  rule: 'Later',
  description: 'About later lines',
  url: 'https://example.test/later/',
  detail: 'line five, 100% wrong',
  range: { startLine: 5, endLine: 5 },
};
const EARLIER = { ...LATER, rule: 'Earlier', url: '', detail: 'two lines', range: { startLine: 2, endLine: 3 } };
const ERROR = { message: 'no such stage', hint: undefined, range: { startLine: 1, endLine: 1 } };
const REPORT: CheckReport = {
  fileName: 'sub dir/Dockerfile',
  source: SOURCE,
  warnings: [LATER, EARLIER],
  error: undefined,
  assumedBases: [],
};

test('as text, by line, with two lines around one line and one around several', () => {
  expect(checkText(REPORT)).toBe(`Check complete, 2 warnings have been found!

WARNING: Earlier
two lines
sub dir/Dockerfile:2
--------------------
   1 |     FROM a
   2 | >>> RUN x \\
   3 | >>>   y
   4 |     MAINTAINER me
--------------------

WARNING: Later - https://example.test/later/
line five, 100% wrong
sub dir/Dockerfile:5
--------------------
   3 |       y
   4 |     MAINTAINER me
   5 | >>> CMD a
   6 |     CMD b
   7 |${'     '}
--------------------
`);
  expect(checkText({ ...REPORT, warnings: [] })).toBe('Check complete, no warnings found.\n');
  expect(checkText({ ...REPORT, warnings: [], error: ERROR })).toBe('');
  expect(checkErrorText(REPORT, ERROR)).toContain('no such stage\nsub dir/Dockerfile:1\n-----');
  expect(checkErrorText(REPORT, { ...ERROR, range: undefined })).toBe('no such stage\n');
});

test('as BuildKit gives it in JSON', () => {
  const location = (start: number, end: number): object => ({
    ranges: [{ start: { line: start }, end: { line: end } }],
  });
  expect(checkJson({ ...REPORT, error: ERROR })).toEqual({
    warnings: [
      {
        ruleName: 'Later',
        description: LATER.description,
        url: LATER.url,
        detail: LATER.detail,
        location: location(5, 5),
      },
      { ruleName: 'Earlier', description: LATER.description, detail: 'two lines', location: location(2, 3) },
    ],
    sources: [{ filename: 'sub dir/Dockerfile', language: 'Dockerfile', data: Buffer.from(SOURCE).toString('base64') }],
    buildError: { message: 'no such stage', location: location(1, 1) },
  });
});

test('as SARIF', () => {
  const stage = { ...LATER, rule: 'StageNameCasing' };
  const sarif = checkSarif({ ...REPORT, warnings: [stage], error: ERROR }, '1.2.3');
  const at = (startLine: number, endLine: number): object[] => [
    {
      physicalLocation: { artifactLocation: { uri: 'sub%20dir/Dockerfile' }, region: { startLine, endLine } },
    },
  ];
  expect(sarif).toMatchObject({
    version: '2.1.0',
    runs: [
      {
        tool: { driver: { name: 'slipway', version: '1.2.3', rules: { length: 22 } } },
        results: [
          {
            ruleId: 'StageNameCasing',
            ruleIndex: 0,
            level: 'warning',
            message: { text: LATER.detail },
            locations: at(5, 5),
          },
          { ruleId: 'BuildError', level: 'error', message: { text: 'no such stage' }, locations: at(1, 1) },
        ],
      },
    ],
  });
  const absolute = JSON.stringify(checkSarif({ ...REPORT, fileName: '/x/Dockerfile' }, '1'));
  expect(absolute).toContain('"uri":"file:///x/Dockerfile"');
});

test('as workflow commands', () => {
  expect(checkGithub({ ...REPORT, fileName: 'a,b:c', error: { ...ERROR, message: 'one\ntwo', range: undefined } }))
    .toBe(`::warning file=a%2Cb%3Ac,line=5,endLine=5,title=Later::line five, 100%25 wrong
::warning file=a%2Cb%3Ac,line=2,endLine=3,title=Earlier::two lines
::error file=a%2Cb%3Ac,title=Dockerfile::one%0Atwo
`);
});

test('a build counts them', () => {
  expect(warningSummary([])).toBe('');
  expect(warningSummary([LATER])).toBe(
    '\n 1 warning found (use `slipway check` to expand):\n - Later: line five, 100% wrong (line 5)\n',
  );
  expect(warningSummary([LATER, EARLIER])).toContain(' 2 warnings found');
});
