import type { CheckReport } from '../../dockerfile/checks/check-report.js';
import { base64, locationJson, withoutEmpty } from './location.js';

/** As BuildKit's `frontend.lint` gives it; without warnings the list is empty, where BuildKit writes null. */
export function checkJson({ fileName, source, warnings, error }: CheckReport): object {
  return {
    warnings: warnings.map(({ rule, description, url, detail, range }) =>
      withoutEmpty({ ruleName: rule, description, url, detail, location: locationJson(range) }),
    ),
    sources: [{ filename: fileName, language: 'Dockerfile', data: base64(source) }],
    ...(error && {
      buildError: { message: error.message, location: error.range === undefined ? {} : locationJson(error.range) },
    }),
  };
}
