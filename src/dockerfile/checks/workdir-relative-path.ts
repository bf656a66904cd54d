import { quote } from '../go-text.js';
import type { Rule } from './rule.js';

/** Only the first WORKDIR of a stage is looked at: with it the following ones are right or wrong. */
export const workdirRelativePath: Rule<'workdir'> = {
  name: 'WorkdirRelativePath',
  description:
    'Relative workdir without an absolute workdir declared within the build can have unexpected results if the base image changes',
  page: 'workdir-relative-path',
  moment: 'workdir',
  check({ path, first, os }, report) {
    const absolute = os === 'windows' ? /^(?:[a-z]:)?[\\/]/i.test(path) : path.startsWith('/');
    if (first && !absolute) {
      report(`Relative workdir ${quote(path)} can have unexpected results if the base image changes`);
    }
  },
};
