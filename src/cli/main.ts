import { Command, CommanderError, Option } from 'commander';
import { BuildError } from '../base/errors.js';
import { reportError } from './output/error.js';
import { interruptible } from './interrupt.js';
import { collect } from './collect.js';
import { addStoreCommands } from './store-commands.js';
import { version } from './version.js';

/**
 * The command line. Each command's flags stand here; what it does stands in `commands/<verb>.ts`, which is loaded when
 * it is called. stdout carries data only.
 */
export function program(): Command {
  const cli = new Command('slipway')
    .description('Builds container images from Dockerfiles, without a daemon and without root')
    .version(version(), '-v, --version')
    .option('--root <dir>', 'directory of the store (default: SLIPWAY_ROOT, else the XDG data directory)')
    .enablePositionalOptions()
    .showSuggestionAfterError()
    .exitOverride()
    .configureOutput({ writeOut: (text) => process.stdout.write(text), writeErr: () => undefined });

  cli
    .command('build')
    .description('build an image from a Dockerfile')
    .argument('<path>', 'directory that COPY and ADD read from, git repository, URL of an archive, or `-`')
    .option('-f, --file <path>', 'Dockerfile (default: PATH/Dockerfile; `-` reads stdin)')
    .option('-t, --tag <name>', 'name and tag of the image; may be repeated', collect)
    .option('--target <stage>', 'stage to build (default: the last)')
    .option('--build-arg <name=value>', 'value of an ARG; without `=value` that of the environment', collect)
    .option(
      '--build-context <name=value>',
      'path, oci-layout://DIR[:TAG], docker-image://NAME, URL or git repository',
      collect,
    )
    .option('--label <name=value>', 'label of the image', collect)
    .option(
      '--annotation <[level:]name=value>',
      'annotation of the manifest, or of index, manifest-descriptor, …',
      collect,
    )
    .option('--provenance <spec>', 'true, false or mode=min|max[,version=v1|v0.2]…: attest where the image comes from')
    .option('--sbom <spec>', 'SBOM attestation: false; nothing else is supported by this version')
    .option('--attest <spec>', 'the same in one: type=provenance[,mode=min|max]…', collect)
    .option(
      '--iidfile <path>',
      'write the image ID to a file: the digest of the config, or of the index of an attested image',
    )
    .option('--metadata-file <path>', "write what was built to a file as JSON, with buildx's keys")
    .option('--pull', 'ask the registries for base images, whatever is known of them')
    .option('--offline', 'ask no registry for base images (also: SLIPWAY_OFFLINE=1)')
    .option('--platform <platform>', 'os/architecture[/variant]')
    .option('--no-cache', 'run every step, use no cached result')
    .option(
      '-o, --output <spec>',
      'type=image|registry|oci|docker|local|tar|cacheonly[,KEY=VALUE]…, a path, or -',
      collect,
    )
    .option('--push', 'push the image to where its names say: -o type=registry')
    .option('--load', 'hand the image to Docker, podman or containerd: -o type=docker')
    .addOption(
      // commander takes `--no-x` for the opposite of `--x`, whose default would be true
      new Option('--no-cache-filter <stage>', 'run the steps of this stage; may be repeated')
        .default([], 'none')
        .argParser(collect),
    )
    .option('--secret <spec>', 'id=ID[,src=FILE|,env=NAME]: lent to RUN --mount=type=secret', collect)
    .option('--ssh <spec>', 'default or ID[=SOCKET]: agent lent to RUN --mount=type=ssh', collect)
    .option('--add-host <name:ip>', 'line of the hosts file of RUN', collect)
    .option('--ulimit <name=soft:hard>', 'limit of the processes of RUN', collect)
    .option('--shm-size <bytes>', 'size of /dev/shm of RUN, for example 64m')
    .option('--allow <right>', 'what the Dockerfile may ask for: network.host, security.insecure', collect)
    .option('--network <mode>', 'network of RUN: default, host or none')
    .option('--isolation <rung>', 'how RUN is isolated: auto, root, userns, userns-single, chroot or none')
    .option('--trust-host-ca', 'let RUN trust the CA certificates of this machine; leaves no trace in the image')
    .option('--progress <mode>', 'auto, tty, plain, quiet, none or rawjson (default: BUILDKIT_PROGRESS, else auto)')
    .option('-q, --quiet', 'print only the digest of the image')
    .option('--call <method>', 'in place of building: check, outline or targets; `,format=json` may follow')
    .option('--check', 'the same as --call=check')
    .action(async (path: string, _options: object, command: Command) => {
      await (await import('./commands/build.js')).run(path, command.optsWithGlobals(), interruptible());
    });

  cli
    .command('check')
    .alias('lint')
    .description('check a Dockerfile, without building it')
    .argument('<path>', 'directory that COPY and ADD read from')
    .option('-f, --file <path>', 'Dockerfile (default: PATH/Dockerfile; `-` reads stdin)')
    .option('--target <stage>', 'stage to check, with those that it needs (default: all)')
    .option('--build-arg <name=value>', 'value of an ARG; without `=value` that of the environment', collect)
    .option('--build-context <name=value>', 'path, oci-layout://DIR[:TAG] or docker-image://NAME', collect)
    .option('--platform <platform>', 'os/architecture[/variant]')
    .option('--format <format>', 'text, json, sarif or github (workflow commands)', 'text')
    .action(async (path: string, _options: object, command: Command) => {
      await (await import('./commands/check.js')).run(path, command.optsWithGlobals(), interruptible());
    });

  cli
    .command('images')
    .description('list the images in the store')
    .option('--format <format>', 'table or json', 'table')
    .action(async (_options: object, command: Command) => {
      await (await import('./commands/images.js')).run(command.optsWithGlobals(), interruptible());
    });

  cli
    .command('inspect')
    .description('show the manifest and config of an image as JSON')
    .argument('<image>')
    .action(async (image: string, _options: object, command: Command) => {
      await (await import('./commands/inspect.js')).run(image, command.optsWithGlobals(), interruptible());
    });

  cli
    .command('history')
    .description('show how each layer of an image came about, and its size')
    .argument('<image>')
    .option('--format <format>', 'table or json', 'table')
    .option('--no-trunc', 'show whole instructions')
    .action(async (image: string, _options: object, command: Command) => {
      await (await import('./commands/history.js')).run(image, command.optsWithGlobals(), interruptible());
    });

  cli
    .command('tag')
    .description('give an image one more name')
    .argument('<source>')
    .argument('<target>')
    .action(async (source: string, target: string, _options: object, command: Command) => {
      await (await import('./commands/tag.js')).run(source, target, command.optsWithGlobals(), interruptible());
    });

  cli
    .command('rmi')
    .description('take names of images away')
    .argument('<image...>')
    .action(async (images: string[], _options: object, command: Command) => {
      await (await import('./commands/rmi.js')).run(images, command.optsWithGlobals(), interruptible());
    });

  cli
    .command('pull')
    .description('take images from registries into the store')
    .argument('<image...>')
    .option('--platform <platform>', "os/architecture[/variant] (default: this machine's)")
    .option('--all-platforms', 'every platform that there is')
    .option('--progress <mode>', 'auto, tty, plain, none or rawjson')
    .option('-q, --quiet', 'show no progress')
    .action(async (images: string[], _options: object, command: Command) => {
      await (await import('./commands/pull.js')).run(images, command.optsWithGlobals(), interruptible());
    });

  cli
    .command('push')
    .description('send images of the store to where their names say')
    .argument('<image...>')
    .option('-a, --all-tags', 'the names are of repositories: all their tags that the store has')
    .option('--compression <type>', 'gzip, zstd or uncompressed (default: gzip for what is not compressed yet)')
    .option('--compression-level <n>', '0 to 9, for zstd 0 to 22 (default: 6, for zstd 3)')
    .option('--force-compression', 'compress layers anew that are compressed otherwise')
    .option('--insecure', 'plain HTTP and unverified TLS are taken too')
    .option('--progress <mode>', 'auto, tty, plain, none or rawjson')
    .option('-q, --quiet', 'show no progress')
    .action(async (images: string[], _options: object, command: Command) => {
      await (await import('./commands/push.js')).run(images, command.optsWithGlobals(), interruptible());
    });

  cli
    .command('copy')
    .description('copy an image as it is, with all its platforms, between registries, layouts, archives and the store')
    .argument(
      '<source>',
      'NAME, docker://NAME, oci:DIR[:TAG], oci-archive:FILE[:TAG], docker-archive:FILE[:NAME], store:NAME',
    )
    .argument('<destination>', 'the same')
    .option('--platform <platform>', 'only the image for os/architecture[/variant]')
    .option('--all-platforms', 'every platform that there is: the default')
    .option('--progress <mode>', 'auto, tty, plain, none or rawjson')
    .option('-q, --quiet', 'show no progress')
    .action(async (source: string, destination: string, _options: object, command: Command) => {
      const { run } = await import('./commands/copy.js');
      await run(source, destination, command.optsWithGlobals(), interruptible());
    });

  cli
    .command('save')
    .description('write images to an archive that `docker load` reads and that is an OCI image layout too')
    .argument('<image...>')
    .option('-o, --output <file>', 'default: stdout')
    .option('--progress <mode>', 'auto, tty, plain, none or rawjson')
    .option('-q, --quiet', 'show no progress')
    .action(async (images: string[], _options: object, command: Command) => {
      await (await import('./commands/save.js')).run(images, command.optsWithGlobals(), interruptible());
    });

  cli
    .command('load')
    .description('take images into the store from an archive (of `docker save`, `slipway save`, an OCI layout)')
    .option('-i, --input <path>', 'archive, plain or compressed, or directory of a layout (default: stdin)')
    .option('--progress <mode>', 'auto, tty, plain, none or rawjson')
    .option('-q, --quiet', 'show no progress')
    .action(async (_options: object, command: Command) => {
      await (await import('./commands/load.js')).run(command.optsWithGlobals(), interruptible());
    });

  cli
    .command('login')
    .description('log in to a registry; the credentials are kept where Docker keeps them')
    .argument('[host]', 'registry (default: Docker Hub)')
    .option('-u, --username <user>', 'user name; asked for on a terminal')
    .option('-p, --password <password>', 'password or access token; others can see it, so better:')
    .option('--password-stdin', 'read the password from stdin')
    .action(async (host: string | undefined, _options: object, command: Command) => {
      await (await import('./commands/login.js')).run(host, command.optsWithGlobals(), interruptible());
    });

  cli
    .command('logout')
    .description('forget the credentials of a registry')
    .argument('[host]', 'registry (default: Docker Hub)')
    .action(async (host: string | undefined) => {
      await (await import('./commands/logout.js')).run(host, interruptible());
    });

  cli
    .command('run')
    .description('try an image: run it in a throw-away copy, on the network of this machine')
    .argument('<image>')
    .argument('[command...]', 'in place of CMD')
    .option('-e, --env <name=value>', 'variable of the environment; may be repeated', collect)
    .option('-u, --user <user>', 'in place of USER')
    .option('-w, --workdir <dir>', 'in place of WORKDIR')
    .option('--entrypoint <program>', 'in place of ENTRYPOINT')
    .option('--network <mode>', 'host or none', 'host')
    .option('--isolation <rung>', 'auto, root, userns, userns-single, chroot or none')
    .passThroughOptions()
    .action(async (image: string, args: string[], _options: object, command: Command) => {
      await (await import('./commands/run.js')).run(image, args, command.optsWithGlobals());
    });

  cli
    .command('compare')
    .description('show two images side by side: size, layers, files, packages, user, build time')
    .argument('<a>')
    .argument('<b>')
    .option('--format <format>', 'table or json', 'table')
    .action(async (a: string, b: string, _options: object, command: Command) => {
      await (await import('./commands/compare.js')).run(a, b, command.optsWithGlobals(), interruptible());
    });

  addStoreCommands(cli);

  cli
    .command('doctor')
    .description('show what this machine can do, what Slipway chooses, and how to get more')
    .option('--format <format>', 'table or json', 'table')
    .option('--isolation <rung>', 'auto, root, userns, userns-single, chroot or none')
    .action(async (_options: object, command: Command) => {
      await (await import('./commands/doctor.js')).run(command.optsWithGlobals(), interruptible());
    });
  // What kaniko's executor is called with: `entry.ts` puts the verb before it. Its flags are not ours.
  cli
    .command('kaniko', { hidden: true })
    .argument('[flags...]')
    .allowUnknownOption()
    .passThroughOptions()
    .helpOption(false)
    .action(async (flags: string[]) => {
      process.exitCode = await (await import('./kaniko/run.js')).run(flags, interruptible());
    });

  // Global options may stand before the verb or after it.
  for (const command of cli.commands)
    command.addOption(new Option('--root <dir>', 'directory of the store').hideHelp());
  return cli;
}

/** The verb and a space; nothing where there is none. */
function verbOf(cli: Command, argv: readonly string[]): string {
  const names = cli.commands.flatMap((command) => [command.name(), ...command.aliases()]);
  const verb = argv.find((word, at) => names.includes(word) && argv[at - 1] !== '--root');
  return verb === undefined ? '' : `${verb} `;
}

/** Runs the command line to its end; gives the exit code: 0 done, 1 input or gate, 2 usage or bug, 130 interrupted. */
export async function main(argv: readonly string[]): Promise<number> {
  const cli = program();
  try {
    await cli.parseAsync(argv, { from: 'user' });
    return process.exitCode === undefined ? 0 : Number(process.exitCode);
  } catch (error) {
    if (error instanceof CommanderError) {
      if (error.exitCode === 0) return 0;
      const message = error.message.replace(/^error: /, '');
      if (error.code === 'commander.help') {
        process.stderr.write(cli.helpInformation());
        return 2;
      }
      const [first = message, ...rest] = message.split('\n');
      const hint =
        rest
          .join(' ')
          .replace(/^\(|\)$/g, '')
          .trim() || `see \`slipway ${verbOf(cli, argv)}--help\``;
      return reportError(
        new BuildError(
          'USAGE',
          first.replace(/^.*?: /, (m) => m),
          { hint },
        ),
      );
    }
    return reportError(error);
  }
}
