import type { Edge, ExecMount } from '../../llb/types.js';
import { makeVertex } from '../../llb/vertex.js';
import { Fault, unsupported } from '../diagnostic.js';
import { trim } from '../go-text.js';
import { chompHeredoc, heredocOf } from '../heredoc.js';
import type { RunInstruction } from '../instructions/run.js';
import { FileOpBuilder } from './file-op.js';
import { mountsOf, type RunMounts } from './run-mounts.js';
import type { PlannedStage } from './planned-stage.js';
import { withShell } from './shell-form.js';
import { upperKeyword, type StageBuild } from './stage-build.js';

export function applyRun(build: StageBuild, instruction: RunInstruction, sources: readonly PlannedStage[]): void {
  refuseUnsupported(instruction);
  build.paths.add('/');
  const { conversion, image } = build;
  const { options } = conversion;
  const script = scriptOf(build, instruction);
  const args = instruction.command.form === 'shell' ? withShell(image, script.args) : script.args;
  if (args.length === 0) throw new Fault('arguments', 'failed to marshal LLB definition: arguments are required');
  const mounts = mountsOf(build, instruction, sources);
  if (script.file !== undefined) mounts.binds.push(script.file);
  if (options.shmSize !== undefined && options.shmSize > 0) {
    const mount = { type: 'tmpfs', size: options.shmSize } as const;
    mounts.binds.push({ source: undefined, mount: { dest: '/dev/shm', output: -1, readonly: false, mount } });
  }
  const inputs: Edge[] = [];
  const env =
    mounts.ssh !== undefined && build.env.get('SSH_AUTH_SOCK') === undefined
      ? build.env.with('SSH_AUTH_SOCK', mounts.ssh)
      : build.env;
  const vertex = makeVertex(
    {
      kind: 'exec',
      meta: {
        args,
        env: env.toArray(),
        cwd: build.dir,
        user: build.user,
        ...(options.hostname && { hostname: options.hostname }),
        ...(options.extraHosts?.length && { extraHosts: options.extraHosts }),
        ...(options.ulimits?.length && { ulimits: options.ulimits }),
        ...(conversion.proxyEnv && { proxyEnv: conversion.proxyEnv }),
      },
      mounts: orderedMounts(build.edge, mounts, inputs),
      network: instruction.network === 'default' ? (options.network ?? 'sandbox') : instruction.network,
      security: instruction.security,
    },
    inputs,
    build.platform,
    build.vertexOptions(build.nextStep(shownCommand(build, instruction, script.summary, mounts)), instruction.range),
  );
  const history = historyOf(build, args);
  build.edge = { vertex, output: 0 };
  build.record(history, true);
}

function refuseUnsupported(instruction: RunInstruction): void {
  if (instruction.devices.length > 0) {
    throw unsupported('RUN --device', 'remove the flag, or build this stage with BuildKit');
  }
}

interface Script {
  readonly args: readonly string[];
  /** A heredoc with `#!` is a file that is mounted and run. */
  readonly file?: RunMounts['binds'][number];
  /** First line of the heredoc, for the name of the step. */
  readonly summary?: string;
}

const PIPES = '/dev/pipes/';

/** What is run: the words, or what a heredoc makes of them. */
function scriptOf(build: StageBuild, instruction: RunInstruction): Script {
  const { args, form } = instruction.command;
  const [first] = instruction.heredocs;
  if (first === undefined) return { args };
  const [text] = args;
  if (form !== 'shell' || text === undefined) throw new Fault('heredoc', 'parsing produced an invalid run command');
  if (!isOnlyHeredoc(text)) {
    const bodies = instruction.heredocs.map((heredoc) => `\n${heredoc.content}${heredoc.name}`);
    return { args: [text + bodies.join('')] };
  }
  const data = first.chomp ? chompHeredoc(first.content) : first.content;
  const summary = summaryOf(first.content);
  if (build.image.os === 'windows' || !data.startsWith('#!')) return { args: [data], summary };
  const action = {
    type: 'mkfile',
    path: `/${first.name}`,
    mode: 0o755,
    data: Buffer.from(data).toString('base64'),
  } as const;
  const { ignoreCache: _, ...options } = build.vertexOptions('[internal] preparing inline document', instruction.range);
  const source = new FileOpBuilder(undefined).add(action).build(build.platform, options);
  const file = { source, mount: { dest: PIPES, output: -1, readonly: true, mount: { type: 'bind' } } } as const;
  return { args: [PIPES + first.name], file, summary };
}

function isOnlyHeredoc(text: string): boolean {
  try {
    return heredocOf(text) !== undefined;
  } catch (error) {
    if (error instanceof Fault) return false;
    throw error;
  }
}

function summaryOf(content: string): string {
  const lines = trim(content).split(/\r?\n/);
  return lines.length > 1 ? `${lines[0]}...` : lines[0]!;
}

/** The root first, then by destination; secrets and agents behind the rest. */
function orderedMounts(root: Edge | undefined, mounts: RunMounts, inputs: Edge[]): readonly ExecMount[] {
  const rootMount = {
    source: root,
    mount: { dest: '/', output: 0, readonly: false, mount: { type: 'bind' } },
  } as const;
  const sorted = [rootMount, ...mounts.binds].sort((a, b) =>
    Buffer.compare(Buffer.from(a.mount.dest), Buffer.from(b.mount.dest)),
  );
  const inputOf = (edge: Edge | undefined): number => {
    if (edge === undefined) return -1;
    const known = inputs.findIndex((one) => one.vertex.digest === edge.vertex.digest && one.output === edge.output);
    return known >= 0 ? known : inputs.push(edge) - 1;
  };
  return [...sorted, ...mounts.others].map(({ source, mount }) => ({ input: inputOf(source), ...mount }));
}

/** The instruction as it is shown: the variables of the stage filled in, secrets as stars. */
function shownCommand(
  build: StageBuild,
  instruction: RunInstruction,
  summary: string | undefined,
  mounts: RunMounts,
): string {
  const text = summary === undefined ? instruction.original : `${instruction.original} (${summary})`;
  const env = mounts.secretNames.reduce((all, name) => all.with(name, '****'), build.env);
  return upperKeyword(build.conversion.expander.runLabel(text, env));
}

/** `RUN |2 a=1 b=2 /bin/sh -c make # buildkit`. */
function historyOf(build: StageBuild, args: readonly string[]): string {
  const values = new Map<string, string>();
  for (const { key, value } of build.buildArgs) values.set(key, build.env.get(key) ?? value ?? '');
  const shown = [...values].map(([key, value]) => `${key}=${value}`);
  const prefix = shown.length === 0 ? [] : [`|${shown.length}`, ...shown];
  return `RUN ${[...prefix, ...args].join(' ')} # buildkit`;
}
