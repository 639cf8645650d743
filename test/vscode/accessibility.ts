/** Accessibility of a webview: axe-core, run inside the document because VS Code nests it across origins. */
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import type { Frame } from 'playwright-core';

const require = createRequire(import.meta.url);
/** axe-core comes with its Playwright package, which itself cannot look into nested frames of other origins. */
const fromPlaywright = createRequire(require.resolve('@axe-core/playwright'));
const source = readFileSync(fromPlaywright.resolve('axe-core/axe.min.js'), 'utf8');

interface Violation {
  readonly id: string;
  readonly impact: string | null;
  readonly help: string;
  readonly nodes: readonly { readonly target: readonly unknown[]; readonly failureSummary?: string }[];
}

/**
 * What a person could not use or read: serious and critical violations, one line each.
 * @param selector the part of the document to look at; all of it by default
 */
export async function seriousViolations(frame: Frame, selector?: string): Promise<readonly string[]> {
  // Not as a script element: the page's content security policy would rightly refuse it.
  await frame.evaluate(source);
  const violations = (await frame.evaluate(
    `axe.run(${selector === undefined ? 'document' : JSON.stringify(selector)}, { iframes: false, resultTypes: ['violations'] }).then(({ violations }) =>
      violations.map(({ id, impact, help, nodes }) => ({
        id, impact, help, nodes: nodes.map(({ target, failureSummary }) => ({ target, failureSummary })),
      })))`,
  )) as readonly Violation[];
  return violations
    .filter(({ impact }) => impact === 'serious' || impact === 'critical')
    .map(
      ({ id, help, nodes }) =>
        `${id}: ${help} (${nodes.map((node) => `${node.target.join(' ')} ${node.failureSummary ?? ''}`).join('; ')})`,
    );
}
