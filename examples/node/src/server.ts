import { pino } from 'pino';
import { z } from 'zod';
import { buildApp } from './app.js';

const Environment = z.object({
  PORT: z.coerce.number().int().min(0).max(65535).default(3000),
  HOST: z.string().default('0.0.0.0'),
  LOG_LEVEL: z.enum(['trace', 'debug', 'info', 'warn', 'error', 'silent']).default('info'),
});

const environment = Environment.parse(process.env);
const logger = pino({ level: environment.LOG_LEVEL });
const app = buildApp({ logger });

// As pid 1 of a container a process gets no default signal handling: without this it would ignore SIGTERM.
for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.once(signal, () => {
    logger.info({ signal }, 'closing');
    app.close().then(
      () => process.exit(0),
      (error: unknown) => {
        logger.error(error);
        process.exit(1);
      },
    );
  });
}

await app.listen({ port: environment.PORT, host: environment.HOST });
