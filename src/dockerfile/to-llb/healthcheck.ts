import { formatDuration } from '../instructions/duration.js';
import type { HealthcheckInstruction } from '../instructions/healthcheck.js';
import type { StageBuild } from './stage-build.js';

export function applyHealthcheck(build: StageBuild, { health }: HealthcheckInstruction): void {
  build.image.config.Healthcheck = health;
  const shown = [
    `Test:[${(health.Test ?? []).join(' ')}]`,
    `Interval:${formatDuration(health.Interval ?? 0)}`,
    `Timeout:${formatDuration(health.Timeout ?? 0)}`,
    `StartPeriod:${formatDuration(health.StartPeriod ?? 0)}`,
    `StartInterval:${formatDuration(health.StartInterval ?? 0)}`,
    `Retries:${health.Retries ?? 0}`,
  ];
  build.record(`HEALTHCHECK {${shown.join(' ')}}`);
}
