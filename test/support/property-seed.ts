import fc from 'fast-check';

/**
 * Property tests try the same values each time, so that a run says something of what has changed. Other values:
 * SLIPWAY_TEST_SEED=NUMBER.
 */
fc.configureGlobal({ seed: Number(process.env['SLIPWAY_TEST_SEED'] ?? 1) });
