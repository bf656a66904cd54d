import { BuildError } from '../../base/errors.js';
import type { HostSettings, RegistrySettings } from '../../build/index.js';
import { registryName } from '../../registry/hosts.js';
import type { GivenFlags } from './parse-flags.js';

type Writable = { -readonly [K in keyof HostSettings]?: HostSettings[K] };

/** How registries are spoken to, by the flags and by KANIKO_REGISTRY_MIRROR and KANIKO_REGISTRY_MAP. Throws USAGE. */
export function registriesOf(flags: GivenFlags, env: NodeJS.ProcessEnv): RegistrySettings {
  const hosts: Record<string, Writable> = {};
  const host = (name: string): Writable => (hosts[registryName(name)] ??= {});
  for (const name of [...flags.list('insecure-registry'), ...flags.list('skip-tls-verify-registry')]) {
    host(name).insecure = true;
  }
  for (const { key, value } of pairs('registry-certificate', flags.list('registry-certificate'))) {
    const settings = host(key);
    settings.ca = [...(settings.ca ?? []), value];
  }
  for (const { key, value } of pairs('registry-client-cert', flags.list('registry-client-cert'))) {
    const [cert, keyFile, ...more] = value.split(',');
    if (!cert || !keyFile || more.length > 0) throw malformed('registry-client-cert', `${key}=${value}`);
    const settings = host(key);
    settings.keypairs = [...(settings.keypairs ?? []), { cert, key: keyFile }];
  }
  const mirrors = [...flags.list('registry-mirror'), env['KANIKO_REGISTRY_MIRROR'] ?? ''];
  const maps = [...flags.list('registry-map'), env['KANIKO_REGISTRY_MAP'] ?? ''].flatMap((one) => one.split(';'));
  for (const { key, value } of [
    ...pairs('registry-map', maps.filter(isGiven)),
    ...mirrors.filter(isGiven).map((mirror) => ({ key: 'docker.io', value: mirror })),
  ]) {
    const settings = host(key);
    settings.mirrors = [...(settings.mirrors ?? []), value];
    settings.onlyMirrors = flags.boolean('skip-default-registry-fallback') ?? false;
  }
  const insecure = (['insecure-pull', 'skip-tls-verify', 'skip-tls-verify-pull'] as const).some((name) =>
    flags.boolean(name),
  );
  return { hosts, insecurePulls: insecure };
}

function isGiven(text: string): boolean {
  return text !== '';
}

const FORMS = {
  'registry-certificate': 'HOST=FILE',
  'registry-client-cert': 'HOST=CERTIFICATE,KEY',
  'registry-map': 'REGISTRY=MIRROR',
} as const;

function pairs(
  flag: keyof typeof FORMS,
  values: readonly string[],
): readonly { readonly key: string; readonly value: string }[] {
  return values.map((text) => {
    const [, key, value] = /^([^=]+)=(.+)$/s.exec(text) ?? [];
    if (key === undefined || value === undefined) throw malformed(flag, text);
    return { key, value };
  });
}

function malformed(flag: keyof typeof FORMS, text: string): BuildError {
  return new BuildError('USAGE', `invalid \`--${flag}=${text}\``, { hint: `write it as \`--${flag}=${FORMS[flag]}\`` });
}
