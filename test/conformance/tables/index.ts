import type { Report } from '../report.js';
import * as directives from './directives.js';
import * as dockerignore from './dockerignore.js';
import * as expose from './expose.js';
import * as gitRefs from './git-refs.js';
import * as heredoc from './heredoc.js';
import * as instructionsErrors from './instructions-errors.js';
import * as jsonForm from './json-form.js';
import * as lineInfo from './line-info.js';
import * as lint from './lint.js';
import * as shellExpansion from './shell-expansion.js';
import * as subrequests from './subrequests.js';

/** Every table, by the name of its file. */
export const tables: readonly (readonly [name: string, run: (conformanceDir: string) => Promise<Report>])[] = [
  ['directives', directives.run],
  ['dockerignore', dockerignore.run],
  ['expose', expose.run],
  ['git-refs', gitRefs.run],
  ['heredoc', heredoc.run],
  ['instructions-errors', instructionsErrors.run],
  ['json-form', jsonForm.run],
  ['line-info', lineInfo.run],
  ['lint', lint.run],
  ['shell-expansion', shellExpansion.run],
  ['subrequests', subrequests.run],
];
