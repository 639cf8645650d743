/** The extension right after it was activated. Files run by their names, and this one before any that needs the engine. */

import assert from 'node:assert/strict';
import * as vscode from 'vscode';
import type { TestApi } from '../../src/host/testApi.ts';

describe('Activation', () => {
  it('does not start the engine', async () => {
    const extension = vscode.extensions.getExtension<TestApi>('fovea.fovea');
    assert.ok(extension, 'the extension is installed');
    const api = await extension.activate();
    assert.equal(api.engineState(), 'idle');
  });
});
