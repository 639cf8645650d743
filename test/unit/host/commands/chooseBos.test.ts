/** Taking over how an SAE's training texts began changes the policy, never the reading of the SAE alone. */
import { beforeEach, expect, it, vi } from 'vitest';
import { followSaeBos } from '../../../../src/host/commands/chooseBos.ts';
import { readSae } from '../../../../src/host/commands/saeCommands.ts';
import type { CommandServices } from '../../../../src/host/services.ts';
import type { ModelInfo, SaeInfo } from '../../../../src/shared/domain.ts';
import type { SaeConvention } from '../../../../src/shared/saeCheck.ts';

const written = vi.hoisted(() => [] as unknown[]);

vi.mock('../../../../src/host/contributions.ts', () => ({
  readSetting: () => 'auto',
  writeSetting: async (name: string, value: unknown) => written.push([name, value]),
  runCommand: async () => undefined,
}));

beforeEach(() => {
  written.length = 0;
});

function servicesWith(prependBos: boolean | undefined, bos: ModelInfo['bos']) {
  const sae = { id: '/sae', ...(prependBos !== undefined && { prependBos }) } as SaeInfo;
  const model = { bos, bosToken: '<s>' } as ModelInfo;
  const readings: SaeConvention[] = [];
  const checks = {
    read: async (_: SaeInfo, convention: SaeConvention) => void readings.push(convention),
    status: () => ({ kind: 'failed' }),
  };
  const models = { sae, saes: [sae], ensure: async () => model };
  return { services: { models, checks } as unknown as CommandServices, sae, readings };
}

it('follows the shown SAE, and changes nothing when they agree', async () => {
  await followSaeBos(servicesWith(true, 'none').services);
  await followSaeBos(servicesWith(false, 'prepended').services);
  expect(written).toEqual([
    ['modelBos', 'always'],
    ['modelBos', 'never'],
  ]);
  await followSaeBos(servicesWith(true, 'prepended').services);
  await followSaeBos(servicesWith(undefined, 'none').services);
  expect(written).toHaveLength(2);
});

it('a proposed reading that begins prompts otherwise switches the policy, the rest is the SAE’s', async () => {
  const { services, sae, readings } = servicesWith(true, 'none');
  await readSae(services, sae, { prependBos: true, centerInput: true });
  expect(readings).toEqual([{ centerInput: true }]);
  expect(written).toEqual([['modelBos', 'always']]);
});
