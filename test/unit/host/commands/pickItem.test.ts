/** The quick pick that fills while it is open: what it refuses is told without making links of it. */
import { expect, it, vi } from 'vitest';
import { pickItem } from '../../../../src/host/commands/pickItem.ts';
import { window } from '../../../fixtures/vscodeStub.ts';

it('tells why an item cannot be chosen, and stays open', async () => {
  const listeners: Record<string, () => void> = {};
  const listen = (name: string) => (listener: () => void) => {
    listeners[name] = listener;
  };
  const items = [{ label: 'broken' }, { label: 'whole' }];
  const pick = {
    items: [] as readonly unknown[],
    selectedItems: [items[0]],
    onDidAccept: listen('accept'),
    onDidHide: listen('hide'),
    show: () => undefined,
    hide: () => listeners.hide?.(),
    dispose: () => undefined,
  };
  vi.spyOn(window, 'createQuickPick').mockReturnValue(pick);
  const told = vi.spyOn(window, 'showWarningMessage').mockResolvedValue(undefined);
  const chosen = pickItem({
    title: 'Choose',
    placeholder: '',
    items,
    refuse: ({ label }) => (label === 'broken' ? 'broken cannot be used: [see here](command:x)' : undefined),
  });
  listeners.accept?.();
  expect(told).toHaveBeenCalledWith('broken cannot be used: [see here] (command:x)');
  pick.selectedItems = [items[1]];
  listeners.accept?.();
  expect(await chosen).toEqual({ label: 'whole' });
  expect(told).toHaveBeenCalledTimes(1);
});
