import { existsSync, renameSync } from 'node:fs';
import path from 'node:path';
import { threadId } from 'node:worker_threads';
import { inject } from 'vitest';
import { hasCode } from '../../src/base/errors.js';
import { makeBusyboxLayout } from './busybox-layout.js';

let made: Promise<string> | undefined;

/** An OCI layout with a busybox image, made by Slipway from the machine's busybox; once for a run of the tests. */
export function busyboxLayout(): Promise<string> {
  return (made ??= ensure(path.join(inject('e2eDir'), 'busybox')));
}

async function ensure(layout: string): Promise<string> {
  if (existsSync(layout)) return layout;
  const fresh = await makeBusyboxLayout(`${layout}.${process.pid}.${threadId}`);
  try {
    renameSync(fresh, layout);
  } catch (error) {
    if (!hasCode(error, 'ENOTEMPTY', 'EEXIST')) throw error; // another thread was first
  }
  return layout;
}
