import { mkdtempSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import type { NamespaceRung } from '../../src/worker/isolation/launch.js';
import { probeNamespaces } from '../../src/worker/isolation/probe-namespaces.js';

/** Why this machine does not offer a rung to whoever runs the tests; undefined if it does. */
export async function whyNotRung(rung: NamespaceRung): Promise<string | undefined> {
  const dir = mkdtempSync(path.join(os.tmpdir(), 'slipway-rung-'));
  try {
    const { signal } = new AbortController();
    const { available, reason } = await probeNamespaces(rung, dir, { env: process.env, signal });
    return available ? undefined : reason;
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}
