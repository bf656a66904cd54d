import type { Target } from '../../dockerfile/targets.js';
import { base64, locationJson, withoutEmpty } from './location.js';
import { tabColumns } from './tab-columns.js';

/** As BuildKit's `frontend.targets` gives it. */
export function targetsJson(targets: readonly Target[], source: string): object {
  return {
    targets: targets.map(({ name, isDefault, description, base, platform, range }) =>
      withoutEmpty({ name, default: isDefault, description, base, platform, location: locationJson(range) }),
    ),
    sources: [base64(source)],
  };
}

/** As `docker buildx build --call=targets` prints it. */
export function targetsText(targets: readonly Target[]): string {
  const rows = targets.map(({ name, isDefault, description }) => [
    [name, ...(isDefault ? ['(default)'] : [])].filter((word) => word !== '').join(' '),
    description,
  ]);
  return tabColumns([['TARGET', 'DESCRIPTION'], ...rows], 1);
}
