import { readFileSync } from 'node:fs';

/** Counts of tests. Whatever goes wrong beside the tests themselves counts as one that failed. */
export class Tally {
  passed = 0;
  failed = 0;
  skipped = 0;

  check(good) {
    if (good) this.passed++;
    else this.failed++;
  }

  /** Adds what vitest's JSON reporter wrote. `code` is how vitest ended. */
  addVitest(file, code) {
    let report;
    try {
      report = JSON.parse(readFileSync(file, 'utf8'));
    } catch {
      this.failed++; // it died before it could write
      return;
    }
    const failedBefore = this.failed;
    for (const { status, assertionResults } of report.testResults) {
      for (const { status: outcome } of assertionResults) {
        if (outcome === 'passed') this.passed++;
        else if (outcome === 'failed') this.failed++;
        else this.skipped++;
      }
      // A file that cannot be loaded, or whose hooks throw, fails without naming a test.
      if (status === 'failed' && !assertionResults.some(({ status: outcome }) => outcome === 'failed')) this.failed++;
    }
    // Errors that nobody awaited, or no tests at all.
    if (code !== 0 && this.failed === failedBefore) this.failed++;
  }

  get good() {
    return this.failed === 0 && this.passed > 0;
  }

  toString() {
    return `${this.passed} passed, ${this.failed} failed${this.skipped > 0 ? `, ${this.skipped} skipped` : ''}`;
  }
}
