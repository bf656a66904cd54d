import { BuildError } from '../../base/errors.js';
import { parseReference } from '../../oci/reference.js';
import type { Rule } from './rule.js';

export const invalidDefaultArgInFrom: Rule<'defaultBase'> = {
  name: 'InvalidDefaultArgInFrom',
  description: 'Default value for global ARG results in an empty or invalid base image name',
  page: 'invalid-default-arg-in-from',
  moment: 'defaultBase',
  check({ written, name }, report) {
    if (isReference(name)) return;
    report(`Default value for ARG ${written} results in empty or invalid base image name`);
  },
};

function isReference(name: string): boolean {
  try {
    parseReference(name);
    return true;
  } catch (error) {
    if (error instanceof BuildError && error.code === 'REFERENCE_INVALID') return false;
    throw error;
  }
}
