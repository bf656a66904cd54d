import { quote } from '../go-text.js';
import type { Rule } from './rule.js';

const SECRET = /(?:_|^)(?:apikey|auth|credential|credentials|key|password|pword|passwd|secret|token)(?:_|$)/i;
const HARMLESS = /(?:_|^)(?:public|file|version)(?:_|$)/i;

export const secretsUsedInArgOrEnv: Rule<'name'> = {
  name: 'SecretsUsedInArgOrEnv',
  description: 'Sensitive data should not be used in the ARG or ENV commands',
  page: 'secrets-used-in-arg-or-env',
  moment: 'name',
  check({ keyword, key }, report) {
    if (!SECRET.test(key) || HARMLESS.test(key)) return;
    report(`Do not use ARG or ENV instructions for sensitive data (${keyword} ${quote(key)})`);
  },
};
