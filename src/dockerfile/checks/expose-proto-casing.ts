import type { Rule } from './rule.js';

export const exposeProtoCasing: Rule<'expose'> = {
  name: 'ExposeProtoCasing',
  description: 'Protocol in EXPOSE instruction should be lowercase',
  page: 'expose-proto-casing',
  moment: 'expose',
  check(ports, report) {
    for (const port of ports) {
      const protocol = /\/([^:]*)$/.exec(port)?.[1] ?? '';
      if (protocol !== protocol.toLowerCase()) {
        report(`Defined protocol '${port}' in EXPOSE instruction should be lowercase`);
      }
    }
  },
};
