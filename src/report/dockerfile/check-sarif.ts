import path from 'node:path';
import { pathToFileURL } from 'node:url';
import type { CheckReport } from '../../dockerfile/checks/check-report.js';
import { ruleUrl } from '../../dockerfile/checks/rule.js';
import { RULES } from '../../dockerfile/checks/rules.js';
import type { LineRange } from '../../dockerfile/diagnostic.js';

/** SARIF 2.1.0, as code scanning services read it. `version`: of this program. */
export function checkSarif({ fileName, warnings, error }: CheckReport, version: string): object {
  const uri = path.isAbsolute(fileName) ? pathToFileURL(fileName).href : encodeURI(fileName.split(path.sep).join('/'));
  const result = (ruleId: string, level: string, text: string, range: LineRange | undefined): object => {
    const ruleIndex = RULES.findIndex(({ name }) => name === ruleId);
    const region = range && { region: { startLine: range.startLine, endLine: range.endLine } };
    return {
      ruleId,
      ...(ruleIndex >= 0 && { ruleIndex }),
      level,
      message: { text },
      locations: [{ physicalLocation: { artifactLocation: { uri }, ...region } }],
    };
  };
  return {
    $schema: 'https://json.schemastore.org/sarif-2.1.0.json',
    version: '2.1.0',
    runs: [
      {
        tool: { driver: { name: 'slipway', version, rules: RULES.map(ruleJson) } },
        results: [
          ...warnings.map(({ rule, detail, range }) => result(rule, 'warning', detail, range)),
          ...(error ? [result('BuildError', 'error', error.message, error.range)] : []),
        ],
      },
    ],
  };
}

function ruleJson(rule: (typeof RULES)[number]): object {
  const url = ruleUrl(rule);
  return {
    id: rule.name,
    shortDescription: { text: rule.description },
    ...(url !== '' && { helpUri: url }),
    defaultConfiguration: { level: 'warning', ...(rule.experimental && { enabled: false }) },
  };
}
