import { BuildError } from '../../base/errors.js';
import { parsePlatform, type Platform } from '../../oci/platform.js';
import { quote } from '../go-text.js';
import type { Rule } from './rule.js';

/** A stage whose name says the platform means it. */
export const fromPlatformFlagConstDisallowed: Rule<'from'> = {
  name: 'FromPlatformFlagConstDisallowed',
  description: 'FROM --platform flag should not use a constant value',
  page: 'from-platform-flag-const-disallowed',
  moment: 'from',
  check({ part, expansion, stageName }, report) {
    if (part !== 'platform' || expansion.matched.size > 0 || expansion.unmatched.size > 0) return;
    const platform = platformOf(expansion.text);
    if (platform === undefined) return;
    if (stageName.includes(platform.os) || stageName.includes(platform.architecture)) return;
    report(`FROM --platform flag should not use constant value ${quote(expansion.text)}`);
  },
};

function platformOf(text: string): Platform | undefined {
  try {
    return parsePlatform(text);
  } catch (error) {
    if (error instanceof BuildError) return undefined; // the build fails with it
    throw error;
  }
}
