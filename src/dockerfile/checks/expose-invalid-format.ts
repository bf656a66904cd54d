import type { Rule } from './rule.js';

export const exposeInvalidFormat: Rule<'expose'> = {
  name: 'ExposeInvalidFormat',
  description:
    'IP address and host-port mapping should not be used in EXPOSE instruction. This will become an error in a future release',
  page: 'expose-invalid-format',
  moment: 'expose',
  check(ports, report) {
    for (const port of ports) {
      const parts = port.split(':');
      const hostPort = parts.at(-2) ?? '';
      const address = parts.slice(0, -2).join(':');
      if (hostPort === '' && address === '') continue;
      report(`EXPOSE instruction should not define an IP address or host-port mapping, found '${port}'`);
    }
  },
};
