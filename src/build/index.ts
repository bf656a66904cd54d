/** The public API: what `import { build } from 'slipway'` gives. */
export { build } from './build.js';
export type { BuildOptions, BuildResult } from './options.js';
export { BuildError, type ErrorCode } from '../base/errors.js';
export { DockerfileError, type Diagnostic } from '../dockerfile/diagnostic.js';
export type { BuildEvent } from '../job/events.js';
export type { OutputSpec } from '../exporter/types.js';
export { findImage, imageHistory, listImages, openStore, removeImages } from './images.js';
export { pullImages, type PulledImage, type PullOptions } from './pull.js';
export { copyImage, type CopyOptions } from './copy-images.js';
export { loadImages, type LoadedImage, type LoadOptions } from './load.js';
export { saveImages, type SaveOptions } from './save.js';
export type { JobOptions } from './open-job.js';
export { runImage } from './run-image.js';
export { compareImages } from './compare-images.js';
export { examineMachine } from './examine-machine.js';
export { checkDockerfile, listTargets, outlineDockerfile, type CheckDockerfileOptions } from './check.js';
export type { CheckReport } from '../dockerfile/checks/check-report.js';
export type { Warning } from '../dockerfile/checks/checker.js';
