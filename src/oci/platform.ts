import { BuildError } from '../base/errors.js';

/** `os/architecture[/variant]`, as in the OCI image index. */
export interface Platform {
  readonly os: string;
  readonly architecture: string;
  readonly variant?: string;
  readonly osVersion?: string;
}

const ARCHITECTURES: Readonly<Record<string, string>> = {
  x64: 'amd64',
  x86_64: 'amd64',
  'x86-64': 'amd64',
  ia32: '386',
  i386: '386',
  aarch64: 'arm64',
  armhf: 'arm',
  armel: 'arm',
};

/** The platform of this machine; macOS and Windows count as Linux, since that is what they run images in. */
export function hostPlatform(): Platform {
  return normalizePlatform({ os: 'linux', architecture: process.arch });
}

/** Go's names; `arm64/v8` and `amd64/v1` lose their variant, `arm` gets `v7`, as containerd's platforms.Normalize does. */
export function normalizePlatform(platform: Platform): Platform {
  const architecture = ARCHITECTURES[platform.architecture.toLowerCase()] ?? platform.architecture.toLowerCase();
  let variant = platform.variant?.toLowerCase();
  if (architecture === 'arm64' && (variant === 'v8' || variant === '8')) variant = undefined;
  if (architecture === 'amd64' && variant === 'v1') variant = undefined;
  if (architecture === 'arm') variant = variant === undefined || variant === '7' ? 'v7' : variant;
  return {
    os: platform.os.toLowerCase(),
    architecture,
    ...(variant && { variant }),
    ...(platform.osVersion && { osVersion: platform.osVersion }),
  };
}

/** Reads `linux/arm64/v8`, `arm64`, `linux`. Throws BuildError USAGE. */
export function parsePlatform(text: string): Platform {
  const parts = text.split('/');
  const hint = 'write it as `linux/amd64`';
  if (parts.length > 3) {
    throw new BuildError('USAGE', `"${text}": cannot parse platform specifier: invalid argument`, { hint }); // containerd's words
  }
  if (parts.some((part) => !/^[A-Za-z0-9_.-]+$/.test(part))) {
    throw new BuildError('USAGE', `invalid platform \`${text}\``, { hint });
  }
  const [first, second, third] = parts as [string, string?, string?];
  if (second === undefined) {
    return /^(linux|windows|darwin|freebsd)$/i.test(first)
      ? normalizePlatform({ os: first, architecture: process.arch })
      : normalizePlatform({ os: 'linux', architecture: first });
  }
  return normalizePlatform({ os: first, architecture: second, ...(third !== undefined && { variant: third }) });
}

export function formatPlatform(platform: Platform): string {
  return [platform.os, platform.architecture, platform.variant].filter(Boolean).join('/');
}

/** True if an image for `have` runs where `want` is asked for: equal after normalizing. */
export function matchesPlatform(have: Platform, want: Platform): boolean {
  return formatPlatform(normalizePlatform(have)) === formatPlatform(normalizePlatform(want));
}
