import { answerCall } from './call.js';
import { nameValues } from './name-values.js';

interface CheckFlags {
  readonly root?: string;
  readonly file?: string;
  readonly target?: string;
  readonly buildArg?: readonly string[];
  readonly buildContext?: readonly string[];
  readonly platform?: string;
  readonly format: string;
}

/** Unlike `build --check`, needs no base image to be there. */
export async function run(context: string, flags: CheckFlags, signal: AbortSignal): Promise<void> {
  const { root, file, target, platform, format } = flags;
  const call = { method: 'check', format, ignoreStatus: false } as const;
  await answerCall(call, {
    context,
    signal,
    buildArgs: nameValues('--build-arg', flags.buildArg ?? [], process.env),
    buildContexts: nameValues('--build-context', flags.buildContext ?? []),
    ...(root !== undefined && { root }),
    ...(file !== undefined && { file }),
    ...(target !== undefined && { target }),
    ...(platform !== undefined && { platform }),
  });
}
