import { formatPlatform, normalizePlatform } from '../../oci/platform.js';
import { quote } from '../go-text.js';
import type { Rule } from './rule.js';

export const invalidBaseImagePlatform: Rule<'base'> = {
  name: 'InvalidBaseImagePlatform',
  description: 'Base image platform does not match expected target platform',
  page: '',
  moment: 'base',
  check({ name, expected, actual }, report) {
    if (expected.os === actual.os && expected.architecture === actual.architecture) return;
    const [want, have] = [expected, actual].map((one) => quote(formatPlatform(normalizePlatform(one))));
    report(`Base image ${name} was pulled with platform ${have}, expected ${want} for current build`);
  },
};
