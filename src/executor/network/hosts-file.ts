/** /etc/hosts of a container: itself, the multicast names, and what the build adds. */
export function hostsFile(
  hostname: string,
  extraHosts: readonly { readonly host: string; readonly ip: string }[],
): string {
  const fixed = [
    ['127.0.0.1', `localhost ${hostname}`],
    ['::1', 'localhost ip6-localhost ip6-loopback'],
    ['fe00::0', 'ip6-localnet'],
    ['ff00::0', 'ip6-mcastprefix'],
    ['ff02::1', 'ip6-allnodes'],
    ['ff02::2', 'ip6-allrouters'],
  ];
  return [...fixed, ...extraHosts.map(({ host, ip }) => [ip, host])].map((pair) => `${pair.join('\t')}\n`).join('');
}
