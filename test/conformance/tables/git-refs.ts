import { gitFragmentForm, parseGitRef, type GitRef } from '../../../src/dockerfile/git-ref.js';
import { checkTable, difference, type Report } from '../report.js';

interface Row {
  readonly group: string;
  readonly ref: string;
  readonly isGit?: boolean;
  readonly result?: unknown;
  readonly error?: string;
  readonly withSubdir?: boolean;
  readonly ok?: boolean;
}

/** Names of the fields in the table. */
const FIELDS: Readonly<Record<keyof GitRef, string>> = {
  remote: 'Remote',
  shortName: 'ShortName',
  ref: 'Ref',
  checksum: 'Checksum',
  subDir: 'SubDir',
  indistinguishableFromLocal: 'IndistinguishableFromLocal',
  unencryptedTcp: 'UnencryptedTCP',
  keepGitDir: 'KeepGitDir',
  submodules: 'Submodules',
  mtime: 'MTime',
  fetchByCommit: 'FetchByCommit',
};

export async function run(conformanceDir: string): Promise<Report> {
  return checkTable<Row>(conformanceDir, 'git-refs', (row) => {
    if (row.withSubdir !== undefined) {
      const form = gitFragmentForm(row.ref, row.withSubdir);
      return difference('ok', form !== undefined, row.ok) ?? difference('form', form ?? row.ref, row.result);
    }
    const got = parseGitRef(row.ref);
    const error = got.kind === 'git' ? undefined : got.kind === 'fault' ? got.message : got.reason;
    return (
      difference('isGit', got.kind !== 'notGit', row.isGit) ??
      difference('error', error, row.error) ??
      difference('result', got.kind === 'git' ? named(got.ref) : undefined, row.result)
    );
  });
}

function named(ref: GitRef): object {
  return Object.fromEntries(Object.entries(ref).map(([key, value]) => [FIELDS[key as keyof GitRef], value]));
}
