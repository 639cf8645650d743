/** Which hub is meant, and how fast it delivers. */
import { expect, it } from 'vitest';
import { hubEndpoint, hubHost } from '../../../src/host/hubToken.ts';
import { TransferRate } from '../../../src/host/transferRate.ts';

it('the hub is the one of the settings, else of HF_ENDPOINT, else huggingface.co', () => {
  expect(hubEndpoint(' https://a.example ', { HF_ENDPOINT: 'https://b.example' })).toBe('https://a.example');
  expect(hubEndpoint('', { HF_ENDPOINT: 'https://b.example' })).toBe('https://b.example');
  expect(hubEndpoint('', {})).toBe('https://huggingface.co');
  expect(hubHost('https://a.example:8080/hub')).toBe('a.example:8080');
  expect(hubHost('no address')).toBe('no address');
});

it('the rate is that of the last seconds', () => {
  const rate = new TransferRate();
  expect(rate.add(1000, 0)).toBe(0);
  expect(rate.add(2000, 100)).toBe(0);
  expect(rate.add(11_000, 1000)).toBe(10_000);
  for (let second = 2; second <= 10; second++) rate.add(11_000, second * 1000);
  expect(rate.add(11_000, 11_000)).toBe(0);
});
