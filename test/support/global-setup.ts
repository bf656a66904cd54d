import type { TestProject } from 'vitest/node';
import { makeTempDir, removeTempDir } from './temp-dir.js';

declare module 'vitest' {
  interface ProvidedContext {
    /** Directory that the end-to-end tests of one run share. */
    e2eDir: string;
  }
}

export default function setup(project: TestProject): () => void {
  const dir = makeTempDir('e2e');
  project.provide('e2eDir', dir);
  return () => removeTempDir(dir);
}
