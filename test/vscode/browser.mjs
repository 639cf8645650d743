// Chromium for VS Code in a browser: launched the same way for the tests inside the extension host and for e2e.
import { existsSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { chromium } from 'playwright-core';

const names = ['chromium', 'chromium-browser', 'google-chrome'];

/** The size of the window; screenshots have it too. */
export const viewport = { width: 1400, height: 900 };

/**
 * Launches Chromium without its own traffic, its sandbox (these tests only load their own pages), or a GPU.
 * @returns {Promise<import('playwright-core').Browser>}
 */
export async function launchBrowser() {
  const executablePath = process.env.CHROMIUM ?? findOnPath();
  if (executablePath === undefined) {
    throw new Error(`Found none of ${names.join(', ')}. Run scripts/installTestTools.sh, or set CHROMIUM.`);
  }
  return chromium.launch({
    executablePath,
    args: [
      '--no-sandbox',
      '--disable-gpu',
      '--disable-quic',
      '--no-first-run',
      '--disable-background-networking',
      '--disable-component-update',
      '--disable-sync',
      '--disable-dev-shm-usage',
      '--force-color-profile=srgb',
      '--font-render-hinting=none',
      '--lang=en-US',
    ],
  });
}

/** @returns {string | undefined} */
function findOnPath() {
  const folders = (process.env.PATH ?? '').split(delimiter);
  return names
    .flatMap((name) => folders.map((folder) => join(folder, name)))
    .find((place) => existsSync(place));
}
