// What the test programs' reports say: how many tests passed, which did not, and the first thing that each of these said.

/** @typedef {{ where: string, message: string }} Failure a test by its file and full name, or a check; and why */
/** @typedef {{ passed: number, skipped: string[], failures: Failure[] }} Outcome */

const firstLine = (text) => (text ?? '').split('\n').find((line) => line.trim() !== '') ?? 'nothing was said';

/** The last lines that were printed, without colours. */
export function lastLines(printed, count = 40) {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: that is what colours are
  const plain = printed.replace(/\u001b\[[0-9;]*m/g, '');
  return plain.trimEnd().split('\n').slice(-count).join('\n') || 'nothing was printed';
}

/**
 * Vitest's JSON report. A run that failed without any test that did (an error outside all tests) is one failure, by what was
 * printed last.
 * @returns {Outcome}
 */
export function readVitest(report, { succeeded, printed, root }) {
  const { numPassedTests, success, testResults } = JSON.parse(report);
  const failures = [];
  const skipped = [];
  for (const { name, status, message, assertionResults } of testResults) {
    const file = name.startsWith(`${root}/`) ? name.slice(root.length + 1) : name;
    const where = (test) => `${file} > ${test.fullName}`;
    const broken = assertionResults.filter((test) => test.status === 'failed');
    for (const test of broken)
      failures.push({ where: where(test), message: firstLine(test.failureMessages?.[0]) });
    // A file that does not load has no test that failed; it is a failure all the same.
    if (status === 'failed' && broken.length === 0)
      failures.push({ where: file, message: firstLine(message) });
    skipped.push(
      ...assertionResults.filter(({ status }) => status !== 'passed' && status !== 'failed').map(where),
    );
  }
  if (failures.length === 0 && !(success && succeeded))
    failures.push({ where: 'outside all tests', message: lastLines(printed) });
  return { passed: numPassedTests, skipped, failures };
}

const UNESCAPED = { lt: '<', gt: '>', quot: '"', apos: "'", amp: '&' };
const plainText = (text) =>
  text
    .replace(/&#(\d+);/g, (_, code) => String.fromCodePoint(Number(code)))
    .replace(/&(lt|gt|quot|apos|amp);/g, (_, name) => UNESCAPED[name]);

/**
 * CTest's JUnit report: each program is one test, and the last that a failed one printed is its message.
 * @returns {Outcome}
 */
export function readCtest(report) {
  const failures = [];
  const skipped = [];
  let passed = 0;
  for (const [, head, body] of report.matchAll(/<testcase\b([^>]*?)(?:\/>|>(.*?)<\/testcase>)/gs)) {
    const attribute = (name) => plainText(new RegExp(`\\b${name}="([^"]*)"`).exec(head)?.[1] ?? '');
    const status = attribute('status');
    if (status === 'run') passed += 1;
    else if (status === 'notrun') skipped.push(attribute('name'));
    else {
      const printed = /<system-out>(.*?)<\/system-out>/s.exec(body ?? '')?.[1] ?? '';
      failures.push({ where: attribute('name'), message: lastLines(plainText(printed)) });
    }
  }
  if (passed + skipped.length + failures.length === 0)
    failures.push({ where: 'ctest', message: 'no test was run' });
  return { passed, skipped, failures };
}
