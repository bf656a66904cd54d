import { existsSync } from 'node:fs';
import path from 'node:path';

/** The folder with a newer Docker engine, which scripts/newer-dockerd.mjs made; undefined when there is none. */
export function newerDockerdRoot(): string | undefined {
  const named = process.env['SLIPWAY_TEST_DOCKERD_ROOT'];
  const root = named ? path.resolve(named) : '/var/cache/slipway/newer-dockerd';
  return existsSync(path.join(root, 'usr/sbin/dockerd')) ? root : undefined;
}
