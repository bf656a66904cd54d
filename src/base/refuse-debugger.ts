let isRefused = false;

/**
 * SIGUSR1 has no effect on this process from now on. Otherwise Node.js listens for a debugger on 127.0.0.1 when it gets
 * one, and whoever may signal this process and reaches its network, as a RUN without namespaces of its own, could make it do anything.
 */
export function refuseDebugger(): void {
  if (isRefused) return;
  isRefused = true;
  process.on('SIGUSR1', () => undefined);
}
